/* SPDX-License-Identifier: Apache-2.0 */
/*
 * broker/source_process_proc.c - one process, as /proc shows it
 *
 * For what ran before the tracepoints, for the time after a loss, and for hosts
 * without BPF. No file of the process itself is opened, and its attributes are
 * taken as cached (AT_STATX_DONT_SYNC): a program on somebody's FUSE file
 * system does not get to answer. Names are bytes that any user chose.
 */
#include <fcntl.h>
#include <linux/magic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>

#include "base/mono.h"
#include "base/result.h"
#include "broker/eng_process.h"

#define TICK_NS 10000000ull             /* USER_HZ is 100 */
#define TEXT 4096u
#define DELETED " (deleted)"

/* Reads at most size - 1 bytes and ends them with NUL; their number. */
static int read_text(int proc, int32_t pid, const char *name, char *text,
		     size_t size)
{
	int fd cleanup_fd = -1;
	char path[64];
	size_t n = 0;

	snprintf(path, sizeof path, "%d/%s", (int)pid, name);
	fd = openat(proc, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0) {
		return errno == ENOENT ? -ESRCH : result_errno();
	}
	while (n < size - 1) {
		ssize_t r = read(fd, text + n, size - 1 - n);

		if (r < 0) {
			return result_errno();
		}
		if (r == 0) {
			break;
		}
		n += (size_t)r;
	}
	text[n] = '\0';
	return (int)n;
}

/* Field `number`, from 3 on, of what follows the name in /proc/PID/stat. */
static int stat_number(const char *after_name, unsigned int number,
		       unsigned long long *ret_value)
{
	const char *at = after_name;
	char *end;

	for (unsigned int i = 3; i <= number; i++) {
		at = strchr(at, ' ');
		if (!at) {
			return -EBADMSG;
		}
		at++;
	}
	errno = 0;
	*ret_value = strtoull(at, &end, 10);
	/* A last number without its end may be half of one. */
	return end == at || (*end != ' ' && *end != '\n') ? -EBADMSG : 0;
}

/* pid (name) state ppid ... The name may hold anything, also ") R 1". */
static int parse_stat(const char *text, size_t length,
		      struct process_record *record)
{
	const char *open = memchr(text, '(', length);
	const char *close = memrchr(text, ')', length);
	unsigned long long ppid, session, threads, start;
	size_t n;

	if (!open || !close || close < open || close[1] != ' ' ||
	    strtol(text, NULL, 10) != record->pid) {
		return -EBADMSG;
	}
	if (stat_number(close + 1, 4, &ppid) < 0 ||
	    stat_number(close + 1, 6, &session) < 0 ||
	    stat_number(close + 1, 20, &threads) < 0 ||
	    stat_number(close + 1, 22, &start) < 0) {
		return -EBADMSG;
	}
	/* A dead leader of living threads is a zombie in name only. */
	if ((close[2] == 'Z' && threads <= 1) || close[2] == 'X') {
		return -ESRCH;
	}
	record->ppid = (int)ppid;
	record->session = (int)session;
	record->start_ns = start * TICK_NS;
	n = (size_t)(close - open - 1);
	if (n >= sizeof record->comm) {
		n = sizeof record->comm - 1;
	}
	memcpy(record->comm, open + 1, n);
	return 0;
}

/* The first number of a line of /proc/PID/status: the real id. That file
 * escapes newlines in the name. */
static int status_id(const char *text, const char *key, unsigned int *ret_id)
{
	const char *line = strstr(text, key);

	if (!line || sscanf(line + strlen(key), "%u", ret_id) != 1) {
		return -EBADMSG;
	}
	return 0;
}

/* Is this number at the start of a line of mountinfo? */
static bool mount_known(int proc, uint64_t number)
{
	int fd cleanup_fd = openat(proc, "self/mountinfo",
				   O_RDONLY | O_CLOEXEC);
	uint64_t here = 0;
	bool in_number = true;
	char text[TEXT];
	ssize_t n;

	while (fd >= 0 && (n = read(fd, text, sizeof text)) > 0) {
		for (ssize_t i = 0; i < n; i++) {
			if (text[i] == '\n') {
				here = 0;
				in_number = true;
			} else if (!in_number) {
				continue;
			} else if (text[i] >= '0' && text[i] <= '9') {
				here = here * 10 + (uint64_t)(text[i] - '0');
			} else if (here == number) {
				return true;
			} else {
				in_number = false;
			}
		}
	}
	return false;
}

/* The program's identity and label; what may not be seen stays 0. */
static void read_exe(int proc, struct process_record *record)
{
	size_t suffix = strlen(DELETED);
	struct statx st;
	char path[64];
	ssize_t n;

	snprintf(path, sizeof path, "%d/exe", record->pid);
	if (statx(proc, path, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT,
		  STATX_INO | STATX_NLINK | STATX_MNT_ID, &st) < 0) {
		return;
	}
	record->exe_device = makedev(st.stx_dev_major, st.stx_dev_minor);
	record->exe_inode = st.stx_ino;
	record->path_foreign = !(st.stx_mask & STATX_MNT_ID) ||
		!mount_known(proc, st.stx_mnt_id);
	n = readlinkat(proc, path, record->path, sizeof record->path);
	if (n <= 0) {
		return;
	}
	record->path_truncated = (size_t)n == sizeof record->path;
	if (st.stx_nlink == 0 && (size_t)n > suffix &&
	    memcmp(record->path + n - suffix, DELETED, suffix) == 0) {
		n -= (ssize_t)suffix;
	}
	record->path_length = (unsigned int)n;
}

static const char *cgroup_root(void)
{
	static const char *const roots[] = {
		"/sys/fs/cgroup", "/sys/fs/cgroup/unified"
	};
	struct statfs fs;

	for (size_t i = 0; i < sizeof roots / sizeof roots[0]; i++) {
		if (statfs(roots[i], &fs) == 0 &&
		    fs.f_type == CGROUP2_SUPER_MAGIC) {
			return roots[i];
		}
	}
	return NULL;
}

/* The line "0::/path" of /proc/PID/cgroup. The id is the folder's inode. */
static void read_cgroup(int proc, struct process_record *record)
{
	const char *root = cgroup_root();
	char text[TEXT], path[TEXT + 32];
	struct stat st;
	char *line;

	if (!root ||
	    read_text(proc, record->pid, "cgroup", text, sizeof text) < 0) {
		return;
	}
	line = strncmp(text, "0::/", 4) == 0 ? text : strstr(text, "\n0::/");
	if (!line) {
		return;
	}
	line = strchr(line, '/');
	line[strcspn(line, "\n")] = '\0';
	snprintf(path, sizeof path, "%s%s", root, line);
	if (stat(path, &st) == 0) {
		record->cgroup = st.st_ino;
	}
}

int process_read_proc(int proc, int32_t pid, struct process_record *ret_record)
{
	struct process_record record = { .type = PROCESS_SNAPSHOT, .pid = pid };
	char text[TEXT];
	int r;

	record.time_ns = mono_now().ns;
	r = read_text(proc, pid, "stat", text, sizeof text);
	if (r < 0) {
		return r;
	}
	r = parse_stat(text, (size_t)r, &record);
	if (r < 0) {
		return r;
	}
	r = read_text(proc, pid, "status", text, sizeof text);
	if (r < 0) {
		return r;
	}
	if (status_id(text, "\nUid:\t", &record.uid) < 0 ||
	    status_id(text, "\nGid:\t", &record.gid) < 0) {
		return -EBADMSG;
	}
	read_exe(proc, &record);
	read_cgroup(proc, &record);
	r = read_text(proc, pid, "cmdline", text, PROCESS_ARGUMENTS + 1);
	if (r > 0) {
		memcpy(record.arguments, text, (size_t)r);
		record.arguments_length = (unsigned int)r;
	}
	*ret_record = record;
	return 0;
}
