/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent_confine.c - what the agent may ask of the kernel
 *
 * It reads what strangers wrote: metadata, descriptions, requests. So it has
 * no network, starts nothing, and is not to be looked into.
 */
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "agent/agent.h"
#include "base/log.h"

static const char *const allowed_calls[] = {
	/* files of its own folders, and what is to be read */
	"openat", "openat2", "open", "read", "pread64", "readv", "write",
	"writev", "pwrite64", "lseek", "ftruncate", "fsync", "fdatasync",
	"close", "fstat", "newfstatat", "statx", "fstatfs", "getdents64",
	"mkdirat", "mkdir", "renameat", "renameat2", "rename", "linkat",
	"symlinkat", "readlinkat", "readlink", "unlinkat", "unlink", "rmdir",
	"fchmod", "fchmodat", "utimensat", "flock", "fcntl", "dup",
	"faccessat", "faccessat2", "copy_file_range", "sendfile",
	"inotify_add_watch", "inotify_rm_watch", "umask",
	/* conversations: monitor, engine, people, products on trial */
	"connect", "accept4", "sendmsg", "recvmsg", "sendto", "recvfrom",
	"socketpair", "getsockopt", "setsockopt", "shutdown", "pipe2",
	"memfd_create",
	/* waiting and time */
	"poll", "ppoll", "clock_gettime", "clock_nanosleep", "nanosleep",
	"gettimeofday", "time", "restart_syscall", "futex",
	/* itself */
	"mmap", "munmap", "mprotect", "mremap", "madvise", "brk", "getpid",
	"gettid", "getuid", "geteuid", "getgid", "getegid", "getrandom",
	"rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaltstack",
	"tgkill", "exit", "exit_group", "prctl", "rseq", "sysinfo",
	"set_robust_list",
	"sched_yield", "sched_getaffinity", "prlimit64", "getrusage",
};

static int allow_all(scmp_filter_ctx filter)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof(allowed_calls) /
					    sizeof(*allowed_calls); i++) {
		int nr = seccomp_syscall_resolve_name(allowed_calls[i]);

		if (nr != __NR_SCMP_ERROR) {
			r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, nr, 0);
		}
	}
	if (r == 0) {
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW,
				     SCMP_SYS(socket), 1,
				     SCMP_A0(SCMP_CMP_EQ, AF_UNIX));
	}
	return r;
}

void agent_confine(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int r = filter ? 0 : -ENOMEM;

	/* The copying thread too. */
	if (r == 0) {
		r = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
	}
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
		r = -errno;
	}
	if (r == 0) {
		r = allow_all(filter);
	}
	if (r < 0 || seccomp_load(filter) < 0) {
		log_error("cannot confine the content agent");
		exit(1);
	}
	seccomp_release(filter);
}
