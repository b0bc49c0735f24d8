/* SPDX-License-Identifier: Apache-2.0 */
/* The engine's half of the process tracepoints; see source_process_ring.h. */
#include "broker/source_process_ring.h"

#include <linux/bpf.h>
#include <sys/mman.h>

#define SPINS 2000u                     /* some 20 us to 100 us */
#define HEAD offsetof(struct process_record, path)

static inline void relax(void)
{
#ifdef __x86_64__
	__builtin_ia32_pause();
#endif
}

static size_t page_bytes(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

static int map(int fd, size_t bytes, int protection, size_t offset,
	       void **ret_memory)
{
	void *memory = mmap(NULL, bytes, protection, MAP_SHARED, fd,
			    (off_t)offset);

	if (memory == MAP_FAILED) {
		return result_errno();
	}
	*ret_memory = memory;
	return 0;
}

static void unmap(const void *memory, size_t bytes)
{
	if (memory) {
		munmap((void *)(uintptr_t)memory, bytes);
	}
}

int process_ring_init(struct process_ring *ret_ring, int ring_fd,
		      int counters_fd, size_t bytes)
{
	struct process_ring ring = { .mask = bytes - 1 };
	size_t page = page_bytes();
	void *memory;
	int r;

	if (bytes < page || (bytes & (bytes - 1))) {
		return -EINVAL;
	}
	r = map(ring_fd, page, PROT_READ | PROT_WRITE, 0, &memory);
	if (r < 0) {
		return r;
	}
	ring.consumer = memory;
	r = map(ring_fd, page + 2 * bytes, PROT_READ, page, &memory);
	if (r < 0) {
		process_ring_fini(&ring);
		return r;
	}
	ring.producer = memory;
	ring.data = (const unsigned char *)memory + page;
	r = map(counters_fd, page, PROT_READ | PROT_WRITE, 0, &memory);
	if (r < 0) {
		process_ring_fini(&ring);
		return r;
	}
	ring.counters = memory;
	*ret_ring = ring;
	return 0;
}

void process_ring_fini(struct process_ring *ring)
{
	size_t page = page_bytes();

	unmap(ring->consumer, page);
	unmap(ring->producer, page + 2 * (ring->mask + 1));
	unmap(ring->counters, page);
	*ring = (struct process_ring){ .mask = 0 };
}

/* The length word of the record at `position`, without its busy bit if that
 * falls in time. */
static uint32_t settled_length(const struct process_ring *ring,
			       uint64_t position)
{
	const uint32_t *head = (const void *)(ring->data +
					      (position & ring->mask));
	uint32_t length = __atomic_load_n(head, __ATOMIC_ACQUIRE);

	for (unsigned int i = 0; i < SPINS && length & BPF_RINGBUF_BUSY_BIT;
	     i++) {
		relax();
		length = __atomic_load_n(head, __ATOMIC_ACQUIRE);
	}
	return length;
}

int process_ring_drain(struct process_ring *ring, process_ring_apply *apply,
		       void *context)
{
	uint64_t position = __atomic_load_n(ring->consumer, __ATOMIC_RELAXED);
	uint64_t end = __atomic_load_n(ring->producer, __ATOMIC_ACQUIRE);

	while (position < end) {
		uint32_t head = settled_length(ring, position);
		uint32_t length = head & ~BPF_RINGBUF_DISCARD_BIT;
		const unsigned char *record = ring->data + BPF_RINGBUF_HDR_SZ +
			(position & ring->mask);

		if (head & BPF_RINGBUF_BUSY_BIT) {
			return PROCESS_RING_BUSY;
		}
		if (length < HEAD || length > sizeof(struct process_record)) {
			return -EBADMSG;
		}
		if (!(head & BPF_RINGBUF_DISCARD_BIT)) {
			apply(context, (const void *)record, length);
		}
		position += (length + BPF_RINGBUF_HDR_SZ + 7) & ~7ull;
		__atomic_store_n(ring->consumer, position, __ATOMIC_RELEASE);
	}
	return 0;
}

uint64_t process_ring_lost(const struct process_ring *ring)
{
	return __atomic_load_n(&ring->counters->lost, __ATOMIC_RELAXED);
}

void process_ring_wake(struct process_ring *ring, uint64_t bytes)
{
	__atomic_store_n(&ring->counters->wake_bytes, bytes, __ATOMIC_RELAXED);
}
