/* SPDX-License-Identifier: Apache-2.0 */
/*
 * preflight_wire.c - regions, pipes, events out, answers in
 *
 * As the engine has them (proto/wire.h): both regions sealed, each end of a
 * pipe its own open file description, a copy of each answer checked. The
 * driver always counts as sleeping: each answer brings a byte.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "agent/preflight_run.h"
#include "base/pass.h"

static int region_new(const char *name, size_t size, int *ret_fd,
		      void **ret_base)
{
	void *base;

	*ret_fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (*ret_fd < 0 || ftruncate(*ret_fd, (off_t)size) < 0) {
		return result_errno();
	}
	base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, *ret_fd,
		    0);
	if (base == MAP_FAILED) {
		return result_errno();
	}
	*ret_base = base;
	return 0;
}

int wire_open(struct preflight_run *run)
{
	char path[32];
	void *base;
	int r;

	r = region_new("preflight-events", WIRE_EVENTS_BYTES, &run->events_fd,
		       &base);
	if (r < 0) {
		return r;
	}
	run->events = base;
	r = region_new("preflight-answers", WIRE_ANSWERS_BYTES,
		       &run->answers_fd, &base);
	if (r < 0) {
		return r;
	}
	run->answers = base;
	if (fcntl(run->events_fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW |
		  F_SEAL_FUTURE_WRITE | F_SEAL_SEAL) < 0 ||
	    fcntl(run->answers_fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW |
		  F_SEAL_SEAL) < 0) {
		return result_errno();
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", run->events_fd);
	run->events_ro_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (run->events_ro_fd < 0) {
		return result_errno();
	}
	run->events->version = WIRE_VERSION;
	run->events->slots = WIRE_SLOTS;
	run->events->slot_size = WIRE_SLOT_SIZE;
	atomic_store(&run->events->engine_sleeping, 1);
	return 0;
}

void wire_close(struct preflight_run *run)
{
	int *fds[] = { &run->session, &run->files, &run->wake_product,
		       &run->wake_engine, &run->events_fd, &run->events_ro_fd,
		       &run->answers_fd };

	for (size_t i = 0; i < sizeof(fds) / sizeof(*fds); i++) {
		fd_closep(fds[i]);
		*fds[i] = -1;
	}
	if (run->events) {
		munmap(run->events, WIRE_EVENTS_BYTES);
	}
	if (run->answers) {
		munmap(run->answers, WIRE_ANSWERS_BYTES);
	}
	run->events = NULL;
	run->answers = NULL;
}

/* What this driver provides, by field (enum bailey_known). */
static void known_fill(struct wire_reply *reply)
{
	static const uint32_t kinds[] = {
#define ROW(sym, num, name, class, help) num,
		BAILEY_EVENT_TABLE(ROW)
#undef ROW
	};
	static const uint8_t absent[] = {
		BAILEY_FIELD_CGROUP, BAILEY_FIELD_IS_PRODUCT,
		BAILEY_FIELD_COUNT, BAILEY_FIELD_EXIT_STATUS,
		BAILEY_FIELD_MODE_NOW, BAILEY_FIELD_ARGUMENTS,
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		uint8_t *known = reply->known[i];

		memset(known, BAILEY_KNOWN_ABSENT, 64);
		known[0] = BAILEY_KNOWN_EXACT;
		for (unsigned f = 1; f <= BAILEY_FIELD_CHANGED; f++) {
			known[f] = BAILEY_KNOWN_EXACT;
		}
		known[BAILEY_FIELD_PATH_FOREIGN] = BAILEY_KNOWN_EXACT;
		for (unsigned f = BAILEY_FIELD_PATH;
		     f <= BAILEY_FIELD_EXE_PATH; f++) {
			known[f] = BAILEY_KNOWN_HINT;
		}
		for (size_t a = 0; a < sizeof(absent); a++) {
			known[absent[a]] = BAILEY_KNOWN_ABSENT;
		}
	}
}

static int hello_channels(struct preflight_run *run, int ret_theirs[3])
{
	int to[2], from[2], files[2];

	if (pipe2(to, O_CLOEXEC | O_NONBLOCK) < 0) {
		return result_errno();
	}
	run->wake_product = to[1];
	ret_theirs[0] = to[0];
	if (pipe2(from, O_CLOEXEC | O_NONBLOCK) < 0) {
		return result_errno();
	}
	run->wake_engine = from[0];
	ret_theirs[1] = from[1];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, files) < 0) {
		return result_errno();
	}
	run->files = files[0];
	ret_theirs[2] = files[1];
	return 0;
}

static int hello_send(struct preflight_run *run, const int theirs[3])
{
	struct wire_reply reply = { .type = WIRE_REQUEST_HELLO,
				    .mode = BAILEY_MODE_ENFORCE };
	int fds[WIRE_FD_DIRECTORIES + PREFLIGHT_DIRECTORIES];
	size_t count = WIRE_FD_DIRECTORIES;

	fds[WIRE_FD_EVENTS] = run->events_ro_fd;
	fds[WIRE_FD_ANSWERS] = run->answers_fd;
	fds[WIRE_FD_WAKE_PRODUCT] = theirs[0];
	fds[WIRE_FD_WAKE_ENGINE] = theirs[1];
	fds[WIRE_FD_FILES] = theirs[2];
	for (uint32_t i = 1; i < PREFLIGHT_DIRECTORIES; i++) {
		if (run->plan.directory[i] >= 0) {
			fds[count++] = run->plan.directory[i];
			reply.directories |= 1u << i;
		}
	}
	known_fill(&reply);
	return pass_send(run->session, &reply, sizeof(reply), fds, count,
			 MSG_DONTWAIT);
}

int wire_hello(struct preflight_run *run)
{
	int theirs[3] = { -1, -1, -1 };
	int r = hello_channels(run, theirs);

	if (r == 0) {
		r = hello_send(run, theirs);
	}
	for (size_t i = 0; i < 3; i++) {
		fd_closep(&theirs[i]);
	}
	return r;
}

/* ---- events ---- */

static struct wire_event *slot_at(struct preflight_run *run, uint32_t slot)
{
	return (struct wire_event *)((char *)run->events + WIRE_SLOTS_OFFSET +
				     (size_t)slot * WIRE_SLOT_SIZE);
}

struct wire_event *wire_slot(struct preflight_run *run, uint32_t *ret_slot)
{
	uint32_t most = run->plan.manifest->hold;
	struct wire_event *event;

	most = most && most < WIRE_SLOTS ? most : WIRE_SLOTS;
	for (uint32_t slot = 0; slot < most; slot++) {
		if (run->slot_id[slot]) {
			continue;
		}
		event = slot_at(run, slot);
		memset(event, 0, WIRE_SLOT_SIZE);
		event->size = sizeof(*event);
		event->id = ++run->next_id;
		*ret_slot = slot;
		return event;
	}
	return NULL;
}

void wire_number(struct wire_event *event, unsigned field, int64_t value)
{
	event->present |= 1ull << field;
	event->number[field] = value;
}

/* What does not fit is absent, never cut short. */
void wire_string(struct wire_event *event, unsigned field, const char *text)
{
	size_t length = strlen(text);

	if (length + 1 > WIRE_SLOT_SIZE - event->size) {
		return;
	}
	event->present |= 1ull << field;
	event->string[field - WIRE_NUMBERS] = (struct wire_string){
		.offset = (uint16_t)event->size, .length = (uint16_t)length };
	memcpy((char *)event + event->size, text, length + 1);
	event->size += (uint32_t)length + 1;
}

int wire_file(struct preflight_run *run, uint64_t id, uint32_t slot, int fd)
{
	struct wire_file file = { .id = id, .slot = slot };

	return pass_send(run->files, &file, sizeof(file), &fd, 1,
			 MSG_DONTWAIT);
}

static void wake_product(struct preflight_run *run)
{
	atomic_thread_fence(memory_order_seq_cst);
	if (atomic_load_explicit(&run->answers->product_sleeping,
				 memory_order_relaxed)) {
		/* Full means that it is awake; broken, that it is gone. */
		ssize_t n = write(run->wake_product, "", 1);
		(void)n;
	}
}

void wire_publish(struct preflight_run *run, uint32_t slot, bool question)
{
	struct wire_queue *queue = question ? &run->events->questions
					    : &run->events->news;
	uint32_t *head = question ? &run->question_head : &run->news_head;

	run->slot_id[slot] = slot_at(run, slot)->id;
	run->held++;
	queue->slot[*head % WIRE_QUEUE] = slot;
	*head += 1;
	atomic_store_explicit(&queue->head, *head, memory_order_release);
	wake_product(run);
}

/* ---- answers ---- */

/* Of the question that is open; anything else came too late. */
static bool is_open(const struct preflight_run *run,
		    const struct wire_answer *a)
{
	return run->question.open && run->question.id == a->id &&
	       run->question.slot == a->slot;
}

static const char *on_verdict(struct preflight_run *run,
			      const struct wire_answer *a)
{
	if ((a->verdict != BAILEY_VERDICT_ALLOW &&
	     a->verdict != BAILEY_VERDICT_DENY) ||
	    a->scope > BAILEY_SCOPE_OBJECT_EXE) {
		return "answered with an impossible verdict or scope";
	}
	if (is_open(run, a)) {
		run_verdict(run, a->verdict);
	}
	return NULL;
}

static const char *on_extend(struct preflight_run *run,
			     const struct wire_answer *a)
{
	struct preflight_question *q = &run->question;
	mono_t latest = mono_add(q->asked, run->plan.manifest->deadline_max_ms *
						   MONO_MS);

	if (is_open(run, a)) {
		q->due = mono_add(q->due, a->ms * MONO_MS);
		q->due = q->due.ns > latest.ns ? latest : q->due;
		if (q->silence.ns < q->due.ns) {
			q->silence = q->due;
		}
	}
	return NULL;
}

static const char *on_defer(struct preflight_run *run,
			    const struct wire_answer *a)
{
	if (is_open(run, a)) {
		run->outcome.figures.deferred++;
		run_verdict(run, run->plan.manifest->on_miss == MANIFEST_DENY
					 ? BAILEY_VERDICT_DENY
					 : BAILEY_VERDICT_ALLOW);
	}
	return NULL;
}

static const char *on_nothing(struct preflight_run *run,
			      const struct wire_answer *a)
{
	(void)run;
	(void)a;
	return NULL;
}

static const char *on_revise(struct preflight_run *run,
			     const struct wire_answer *a)
{
	(void)run;
	return a->verdict != BAILEY_VERDICT_ALLOW &&
			       a->verdict != BAILEY_VERDICT_DENY
		       ? "revised to an impossible verdict" : NULL;
}

/* Given back without an answer: the fallback stands, at once. */
static const char *on_release(struct preflight_run *run,
			      const struct wire_answer *a)
{
	run->slot_id[a->slot] = 0;
	run->held--;
	if (is_open(run, a)) {
		run_over(run, PREFLIGHT_MISS, run->question.name,
			 "gave a question back without an answer");
	}
	return NULL;
}

static const char *(*const handlers[])(struct preflight_run *,
				       const struct wire_answer *) = {
	[WIRE_ANSWER_VERDICT] = on_verdict,
	[WIRE_ANSWER_EXTEND] = on_extend,
	[WIRE_ANSWER_DEFER] = on_defer,
	[WIRE_ANSWER_REPORT] = on_nothing,
	[WIRE_ANSWER_REVISE] = on_revise,
	[WIRE_ANSWER_RELEASE] = on_release,
};

static const char *answer_take(struct preflight_run *run,
			       const struct wire_answer *a)
{
	if (a->type >= sizeof(handlers) / sizeof(*handlers) ||
	    !handlers[a->type]) {
		return "answered with an unknown type";
	}
	if (a->type != WIRE_ANSWER_REVISE &&
	    (a->slot >= WIRE_SLOTS || !a->id ||
	     run->slot_id[a->slot] != a->id)) {
		return "answered about an event that it does not hold";
	}
	return handlers[a->type](run, a);
}

void wire_drain(struct preflight_run *run)
{
	const char *fault = NULL;
	struct wire_answer copy;
	uint32_t head;
	char bytes[64];

	if (run->wake_engine < 0) {
		return;
	}
	while (read(run->wake_engine, bytes, sizeof(bytes)) ==
	       sizeof(bytes)) {
	}
	head = atomic_load_explicit(&run->answers->head, memory_order_acquire);
	if (head - run->answers_taken > WIRE_ANSWERS) {
		run_over(run, PREFLIGHT_PROTOCOL, run->question.name,
			 "claims more answers than the ring holds");
		return;
	}
	while (run->answers_taken != head && !fault) {
		memcpy(&copy,
		       &run->answers->answer[run->answers_taken % WIRE_ANSWERS],
		       sizeof(copy));
		fault = answer_take(run, &copy);
		run->answers_taken++;
	}
	if (fault) {
		run_over(run, PREFLIGHT_PROTOCOL, run->question.name, "%s",
			 fault);
		return;
	}
	atomic_store_explicit(&run->events->answers_taken, run->answers_taken,
			      memory_order_release);
}
