/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/eng_confine.h"

#include <errno.h>
#include <grp.h>
#include <seccomp.h>
#include <stdlib.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/log.h"

/* All that keeper and worker call once they run; written once, with why. */
static const char *const allowed_calls[] = {
	/* events, answers, marks, identity */
	"read", "write", "writev", "fanotify_mark", "statx", "newfstatat",
	"fstat", "fstatfs", "readlinkat", "fcntl", "fgetxattr", "pread64",
	"close",
	/* products and viewers */
	"sendmsg", "recvmsg", "sendto", "recvfrom", "accept4", "socketpair",
	"pipe2", "getsockopt", "setsockopt", "shutdown", "memfd_create",
	"ftruncate", "lseek", "dup",
	/* waiting, time, threads */
	"poll", "timerfd_settime", "futex", "clock_gettime", "clock_nanosleep",
	"nanosleep", "gettimeofday", "setpriority", "sched_getaffinity",
	"clone", "clone3", "set_robust_list", "rseq", "set_tid_address",
	"membarrier", "restart_syscall", "getcpu", "gettid", "getpid",
	"getppid", "getuid", "geteuid",
	/* memory */
	"mmap", "munmap", "mprotect", "madvise", "mremap", "brk", "mlockall",
	"mlock", "getrandom", "prlimit64",
	/* the keeper and the end */
	"kill", "tgkill", "wait4", "waitid", "rt_sigprocmask", "rt_sigaction",
	"rt_sigtimedwait", "rt_sigreturn", "sigaltstack", "prctl", "exit",
	"exit_group", "sysinfo",
};

static _Noreturn void confine_failed(const char *what)
{
	log_error("cannot confine the engine: %s: %m", what);
	exit(1);
}

static void confine_capabilities(uint32_t uid, uint32_t gid)
{
	const cap_value_t kept[] = { CAP_DAC_READ_SEARCH, CAP_LEASE };
	cap_t caps = cap_init();

	for (int c = 0; prctl(PR_CAPBSET_READ, c) >= 0; c++) {
		if (prctl(PR_CAPBSET_DROP, c) < 0) {
			confine_failed("bounding set");
		}
	}
	if (prctl(PR_SET_KEEPCAPS, 1) < 0 || setgroups(0, NULL) < 0 ||
	    setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0) {
		confine_failed("uid");
	}
	if (!caps || cap_set_flag(caps, CAP_PERMITTED, 2, kept, CAP_SET) < 0 ||
	    cap_set_flag(caps, CAP_EFFECTIVE, 2, kept, CAP_SET) < 0 ||
	    cap_set_proc(caps) < 0) {
		confine_failed("capabilities");
	}
	cap_free(caps);
}

static void confine_calls(bool reads_proc)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));

	if (!filter) {
		confine_failed("system-call filter");
	}
	for (size_t i = 0; i < sizeof(allowed_calls) / sizeof(*allowed_calls);
	     i++) {
		int nr = seccomp_syscall_resolve_name(allowed_calls[i]);

		if (nr != __NR_SCMP_ERROR &&
		    seccomp_rule_add(filter, SCMP_ACT_ALLOW, nr, 0) < 0) {
			confine_failed(allowed_calls[i]);
		}
	}
	if (reads_proc &&
	    seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(openat), 0) < 0) {
		confine_failed("openat");
	}
	if (seccomp_load(filter) < 0) {
		confine_failed("system-call filter");
	}
	seccomp_release(filter);
}

void eng_confine(uint32_t uid, uint32_t gid, bool reads_proc)
{
	confine_capabilities(uid, gid);
	if (prctl(PR_SET_DUMPABLE, 0) < 0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
		confine_failed("dumpable, no_new_privs");
	}
	confine_calls(reads_proc);
}
