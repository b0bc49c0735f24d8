/* SPDX-License-Identifier: Apache-2.0 */
/*
 * broker/helper_own.c - our own processes, known before they touch a file
 *
 * The engine allows what a registered pid asks. A child waits at a gate (a
 * pipe) until its number stands in the table; if its parent dies first the
 * gate closes and it ends.
 */
#include "broker/helper_internal.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

static struct handoff_table *own_table;

void own_init(struct handoff_table *table)
{
	own_table = table;
}

static int own_put(pid_t pid)
{
	for (uint32_t i = 0; i < HANDOFF_OWN; i++) {
		int32_t none = 0;
		uint32_t count;

		if (!atomic_compare_exchange_strong(&own_table->own[i], &none,
						    pid)) {
			continue;
		}
		count = atomic_load(&own_table->own_count);
		while (count < i + 1 &&
		       !atomic_compare_exchange_weak(&own_table->own_count,
						     &count, i + 1)) {
		}
		return 0;
	}
	return -ENOSPC;
}

/* Full: numbers of the dead that nobody has taken out yet give way. */
int own_add(pid_t pid)
{
	int r = own_put(pid);

	if (r < 0) {
		own_sweep();
		r = own_put(pid);
	}
	return r;
}

void own_remove(pid_t pid)
{
	for (uint32_t i = 0; i < HANDOFF_OWN; i++) {
		int32_t wanted = pid;

		if (atomic_compare_exchange_strong(&own_table->own[i], &wanted,
						   0)) {
			return;
		}
	}
}

void own_sweep(void)
{
	for (uint32_t i = 0; i < HANDOFF_OWN; i++) {
		int32_t pid = atomic_load(&own_table->own[i]);

		if (pid > 0 && kill(pid, 0) < 0 && errno == ESRCH) {
			own_remove(pid);
		}
	}
}

pid_t own_fork(void)
{
	int gate[2];
	pid_t pid;
	char go = 0;

	if (pipe2(gate, O_CLOEXEC) < 0) {
		return -1;
	}
	pid = fork();
	if (pid == 0) {
		close(gate[1]);
		if (read(gate[0], &go, 1) != 1) {
			_exit(125);
		}
		close(gate[0]);
		return 0;
	}
	close(gate[0]);
	if (pid > 0 && (own_add(pid) < 0 || write(gate[1], "g", 1) != 1)) {
		close(gate[1]);         /* it ends at its gate */
		(void)waitpid(pid, NULL, 0);
		own_remove(pid);
		errno = EAGAIN;
		return -1;
	}
	close(gate[1]);
	return pid;
}
