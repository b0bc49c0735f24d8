/* SPDX-License-Identifier: Apache-2.0 */
/*
 * broker/jail_files.c - which files a program needs to start
 *
 * The interpreter named in the program's ELF header is asked: `ld.so --list`
 * maps the program and its libraries and prints them, by the very rules
 * (RUNPATH, hwcaps, ld.so.conf) that hold at run time, and runs no code of
 * either. It runs as the product's uid, without rights, and is read through a
 * bounded pipe. All that we parse ourselves is one program header table.
 */
#include "broker/jail.h"

#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <grp.h>

#define LIST_BYTES 32768u
#define HEADERS 64u
#define LIBRARY_DIRECTORY "lib/"

static int files_interpreter(int fd, char *ret_path, size_t size)
{
	Elf64_Ehdr header;
	Elf64_Phdr part;

	if (pread(fd, &header, sizeof(header), 0) != sizeof(header) ||
	    memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
	    header.e_ident[EI_CLASS] != ELFCLASS64 ||
	    header.e_phentsize != sizeof(part) || header.e_phnum > HEADERS) {
		return -ENOEXEC;
	}
	for (unsigned i = 0; i < header.e_phnum; i++) {
		off_t at = (off_t)(header.e_phoff + i * sizeof(part));

		if (pread(fd, &part, sizeof(part), at) != sizeof(part)) {
			return -ENOEXEC;
		}
		if (part.p_type != PT_INTERP) {
			continue;
		}
		if (part.p_filesz < 2 || part.p_filesz > size ||
		    pread(fd, ret_path, part.p_filesz, (off_t)part.p_offset) !=
		    (ssize_t)part.p_filesz ||
		    ret_path[part.p_filesz - 1] != '\0' || ret_path[0] != '/') {
			return -ENOEXEC;
		}
		return 0;
	}
	return 1;       /* static */
}

static bool files_may_use(const struct stat *st, bool strict)
{
	return S_ISREG(st->st_mode) &&
	       (!strict || (st->st_uid == 0 && !(st->st_mode & 022)));
}

static bool files_path_plain(const char *path)
{
	return strstr(path, "/../") == NULL && strstr(path, "//") == NULL;
}

static int files_add(struct jail_files *files, const char *from,
		     const char *to, bool strict)
{
	struct jail_file *f = &files->file[files->count];
	struct stat st;

	if (files->count == JAIL_FILES || strlen(from) >= sizeof(f->from) ||
	    strlen(to) >= sizeof(f->to) || !files_path_plain(to)) {
		return -E2BIG;
	}
	if (stat(from, &st) < 0) {
		return result_errno();
	}
	if (!files_may_use(&st, strict)) {
		return -EPERM;
	}
	strcpy(f->from, from);
	strcpy(f->to, to);
	f->device = st.st_dev;
	f->inode = st.st_ino;
	f->size = (uint64_t)st.st_size;
	f->ctime_s = st.st_ctim.tv_sec;
	f->ctime_ns = st.st_ctim.tv_nsec;
	files->count++;
	return 0;
}

int jail_files_line(const char *line, char *ret_name, char *ret_path)
{
	const char *arrow = strstr(line, " => ");
	const char *path, *end;
	size_t name_length, length;

	while (*line == ' ' || *line == '\t') {
		line++;
	}
	path = arrow ? arrow + 4 : line;
	if (arrow && strncmp(path, "not found", 9) == 0) {
		return -EBADMSG;
	}
	if (path[0] != '/') {
		return 1;       /* the vdso */
	}
	end = strstr(path, " (");
	if (!end) {
		return -EBADMSG;
	}
	length = (size_t)(end - path);
	name_length = arrow ? (size_t)(arrow - line) : length;
	if (length >= MANIFEST_PATH || name_length >= MANIFEST_PATH ||
	    name_length == 0) {
		return -EBADMSG;
	}
	memcpy(ret_path, path, length);
	ret_path[length] = '\0';
	memcpy(ret_name, line, name_length);
	ret_name[name_length] = '\0';
	return 0;
}

_Noreturn static void files_list_child(const char *interpreter,
				       const char *program, uint32_t uid,
				       int out)
{
	const struct rlimit seconds = { 5, 5 }, none = { 0, 0 };
	char *const arguments[] = { (char *)"ld.so", (char *)"--list",
				    (char *)program, NULL };
	char *const environment[] = { NULL };
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0 || dup2(null, 0) < 0 || dup2(out, 1) < 0 ||
	    dup2(null, 2) < 0 || close_range(3, ~0u, 0) < 0 ||
	    setrlimit(RLIMIT_CPU, &seconds) < 0 ||
	    setrlimit(RLIMIT_FSIZE, &none) < 0 || setgroups(0, NULL) < 0 ||
	    setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_PDEATHSIG, SIGKILL) < 0) {
		_exit(126);
	}
	execve(interpreter, arguments, environment);
	_exit(127);
}

/* Output of `interpreter --list program`, NUL-terminated. */
static int files_list(const char *interpreter, const char *program,
		      uint32_t uid, jail_fork fork_child, char *ret_text)
{
	cleanup_fd int in = -1;
	cleanup_fd int out = -1;
	int ends[2], status;
	size_t have = 0;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0) {
		return result_errno();
	}
	in = ends[0];
	out = ends[1];
	pid = fork_child();
	if (pid < 0) {
		return result_errno();
	}
	if (pid == 0) {
		files_list_child(interpreter, program, uid, out);
	}
	close(fd_take(&out));
	while (have < LIST_BYTES - 1) {
		ssize_t n = read(in, ret_text + have, LIST_BYTES - 1 - have);

		if (n <= 0) {
			break;
		}
		have += (size_t)n;
	}
	ret_text[have] = '\0';
	close(fd_take(&in));
	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR) {
			return result_errno();
		}
	}
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -ENOEXEC;
}

/* A name without a slash is found in the library directory, one with a slash
 * is a path that stands in the program. */
static int files_add_line(struct jail_files *files, const char *line,
			  bool strict, char *ret_error, size_t error_size)
{
	char name[MANIFEST_PATH], path[MANIFEST_PATH];
	char to[MANIFEST_PATH + sizeof(LIBRARY_DIRECTORY)];
	int r = jail_files_line(line, name, path);

	if (r < 0) {
		snprintf(ret_error, error_size, "library not found: %s", line);
		return r;
	}
	if (r > 0) {
		return 0;
	}
	if (name[0] == '/') {
		snprintf(to, sizeof(to), "%s", name + 1);
	} else {
		snprintf(to, sizeof(to), LIBRARY_DIRECTORY "%s", name);
	}
	for (uint32_t i = 0; i < files->count; i++) {
		if (strcmp(files->file[i].to, to) == 0) {
			return 0;
		}
	}
	r = files_add(files, path, to, strict);
	if (r < 0) {
		snprintf(ret_error, error_size, "%s: %s", path,
			 r == -EPERM ? "not root's alone" : strerror(-r));
	}
	return r;
}

static int files_find_libraries(const char *interpreter, const char *program,
				uint32_t uid, bool strict, jail_fork fork_child,
				struct jail_files *files, char *ret_error,
				size_t error_size)
{
	cleanup_free char *text = malloc(LIST_BYTES);
	char *rest = text;
	int r;

	if (!text) {
		return -ENOMEM;
	}
	r = files_add(files, interpreter, interpreter + 1, strict);
	if (r < 0) {
		snprintf(ret_error, error_size, "%s: %s", interpreter,
			 r == -EPERM ? "not root's alone" : strerror(-r));
		return r;
	}
	r = files_list(interpreter, program, uid, fork_child, text);
	if (r < 0 && !strstr(text, "not found")) {
		snprintf(ret_error, error_size,
			 "%s: %s --list failed (may everyone read it?)",
			 program, interpreter);
		return r;
	}
	for (char *line = strsep(&rest, "\n"); line && *line;
	     line = strsep(&rest, "\n")) {
		r = files_add_line(files, line, strict, ret_error, error_size);
		if (r < 0) {
			return r;
		}
	}
	return 0;
}

/* Libraries that were installed since may come first now. */
static void files_cache_time(int64_t *ret_s, int64_t *ret_ns)
{
	struct stat st = { 0 };

	(void)stat("/etc/ld.so.cache", &st);
	*ret_s = st.st_ctim.tv_sec;
	*ret_ns = st.st_ctim.tv_nsec;
}

int jail_files_find(const char *program, uint32_t uid, bool strict,
		    jail_fork fork_child, struct jail_files *ret_files,
		    char *ret_error, size_t error_size)
{
	const char *name = strrchr(program, '/');
	char interpreter[MANIFEST_PATH], to[MANIFEST_PATH + 4];
	cleanup_fd int fd = open(program, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	int r;

	ret_files->count = 0;
	files_cache_time(&ret_files->cache_ctime_s, &ret_files->cache_ctime_ns);
	if (fd < 0 || !name) {
		r = fd < 0 ? result_errno() : -EINVAL;
		snprintf(ret_error, error_size, "%s: %s", program,
			 strerror(-r));
		return r;
	}
	snprintf(to, sizeof(to), "bin/%s", name + 1);
	r = files_add(ret_files, program, to, strict);
	if (r < 0) {
		snprintf(ret_error, error_size, "%s: %s", program,
			 r == -EPERM ? "must be a file that root owns and "
			 "nobody else may write" : strerror(-r));
		return r;
	}
	r = files_interpreter(fd, interpreter, sizeof(interpreter));
	if (r < 0) {
		snprintf(ret_error, error_size, "%s: not a 64-bit ELF program",
			 program);
	}
	if (r != 0) {
		return r < 0 ? r : 0;
	}
	return files_find_libraries(interpreter, program, uid, strict,
				    fork_child, ret_files, ret_error,
				    error_size);
}

bool jail_files_same(const struct jail_files *files)
{
	int64_t s, ns;

	files_cache_time(&s, &ns);
	if (s != files->cache_ctime_s || ns != files->cache_ctime_ns) {
		return false;
	}
	for (uint32_t i = 0; i < files->count; i++) {
		const struct jail_file *f = &files->file[i];
		struct stat st;

		if (stat(f->from, &st) < 0 || st.st_dev != f->device ||
		    st.st_ino != f->inode || (uint64_t)st.st_size != f->size ||
		    st.st_ctim.tv_sec != f->ctime_s ||
		    st.st_ctim.tv_nsec != f->ctime_ns) {
			return false;
		}
	}
	return files->count > 0;
}
