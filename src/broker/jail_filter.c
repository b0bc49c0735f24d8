/* SPDX-License-Identifier: Apache-2.0 */
/*
 * broker/jail_filter.c - the system calls that a product may make
 *
 * An allow list, one row a call, with the profiles that have it; calls with
 * limits on their arguments stand in filter_add_limited(). Everything else is
 * refused with EPERM, not with a kill: a library that probes for something
 * carries on, and an author sees an errno where he would see a corpse. What is
 * refused is refused either way.
 *
 * Descriptors that come with questions are one open file description for all:
 * so lseek, flock, fcntl beyond three commands, ioctl, fadvise, xattr and mode
 * changes by descriptor, fchdir and splice are not here (api.md).
 *
 * The one execve: a filter cannot count, and it must be in place before the
 * program runs. execve is allowed only if its *sixth* argument, which the
 * kernel ignores, holds 64 random bits that exist in this process until the
 * exec replaces its memory (docs/decisions/011-jail.md).
 */
#include "broker/jail.h"

#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#define FILTER_PROFILE(p) (1u << MANIFEST_PROFILE_##p)
#define FILTER_ALL (FILTER_PROFILE(C) | FILTER_PROFILE(GO) |                  \
		    FILTER_PROFILE(RUST) | FILTER_PROFILE(PYTHON) |           \
		    FILTER_PROFILE(JVM))
/* Programs that make code at run time, or load what we cannot foresee. */
#define FILTER_JIT FILTER_PROFILE(JVM)
#define FILTER_RUNTIME (FILTER_PROFILE(GO) | FILTER_PROFILE(PYTHON) |         \
			FILTER_PROFILE(JVM))

#define FILTER_TABLE(X)                                                       \
	/* reading and writing what is open */                                \
	X(read, ALL) X(write, ALL) X(readv, ALL) X(writev, ALL)               \
	X(pread64, ALL) X(preadv, ALL) X(preadv2, ALL)                        \
	X(pwrite64, ALL) X(pwritev, ALL) X(pwritev2, ALL)                     \
	X(close, ALL) X(close_range, ALL) X(dup, ALL) X(dup2, ALL)            \
	X(dup3, ALL) X(fstat, ALL) X(newfstatat, ALL) X(statx, ALL)           \
	X(stat, ALL) X(lstat, ALL) X(fstatfs, ALL) X(statfs, ALL)             \
	/* opening below what was handed over */                              \
	X(open, ALL) X(openat, ALL) X(openat2, ALL) X(access, ALL)            \
	X(faccessat, ALL) X(faccessat2, ALL) X(readlink, ALL)                 \
	X(readlinkat, ALL) X(getdents64, ALL) X(getcwd, ALL) X(umask, ALL)    \
	/* the state directory */                                             \
	X(mkdirat, ALL) X(unlinkat, ALL) X(renameat, ALL) X(renameat2, ALL)   \
	X(ftruncate, ALL) X(fsync, ALL) X(fdatasync, ALL) X(symlinkat, ALL)   \
	X(mkdir, ALL) X(unlink, ALL) X(rmdir, ALL) X(rename, ALL)             \
	/* waiting */                                                         \
	X(poll, ALL) X(ppoll, ALL) X(select, ALL) X(pselect6, ALL)            \
	X(epoll_create1, ALL) X(epoll_create, ALL) X(epoll_ctl, ALL)          \
	X(epoll_wait, ALL) X(epoll_pwait, ALL) X(epoll_pwait2, ALL)           \
	X(eventfd2, ALL) X(pipe, ALL) X(pipe2, ALL) X(timerfd_create, ALL)    \
	X(timerfd_settime, ALL) X(timerfd_gettime, ALL) X(signalfd4, ALL)     \
	X(nanosleep, ALL) X(clock_nanosleep, ALL) X(pause, ALL)               \
	/* the session */                                                     \
	X(sendmsg, ALL) X(recvmsg, ALL) X(sendto, ALL) X(recvfrom, ALL)       \
	X(sendmmsg, ALL) X(recvmmsg, ALL) X(shutdown, ALL)                    \
	X(getsockopt, ALL) X(getsockname, ALL) X(getpeername, ALL)            \
	/* memory; mmap and mprotect are limited below */                     \
	X(munmap, ALL) X(mremap, ALL) X(madvise, ALL) X(brk, ALL)             \
	X(mlock, ALL) X(munlock, ALL) X(mincore, ALL) X(msync, ALL)           \
	X(membarrier, ALL) X(memfd_create, RUNTIME)                           \
	X(get_mempolicy, RUNTIME)                                             \
	/* threads; clone is limited below */                                 \
	X(futex, ALL) X(futex_waitv, ALL) X(set_robust_list, ALL)             \
	X(get_robust_list, ALL) X(rseq, ALL) X(set_tid_address, ALL)          \
	X(arch_prctl, ALL) X(sched_yield, ALL) X(sched_getaffinity, ALL)      \
	X(sched_setaffinity, RUNTIME) X(sched_getparam, ALL)                  \
	X(sched_getscheduler, ALL) X(sched_get_priority_max, ALL)             \
	X(sched_get_priority_min, ALL) X(getcpu, ALL) X(fork, ALL)            \
	X(vfork, ALL) X(wait4, ALL) X(waitid, ALL) X(exit, ALL)               \
	X(exit_group, ALL) X(restart_syscall, ALL)                            \
	/* signals, within the pid namespace */                               \
	X(rt_sigaction, ALL) X(rt_sigprocmask, ALL) X(rt_sigreturn, ALL)      \
	X(rt_sigsuspend, ALL) X(rt_sigtimedwait, ALL) X(rt_sigpending, ALL)   \
	X(sigaltstack, ALL) X(kill, ALL) X(tgkill, ALL) X(tkill, ALL)         \
	X(alarm, ALL) X(setitimer, ALL) X(getitimer, ALL)                     \
	X(timer_create, ALL) X(timer_settime, ALL) X(timer_gettime, ALL)      \
	X(timer_delete, ALL) X(timer_getoverrun, ALL)                         \
	/* facts */                                                           \
	X(getpid, ALL) X(gettid, ALL) X(getppid, ALL) X(getuid, ALL)          \
	X(geteuid, ALL) X(getgid, ALL) X(getegid, ALL) X(getresuid, ALL)      \
	X(getresgid, ALL) X(getgroups, ALL) X(getpgrp, ALL) X(getsid, ALL)    \
	X(capget, ALL) X(getrlimit, ALL) X(getrusage, ALL) X(times, ALL)      \
	X(getrandom, ALL) X(clock_gettime, ALL) X(clock_getres, ALL)          \
	X(gettimeofday, ALL) X(time, ALL) X(uname, ALL) X(sysinfo, ALL)

struct filter_row {
	int number;
	uint32_t profiles;
};

static const struct filter_row filter_rows[] = {
#define FILTER_ROW(name, profiles) { SCMP_SYS(name), FILTER_##profiles },
	FILTER_TABLE(FILTER_ROW)
#undef FILTER_ROW
};

/* Commands of fcntl and prctl that change nothing for others. */
static const int filter_fcntl[] = { F_GETFD, F_GETFL, F_DUPFD_CLOEXEC };
static const int filter_prctl[] = {
	PR_SET_NAME, PR_GET_NAME, PR_GET_DUMPABLE, PR_GET_PDEATHSIG,
	PR_GET_NO_NEW_PRIVS, PR_GET_SECCOMP, PR_CAPBSET_READ,
	PR_GET_SECUREBITS, 0x53564d41 /* PR_SET_VMA, 5.17: names a mapping */
};

#define FILTER_COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define FILTER_NAMESPACES                                                     \
	(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |          \
	 CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWCGROUP | 0x80 /* NEWTIME */)

static int filter_add_second(scmp_filter_ctx filter, int number,
			     unsigned argument, const int *values, size_t count)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < count; i++) {
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 1,
				     SCMP_CMP32(argument, SCMP_CMP_EQ,
						(uint32_t)values[i], 0));
	}
	return r;
}

/* Memory is never writable and executable at once, and never becomes
 * executable later; code comes from files, and writable files lie on noexec
 * mounts. */
static int filter_add_memory(scmp_filter_ctx filter, uint32_t profile)
{
	const uint64_t code = PROT_WRITE | PROT_EXEC;
	int r;

	if (1u << profile & FILTER_JIT) {
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 0);
		return r < 0 ? r : seccomp_rule_add(filter, SCMP_ACT_ALLOW,
						    SCMP_SYS(mprotect), 0);
	}
	r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
			     SCMP_A2_64(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	if (r == 0) {
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
				     SCMP_A2_64(SCMP_CMP_MASKED_EQ, code,
						PROT_EXEC));
	}
	if (r == 0) {
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW,
				     SCMP_SYS(mprotect), 1,
				     SCMP_A2_64(SCMP_CMP_MASKED_EQ, PROT_EXEC,
						0));
	}
	return r;
}

static int filter_add_limited(scmp_filter_ctx filter, uint32_t profile,
			      uint64_t secret)
{
	int r = filter_add_memory(filter, profile);

	if (r == 0) {
		r = filter_add_second(filter, SCMP_SYS(fcntl), 1, filter_fcntl,
				      FILTER_COUNT(filter_fcntl));
	}
	if (r == 0) {
		r = filter_add_second(filter, SCMP_SYS(prctl), 0, filter_prctl,
				      FILTER_COUNT(filter_prctl));
	}
	if (r == 0) {
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
				     SCMP_A0_64(SCMP_CMP_MASKED_EQ,
						FILTER_NAMESPACES |
						CLONE_PARENT, 0));
	}
	if (r == 0) {   /* its flags lie in memory: libc falls back to clone */
		r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS),
				     SCMP_SYS(clone3), 0);
	}
	if (r == 0) {   /* read limits, set none */
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW,
				     SCMP_SYS(prlimit64), 1,
				     SCMP_A2_64(SCMP_CMP_EQ, 0, 0));
	}
	if (r == 0) {
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(execve),
				     1, SCMP_A5_64(SCMP_CMP_EQ, secret, 0));
	}
	return r;
}

static int filter_fill(scmp_filter_ctx filter, uint32_t profile,
		       uint64_t secret)
{
	int r = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);

	if (r == 0) {
		r = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH,
				     SCMP_ACT_KILL_PROCESS);
	}
	for (size_t i = 0; r == 0 && i < FILTER_COUNT(filter_rows); i++) {
		if (filter_rows[i].profiles & 1u << profile &&
		    filter_rows[i].number >= 0) {
			r = seccomp_rule_add(filter, SCMP_ACT_ALLOW,
					     filter_rows[i].number, 0);
		}
	}
	return r < 0 ? r : filter_add_limited(filter, profile, secret);
}

int jail_filter_load(uint32_t profile, uint64_t secret)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int r;

	if (!filter) {
		return -ENOMEM;
	}
	r = filter_fill(filter, profile, secret);
	if (r == 0) {
		r = seccomp_load(filter);
	}
	seccomp_release(filter);
	return r;
}
