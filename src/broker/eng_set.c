/* SPDX-License-Identifier: Apache-2.0 */
/*
 * eng_set.c - named collections that a product's rules refer to
 *
 * Service thread. A change is made on a copy on the heap; commit sorts it,
 * drops doubles, writes it to a memfd (so that a successor has it) and
 * publishes the mapping in one step. Look-up by the reply thread is a binary
 * search: twenty steps for a million. At most ENG_SETS a product, SET_MEMBERS
 * each; what is over is refused with the errno of the request.
 */
#include "broker/eng_set.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define SET_MEMBERS (4u * 1024u * 1024u)

static size_t set_member_size(uint32_t kind)
{
	return kind == BAILEY_COLLECTION_SHA256   ? 32
	       : kind == BAILEY_COLLECTION_NUMBER ? sizeof(uint64_t)
						  : 0;
}

/* The change that is open, one a session; the service thread's own heap. */
static struct change {
	bool open;
	uint32_t set;
	size_t size;            /* of a member */
	size_t count, room;
	char *members;
} changes[HANDOFF_PRODUCTS];

static size_t compare_size;

static int member_compare(const void *a, const void *b)
{
	return memcmp(a, b, compare_size);
}

int eng_set_index(const void *context, const char *name)
{
	const struct session *s = context;

	for (int i = 0; i < (int)ENG_SETS; i++) {
		if (s->set[i].name[0] && strcmp(s->set[i].name, name) == 0) {
			return i;
		}
	}
	return -1;
}

bool eng_set_contains(const void *context, uint32_t index, const void *member,
		      size_t size)
{
	const struct session *s = context;
	const struct set_block *b;
	size_t low = 0, high;

	if (index >= ENG_SETS) {
		return false;
	}
	b = atomic_load_explicit(&s->set[index].block, memory_order_acquire);
	high = b && b->size == size ? b->count : 0;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int c = memcmp(member, b->members + middle * size, size);

		if (c == 0) {
			return true;
		}
		if (c < 0) {
			high = middle;
		} else {
			low = middle + 1;
		}
	}
	return false;
}

static int change_room(struct change *c, size_t more)
{
	size_t room = c->room ? c->room : 1024;
	char *members;

	if (more > SET_MEMBERS - c->count) {
		return E2BIG;
	}
	while (room < c->count + more) {
		room *= 2;
	}
	if (room == c->room) {
		return 0;
	}
	members = realloc(c->members, room * c->size);
	if (!members) {
		return ENOMEM;
	}
	c->members = members;
	c->room = room;
	return 0;
}

int eng_set_begin(struct session *s, const struct wire_set *request)
{
	struct change *c = &changes[s->index];
	const struct set_block *old;
	int index, error;

	if (c->open) {
		return EBUSY;
	}
	if (!set_member_size(request->kind) || !request->name[0] ||
	    !memchr(request->name, 0, sizeof(request->name))) {
		return EINVAL;
	}
	index = eng_set_index(s, request->name);
	for (int i = 0; index < 0 && i < (int)ENG_SETS; i++) {
		index = s->set[i].name[0] ? -1 : i;
	}
	if (index < 0) {
		return BAILEY_E_FULL;
	}
	*c = (struct change){ .open = true, .set = (uint32_t)index,
			      .size = set_member_size(request->kind) };
	memcpy(s->set[index].name, request->name, sizeof(request->name));
	old = s->set[index].block;
	if (old && old->size == c->size) {
		error = change_room(c, old->count);
		if (error) {
			eng_set_abandon(s);
			return error;
		}
		memcpy(c->members, old->members, old->count * old->size);
		c->count = old->count;
	}
	return 0;
}

int eng_set_add(struct session *s, const void *members, size_t bytes)
{
	struct change *c = &changes[s->index];
	size_t count;
	int error;

	if (!c->open || bytes % c->size) {
		return EINVAL;
	}
	count = bytes / c->size;
	error = change_room(c, count);
	if (error) {
		return error;
	}
	memcpy(c->members + c->count * c->size, members, bytes);
	c->count += count;
	return 0;
}

static void change_sort(struct change *c)
{
	size_t kept = 0;

	compare_size = c->size;
	if (c->count) {
		qsort(c->members, c->count, c->size, member_compare);
	}
	for (size_t i = 0; i < c->count; i++) {
		const char *m = c->members + i * c->size;

		if (!kept || memcmp(c->members + (kept - 1) * c->size, m,
				    c->size) != 0) {
			memmove(c->members + kept++ * c->size, m, c->size);
		}
	}
	c->count = kept;
}

int eng_set_remove(struct session *s, const void *members, size_t bytes)
{
	struct change *c = &changes[s->index];
	size_t kept = 0;

	if (!c->open || bytes % c->size) {
		return EINVAL;
	}
	change_sort(c);
	for (size_t i = 0; i < bytes; i += c->size) {
		char *at = c->count ? bsearch((const char *)members + i,
					      c->members, c->count, c->size,
					      member_compare) : NULL;

		if (at) {
			kept = (size_t)(at - c->members) / c->size;
			memmove(at, at + c->size,
				(c->count - kept - 1) * c->size);
			c->count--;
		}
	}
	return 0;
}

static const struct set_block *set_map(int fd)
{
	struct set_block head;
	void *memory;

	if (pread(fd, &head, sizeof(head), 0) != sizeof(head)) {
		return NULL;
	}
	memory = mmap(NULL, sizeof(head) + head.count * head.size, PROT_READ,
		      MAP_PRIVATE, fd, 0);
	return memory == MAP_FAILED ? NULL : memory;
}

static int set_write(int fd, const void *bytes, size_t size)
{
	for (size_t at = 0; at < size;) {
		ssize_t n = write(fd, (const char *)bytes + at, size - at);

		if (n <= 0) {
			return ENOSPC;
		}
		at += (size_t)n;
	}
	return 0;
}

static void set_unmap(struct engine *e, const struct set_block *block, int fd)
{
	if (block) {
		munmap((void *)(uintptr_t)block,
		       sizeof(*block) + block->count * block->size);
		e->ours[fd] = 0;
		close(fd);
	}
}

int eng_set_commit(struct engine *e, struct session *s)
{
	struct change *c = &changes[s->index];
	struct set *set = &s->set[c->set];
	struct set_block head = { .size = c->size };
	const struct set_block *old = set->block, *block = NULL;
	int old_fd = set->fd, fd;

	if (!c->open) {
		return EINVAL;
	}
	change_sort(c);
	head.count = c->count;
	fd = memfd_create("bailey-set", MFD_CLOEXEC);
	if (fd >= 0 && !set_write(fd, &head, sizeof(head)) &&
	    !set_write(fd, c->members, c->count * c->size)) {
		block = set_map(fd);
	}
	eng_set_abandon(s);
	if (!block) {
		fd_closep(&fd);
		return ENOMEM;
	}
	e->ours[fd] = 1;
	set->fd = fd;
	atomic_store_explicit(&set->block, block, memory_order_release);
	eng_rules_changed(e);
	eng_reply_kick(e);
	eng_grace(e);
	set_unmap(e, old, old_fd);
	return 0;
}

void eng_set_abandon(struct session *s)
{
	free(changes[s->index].members);
	changes[s->index] = (struct change){ 0 };
}

void eng_sets_drop(struct engine *e, struct session *s)
{
	for (size_t i = 0; i < ENG_SETS; i++) {
		const struct set_block *old = s->set[i].block;

		atomic_store(&s->set[i].block, NULL);
		eng_grace(e);
		set_unmap(e, old, s->set[i].fd);
		s->set[i].name[0] = '\0';
	}
}

void eng_sets_map(struct session *s)
{
	for (size_t i = 0; i < ENG_SETS; i++) {
		s->set[i].block = s->set[i].block ? set_map(s->set[i].fd)
						  : NULL;
	}
}
