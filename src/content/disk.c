/* SPDX-License-Identifier: Apache-2.0 */
#include "content/disk.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#define DIRECTORY (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

static int result(int r)
{
	return r < 0 ? result_errno() : r;
}

static int real_open_dir(struct disk *disk, int dir, const char *name)
{
	return result(openat(dir, name, DIRECTORY));
}

/* O_NONBLOCK: a fifo in place of a file must not stop us. */
static int open_regular(int dir, const char *name, int flags)
{
	cleanup_fd int fd = openat(dir, name, flags | O_NOFOLLOW | O_NONBLOCK |
				   O_NOCTTY | O_CLOEXEC);
	struct stat st;

	if (fd < 0) {
		return errno == ELOOP || errno == EISDIR || errno == ENXIO ?
			-EBADMSG : result_errno();
	}
	if (fstat(fd, &st) < 0) {
		return result_errno();
	}
	return S_ISREG(st.st_mode) ? fd_take(&fd) : -EBADMSG;
}

static int real_open_read(struct disk *disk, int dir, const char *name)
{
	return open_regular(dir, name, O_RDONLY);
}

static int real_open_write(struct disk *disk, int dir, const char *name)
{
	return open_regular(dir, name, O_RDWR);
}

static int real_create(struct disk *disk, int dir, const char *name)
{
	return result(openat(dir, name, O_RDWR | O_CREAT | O_EXCL |
			     O_NOFOLLOW | O_CLOEXEC, 0600));
}

static ssize_t real_read(struct disk *disk, int file, uint64_t offset,
			 void *bytes, size_t size)
{
	ssize_t n;

	do {
		n = pread(file, bytes, size, (off_t)offset);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? result_errno() : n;
}

static int real_write(struct disk *disk, int file, uint64_t offset,
		      const void *bytes, size_t size)
{
	const char *p = bytes;

	while (size > 0) {
		ssize_t n = pwrite(file, p, size, (off_t)offset);

		if (n < 0 && errno != EINTR) {
			return result_errno();
		}
		if (n > 0) {
			p += n;
			size -= (size_t)n;
			offset += (uint64_t)n;
		}
	}
	return 0;
}

static int real_set_mode(struct disk *disk, int handle, uint32_t mode)
{
	return result(fchmod(handle, mode));
}

static int real_sync(struct disk *disk, int handle)
{
	return result(fsync(handle));
}

static enum disk_type type_of(mode_t mode)
{
	return S_ISREG(mode) ? DISK_FILE : S_ISDIR(mode) ? DISK_DIR :
		S_ISLNK(mode) ? DISK_LINK : DISK_OTHER;
}

static int real_stat(struct disk *disk, int dir, const char *name,
		     struct disk_stat *ret_stat)
{
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		return result_errno();
	}
	*ret_stat = (struct disk_stat){
		.type = type_of(st.st_mode),
		.mode = st.st_mode & 07777,
		.size = (uint64_t)st.st_size,
	};
	return 0;
}

static void closedirp(DIR **stream)
{
	if (*stream != NULL) {
		closedir(*stream);
	}
}

static int real_list(struct disk *disk, int dir, disk_visit *visit,
		     void *context)
{
	cleanup_fd int fd = openat(dir, ".", DIRECTORY);
	__attribute__((cleanup(closedirp))) DIR *stream = NULL;
	struct dirent *entry;
	int r = 0;

	if (fd < 0 || (stream = fdopendir(fd)) == NULL) {
		return result_errno();
	}
	fd_take(&fd);
	while (r == 0 && (errno = 0, entry = readdir(stream)) != NULL) {
		if (strcmp(entry->d_name, ".") != 0 &&
		    strcmp(entry->d_name, "..") != 0) {
			r = visit(context, entry->d_name);
		}
	}
	return r == 0 && errno != 0 ? result_errno() : r;
}

static int real_make_dir(struct disk *disk, int dir, const char *name)
{
	return result(mkdirat(dir, name, 0755));
}

static int real_rename(struct disk *disk, int dir, const char *from,
		       const char *to)
{
	return result(renameat(dir, from, dir, to));
}

static int real_link(struct disk *disk, int from_dir, const char *from,
		     int to_dir, const char *to)
{
	return result(linkat(from_dir, from, to_dir, to, 0));
}

static int real_make_link(struct disk *disk, const char *target, int dir,
			  const char *name)
{
	return result(symlinkat(target, dir, name));
}

static int real_read_link(struct disk *disk, int dir, const char *name,
			  char *ret_target, size_t size)
{
	ssize_t n = readlinkat(dir, name, ret_target, size);

	if (n < 0) {
		return result_errno();
	}
	if ((size_t)n == size) {
		return -ENAMETOOLONG;
	}
	ret_target[n] = '\0';
	return 0;
}

static int real_unlink(struct disk *disk, int dir, const char *name)
{
	return result(unlinkat(dir, name, 0));
}

static int real_remove_dir(struct disk *disk, int dir, const char *name)
{
	return result(unlinkat(dir, name, AT_REMOVEDIR));
}

static int real_lock(struct disk *disk, int dir)
{
	return result(flock(dir, LOCK_EX | LOCK_NB));
}

static void real_close(struct disk *disk, int handle)
{
	close(handle);
}

struct disk *disk_real(void)
{
	static const struct disk_body body = {
		.open_dir = real_open_dir,
		.open_read = real_open_read,
		.open_write = real_open_write,
		.create = real_create,
		.read = real_read,
		.write = real_write,
		.set_mode = real_set_mode,
		.sync = real_sync,
		.stat = real_stat,
		.list = real_list,
		.make_dir = real_make_dir,
		.rename = real_rename,
		.link = real_link,
		.make_link = real_make_link,
		.read_link = real_read_link,
		.unlink = real_unlink,
		.remove_dir = real_remove_dir,
		.lock = real_lock,
		.close = real_close,
	};
	static struct disk disk = { &body };

	return &disk;
}

int disk_point(struct disk *disk, int dir, const char *name,
	       const char *target)
{
	char fresh[DISK_NAME + 1];
	int r;

	if (snprintf(fresh, sizeof(fresh), "%s.new", name) >=
	    (int)sizeof(fresh)) {
		return -ENAMETOOLONG;
	}
	r = disk->body->unlink(disk, dir, fresh);
	if (r < 0 && r != -ENOENT) {
		return r;
	}
	r = disk->body->make_link(disk, target, dir, fresh);
	if (r == 0) {
		r = disk->body->rename(disk, dir, fresh, name);
	}
	return r < 0 ? r : disk->body->sync(disk, dir);
}

struct removal {
	struct disk *disk;
	int dir;
};

static int remove_entry(void *context, const char *name)
{
	struct removal *removal = context;

	return disk_remove_tree(removal->disk, removal->dir, name);
}

/* A slot's directories are read-only for their owner too. */
static int remove_below(struct disk *disk, int dir, const char *name)
{
	struct removal removal = { disk, -1 };
	int r;

	removal.dir = disk->body->open_dir(disk, dir, name);
	if (removal.dir < 0) {
		return removal.dir;
	}
	r = disk->body->set_mode(disk, removal.dir, 0755);
	if (r == 0) {
		r = disk->body->list(disk, removal.dir, remove_entry,
				     &removal);
	}
	disk->body->close(disk, removal.dir);
	return r;
}

int disk_remove_tree(struct disk *disk, int dir, const char *name)
{
	struct disk_stat st;
	int r = disk->body->stat(disk, dir, name, &st);

	if (r < 0) {
		return r == -ENOENT ? 0 : r;
	}
	if (st.type != DISK_DIR) {
		return disk->body->unlink(disk, dir, name);
	}
	r = remove_below(disk, dir, name);
	return r < 0 ? r : disk->body->remove_dir(disk, dir, name);
}
