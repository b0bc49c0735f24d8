/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/lib/ns_env.h - a place where a permission mark can hurt nobody
 *
 * A permission mark on a file system that the machine lives on can hang the
 * machine. So each test that marks anything does it here: a private mount
 * namespace, with a tmpfs of its own at `tree`. The namespace is held by a
 * descriptor and by the processes in it: when the test ends, however it ends,
 * the kernel takes both away.
 *
 * Threads: one. Nothing here is fast, nothing here needs to be.
 */
#ifndef NS_ENV_H
#define NS_ENV_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct ns_env {
	char base[64];          /* ordinary directory, 0711, unmarked */
	char tree[80];          /* tmpfs in the namespace; what is watched */
	char state[80];         /* 0700, ours: for --state */
	int mount_ns;           /* owned; -1 none */
};

/* Makes the directories and the namespace. size: of the tmpfs ("64m"). From
 * now on the caller gets a SIGTERM when its parent dies: a script or a test
 * runner that is killed hard leaves nobody behind who goes on asking. */
int ns_env_init(struct ns_env *ret_env, const char *size)
	__attribute__((warn_unused_result));
/* Gives up the namespace, removes the directories. Processes in it are the
 * caller's to end first. Safe on an environment that was never made. */
void ns_env_fini(struct ns_env *env);

/*
 * fork() into the namespace. In the child: 0, standing in tree, to be killed
 * when the caller dies. In the caller: the pid, or a negated errno.
 */
pid_t ns_env_fork(const struct ns_env *env)
	__attribute__((warn_unused_result));

/* Writes a file in the namespace (a child does it). owner: uid and gid. */
int ns_env_write(const struct ns_env *env, const char *path, const void *bytes,
		 size_t length, unsigned mode, uid_t owner)
	__attribute__((warn_unused_result));

/* In a forked child: give up root for uid, and still die with the parent. */
int ns_become(uid_t uid) __attribute__((warn_unused_result));

/*
 * Waits for a child of ours at most limit_ms; then kills it. Returns 0 with
 * its wait status, or -ETIMEDOUT (it was killed and reaped), -EINTR when
 * ns_stopped() became true.
 */
int ns_wait(pid_t pid, int limit_ms, int *ret_status)
	__attribute__((warn_unused_result));
/* Signal, then up to grace_ms, then SIGKILL; reaps. pid <= 0: nothing. */
void ns_end(pid_t pid, int signal_number, int grace_ms);

/* SIGINT, SIGTERM and SIGHUP set a flag instead of ending us, so that what
 * was started is ended too. */
void ns_catch_signals(void);
bool ns_stopped(void);

void ns_sleep_ms(unsigned ms);
uint64_t ns_now_ns(void);

#endif
