/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mon_confine.c - from the first mark on, nothing is opened or executed
 *
 * An open or exec by the monitor could ask the engine that waits for the
 * monitor. The filter refuses them with EPERM: a mistake shows, and hangs
 * nobody.
 */
#include <seccomp.h>
#include <stdlib.h>
#include <sys/prctl.h>

#include "base/log.h"
#include "broker/mon.h"

static const char *const allowed_calls[] = {
	/* the kernel's interfaces */
	"fanotify_mark", "read", "write", "writev", "pread64", "ioctl",
	"newfstatat", "fstat", "statx", "umount2",
	/* conversations */
	"sendmsg", "recvmsg", "sendto", "recvfrom", "socketpair", "accept4",
	"getsockopt", "setsockopt", "close", "shutdown", "fcntl", "unlink",
	/* children */
	"wait4", "waitid", "kill", "rt_sigprocmask", "rt_sigaction",
	"rt_sigreturn", "sigaltstack",
	/* waiting and time */
	"poll", "ppoll", "clock_gettime", "clock_getres", "gettimeofday",
	"restart_syscall", "setpriority",
	"clock_nanosleep", "nanosleep", "futex",
	/* itself */
	"brk", "mmap", "munmap", "mremap", "madvise", "mprotect", "getpid",
	"gettid", "getuid", "geteuid", "tgkill", "exit", "exit_group",
	"getrandom", "prctl", "rseq",
};

void mon_confine(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int r = filter ? prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) : -1;

	for (size_t i = 0;
	     r == 0 && i < sizeof(allowed_calls) / sizeof(*allowed_calls);
	     i++) {
		int nr = seccomp_syscall_resolve_name(allowed_calls[i]);

		if (nr != __NR_SCMP_ERROR) {
			r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, nr, 0);
		}
	}
	if (r < 0 || seccomp_load(filter) < 0) {
		log_error("cannot confine the monitor: %m");
		exit(1);
	}
	seccomp_release(filter);
}
