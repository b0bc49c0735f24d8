/* SPDX-License-Identifier: Apache-2.0 */
/*
 * broker/jail_rights.c - the new process gives up every right, for good
 *
 * Order matters: the bounding set and the securebits need CAP_SETPCAP, groups
 * need CAP_SETGID, so the uid changes last but for the capability sets
 * themselves, which are cleared and read back.
 */
#include "broker/jail.h"

#include <grp.h>
#include <linux/securebits.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

/* Everything off that can be, and every switch locked where it is. */
#define RIGHTS_SECUREBITS                                                     \
	(SECBIT_NOROOT | SECBIT_NOROOT_LOCKED |                               \
	 SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_KEEP_CAPS_LOCKED |            \
	 SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED)

static int rights_bounding(void)
{
	for (unsigned long c = 0; prctl(PR_CAPBSET_READ, c, 0, 0, 0) >= 0;
	     c++) {
		if (prctl(PR_CAPBSET_DROP, c, 0, 0, 0) < 0) {
			return result_errno();
		}
	}
	return 0;
}

static int rights_sets(void)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2];

	memset(data, 0, sizeof(data));
	if (syscall(SYS_capset, &header, data) < 0 ||
	    syscall(SYS_capget, &header, data) < 0) {
		return result_errno();
	}
	for (int i = 0; i < 2; i++) {
		if (data[i].permitted | data[i].effective |
		    data[i].inheritable) {
			return -EPERM;
		}
	}
	return 0;
}

int jail_rights_drop(uint32_t uid, int *ret_securebits)
{
	uid_t real, effective, saved;
	int r;

	if (uid == 0) {
		return -EINVAL;
	}
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	r = rights_bounding();
	if (r < 0) {
		return r;
	}
	*ret_securebits = prctl(PR_SET_SECUREBITS, RIGHTS_SECUREBITS) < 0 ?
			  errno : 0;
	if (setgroups(0, NULL) < 0 || setresgid(uid, uid, uid) < 0 ||
	    setresuid(uid, uid, uid) < 0) {
		return result_errno();
	}
	r = rights_sets();
	if (r < 0) {
		return r;
	}
	if (getresuid(&real, &effective, &saved) < 0 || real != uid ||
	    effective != uid || saved != uid) {
		return -EPERM;
	}
	return 0;
}

static int rights_limit(int resource, uint64_t value)
{
	struct rlimit limit;

	if (getrlimit((__rlimit_resource_t)resource, &limit) < 0) {
		return result_errno();
	}
	if (limit.rlim_max == RLIM_INFINITY || value < limit.rlim_max) {
		limit.rlim_max = (rlim_t)value;
	}
	limit.rlim_cur = limit.rlim_max;
	return setrlimit((__rlimit_resource_t)resource, &limit) < 0 ?
	       result_errno() : 0;
}

/* Never RLIMIT_AS: runtimes reserve address space that they do not use. */
int jail_limits_set(const struct manifest *manifest)
{
	const struct { int resource; uint64_t value; } limits[] = {
		/* 1, not 0: with a pipe as core_pattern the kernel ignores
		 * 0, and 1 is the documented way to say never. */
		{ RLIMIT_CORE, 1 },
		{ RLIMIT_NOFILE, manifest->files ? manifest->files : 256 },
		{ RLIMIT_NPROC, manifest->tasks ? manifest->tasks : 64 },
		{ RLIMIT_FSIZE, manifest->state_bytes },
		{ RLIMIT_MEMLOCK, 1u << 20 },
		{ RLIMIT_MSGQUEUE, 0 },
		{ RLIMIT_NICE, 0 },
		{ RLIMIT_RTPRIO, 0 },
		{ RLIMIT_SIGPENDING, 1024 },
	};
	int result = 0;

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		int r = rights_limit(limits[i].resource, limits[i].value);

		result = r < 0 ? r : result;
	}
	return result;
}
