/* SPDX-License-Identifier: Apache-2.0 */
/*
 * eng_map.c - all that workers share, mapped once
 *
 * Keeper, before it drops privilege: the engine's block, the products' regions,
 * the cache, the table of processes, the rings of decisions. What fails here
 * is said, and ends the process: the monitor starts another. Tests call it
 * too, with stand-ins on the descriptors HANDOFF_FD_*.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/timerfd.h>
#include <sys/stat.h>

#include "base/log.h"
#include "broker/eng.h"

static void *map_shared(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED) {
		log_error("no memory for the engine: %m");
		exit(1);
	}
	return memory;
}

static int region_file(const char *name, size_t size)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || ftruncate(fd, (off_t)size) < 0) {
		log_error("cannot make a region: %m");
		exit(1);
	}
	return fd;
}

static void *region_map(int fd, size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			    0);

	if (memory == MAP_FAILED) {
		log_error("cannot map a region: %m");
		exit(1);
	}
	return memory;
}

/* Seals come after our own writable mapping of the events; the product gets a
 * read-only description besides. */
static void region_init(struct region *r)
{
	char path[32];

	r->events_fd = region_file("bailey-events", WIRE_EVENTS_BYTES);
	r->events = region_map(r->events_fd, WIRE_EVENTS_BYTES);
	r->answers_fd = region_file("bailey-answers", WIRE_ANSWERS_BYTES);
	r->answers = region_map(r->answers_fd, WIRE_ANSWERS_BYTES);
	if (fcntl(r->events_fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW |
		  F_SEAL_FUTURE_WRITE | F_SEAL_SEAL) < 0 ||
	    fcntl(r->answers_fd, F_ADD_SEALS,
		  F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0) {
		log_error("cannot seal a region: %m");
		exit(1);
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", r->events_fd);
	r->events_ro_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (r->events_ro_fd < 0) {
		log_error("cannot open a region read-only: %m");
		exit(1);
	}
}

static void map_ours(struct engine *e, int fd)
{
	if (fd >= 0 && fd < (int)HANDOFF_FDS) {
		e->ours[fd] = 1;
	}
}

static void map_decisions(struct decisions *d, uint32_t size)
{
	d->size = size;
	d->entry = map_shared(sizeof(*d->entry) * size);
}

/* The record of denials is in the monitor's memfd: it outlives a keeper. */
static struct view_decision *map_denials(void)
{
	void *memory = mmap(NULL, HANDOFF_RECORD_BYTES, PROT_READ | PROT_WRITE,
			    MAP_SHARED, HANDOFF_FD_RECORD, 0);

	if (memory == MAP_FAILED) {
		log_error("no record of denials: %m");
		exit(1);
	}
	return memory;
}

static void map_pipe(struct engine *e, int fd[2])
{
	if (pipe2(fd, O_CLOEXEC | O_NONBLOCK) < 0) {
		log_error("cannot make a pipe: %m");
		exit(1);
	}
	map_ours(e, fd[0]);
	map_ours(e, fd[1]);
}

static void map_timer(struct engine *e)
{
	e->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (e->timer < 0) {
		log_error("cannot make a timer: %m");
		exit(1);
	}
	map_ours(e, e->timer);
	e->armed.ns = e->close_at.ns = UINT64_MAX;
}

static void map_sessions(struct engine *e)
{
	for (uint32_t i = 0; i < HANDOFF_PRODUCTS; i++) {
		struct session *s = &e->session[i];

		region_init(&e->region[i]);
		map_ours(e, e->region[i].events_fd);
		map_ours(e, e->region[i].events_ro_fd);
		map_ours(e, e->region[i].answers_fd);
		s->index = i;
		s->view.index = i;
		s->product = i;
		s->asked = s->asked_told = i;
		s->content = s->hung = -1;
		s->probe = QUESTION_NONE;
		s->socket = s->files = s->wake_product = s->wake_engine = -1;
		s->directory[0] = s->directory[1] = s->directory[2] = -1;
		s->rules.fd = -1;
	}
}

struct engine *eng_map(struct handoff_table *table)
{
	struct engine *e = map_shared(sizeof(*e));

	e->table = table;
	e->processors = (uint32_t)sysconf(_SC_NPROCESSORS_ONLN);
	if (getrandom(&e->seed, sizeof(e->seed), 0) != sizeof(e->seed)) {
		log_error("no random seed: %m");
		exit(1);
	}
	/* Event ids differ between keepers: a late answer must not fit. */
	e->next_id = e->seed >> 16 << 16 >> 2;
	e->current = QUESTION_NONE;
	e->view.keeper_pid = getpid();
	e->admin.fd = -1;
	atomic_store(&e->epoch, 1);
	e->cache = map_shared(sizeof(*e->cache) * ENG_CACHE_ENTRIES);
	e->processes = map_shared(process_table_bytes());
	process_table_init(e->processes);
	e->denials = (struct decisions){ .size = ENG_DENIALS,
					 .entry = map_denials() };
	atomic_store(&e->denials.head, atomic_load(&table->denials));
	map_decisions(&e->events, ENG_EVENTS);
	eng_cache_remember(e);
	map_pipe(e, e->kick_reply);
	map_timer(e);
	map_pipe(e, e->kick_service);
	map_sessions(e);
	if ((table->features & HANDOFF_HAS_BPF) &&
	    process_ring_init(&e->ring, HANDOFF_FD_PROCESS_RING,
			      HANDOFF_FD_PROCESS_LOST, PROCESS_RING_BYTES)) {
		log_warning("no process records: cannot map their ring");
		table->features &= ~HANDOFF_HAS_BPF;
	}
	if (table->features & HANDOFF_HAS_BPF) {
		process_ring_wake(&e->ring, PROCESS_RING_BYTES / 2);
	}
	eng_mounts_read(e);
	return e;
}
