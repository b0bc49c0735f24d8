/* SPDX-License-Identifier: Apache-2.0 */
/*
 * eng_program.c - compiled rules, kept in memfds so that successors have them
 *
 * A program is checked, mapped read-only and then published; the one before is
 * unmapped after a quiet point of the reply thread.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "broker/eng.h"
#include "broker/eng_set.h"

static int program_map(int fd, const struct rule_program **ret_rules,
		       size_t *ret_size)
{
	struct stat st;
	void *block;

	if (fstat(fd, &st) < 0) {
		return result_errno();
	}
	block = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (block == MAP_FAILED) {
		return result_errno();
	}
	if (rule_program_check(block, (size_t)st.st_size) < 0) {
		munmap(block, (size_t)st.st_size);
		return -EBADMSG;
	}
	*ret_rules = block;
	*ret_size = (size_t)st.st_size;
	return 0;
}

static void program_replace(struct engine *e, struct program *p,
			    const struct rule_program *rules, int fd,
			    size_t size)
{
	const struct rule_program *old = p->rules;
	int old_fd = p->fd;
	size_t old_size = p->size;

	p->fd = fd;
	p->size = size;
	atomic_store_explicit(&p->rules, rules, memory_order_release);
	eng_rules_changed(e);
	eng_reply_kick(e);
	eng_grace(e);
	if (old) {
		munmap((void *)(uintptr_t)old, old_size);
	}
	if (old_fd >= 0) {
		e->ours[old_fd] = 0;
		close(old_fd);
	}
}

int eng_program_set(struct engine *e, struct program *p, int fd)
{
	const struct rule_program *rules;
	int own, r;
	size_t size;

	r = program_map(fd, &rules, &size);
	if (r < 0) {
		return r;
	}
	own = fcntl(fd, F_DUPFD_CLOEXEC, HANDOFF_FD_END);
	if (own < 0) {
		r = result_errno();
		munmap((void *)(uintptr_t)rules, size);
		return r;
	}
	e->ours[own] = 1;
	program_replace(e, p, rules, own, size);
	return 0;
}

void eng_program_drop(struct engine *e, struct program *p)
{
	if (p->rules) {
		program_replace(e, p, NULL, -1, 0);
	}
}

static int program_again(struct program *p)
{
	const struct rule_program *rules = NULL;
	int r = 0;

	p->rules = NULL;
	if (p->fd >= 0) {
		r = program_map(p->fd, &rules, &p->size);
		p->rules = rules;
	}
	return r;
}

/* A new worker: mappings of the former one are gone, the memfds are not. */
int eng_programs_map(struct engine *e)
{
	int r = program_again(&e->admin);

	for (uint32_t i = 0; i < HANDOFF_PRODUCTS && r == 0; i++) {
		r = program_again(&e->session[i].rules);
		eng_sets_map(&e->session[i]);
	}
	return r;
}
