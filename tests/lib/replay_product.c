/* SPDX-License-Identifier: Apache-2.0 */
/* The product's side of one session, in the engine's own process. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "lib/replay_engine.h"

static void sure(bool good, const char *what)
{
	if (!good) {
		fprintf(stderr, "replay product: %s: %m\n", what);
		abort();
	}
}

void replay_manifest(struct manifest *ret_manifest, const char *name)
{
	*ret_manifest = (struct manifest){
		.ask = { { BAILEY_EVENT_FILE_OPEN, 0, 100 },
			 { BAILEY_EVENT_PROCESS_EXEC, 0, 100 } },
		.notify = { { BAILEY_EVENT_PROCESS_FORK, 0, 0 },
			    { BAILEY_EVENT_PROCESS_EXIT, 0, 0 } },
		.mode = BAILEY_MODE_ENFORCE,
		.deadline_max_ms = 1000,
		.on_miss = MANIFEST_ALLOW, .while_loading = MANIFEST_ALLOW,
		.on_poison = MANIFEST_ALLOW,
		.may_deny_asked = 1, .may_deny = { "/" },
		.start_s = 30, .max_denials = 100,
		.max_denials_window_s = 60,
		.rules_ttl_s = 3600, .hold = 32, .see_files = 1,
	};
	snprintf(ret_manifest->name, sizeof(ret_manifest->name), "%s", name);
}

void replay_product_add(struct replay *r, struct replay_product *p,
			uint32_t index, const struct manifest *manifest)
{
	replay_product_add_as(r, p, &(struct handoff_message){
		.type = HANDOFF_PRODUCT_ADD, .index = index,
		.manifest = *manifest });
}

void replay_product_add_as(struct replay *r, struct replay_product *p,
			   const struct handoff_message *message)
{
	int session[2];

	sure(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, session),
	     "socketpair");
	*p = (struct replay_product){ .r = r, .index = message->index,
				      .manifest = message->manifest,
				      .session = replay_own(r, session[1]) };
	memset(p->fd, -1, sizeof(p->fd));
	replay_control(r, message, &session[0], 1);
	close(session[0]);
}

/* The reply, and the descriptors that came with it. */
static int product_reply(struct replay_product *p, struct wire_reply *ret_reply,
			 int *ret_fds, size_t capacity)
{
	struct iovec iov = { ret_reply, sizeof(*ret_reply) };
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(8 * sizeof(int))];
	} control;
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1,
			    .msg_control = &control,
			    .msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(p->session, &h, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&h) : NULL;
	size_t count = c ? (c->cmsg_len - CMSG_LEN(0)) / sizeof(int) : 0;

	sure(count <= capacity, "too many descriptors");
	if (c) {
		memcpy(ret_fds, CMSG_DATA(c), count * sizeof(int));
	}
	for (size_t i = 0; i < count; i++) {
		replay_own(p->r, ret_fds[i]);
	}
	return n == sizeof(*ret_reply) ? ret_reply->error : -1;
}

static void product_send(struct replay_product *p, uint32_t type,
			 uint32_t count, const void *payload, size_t size)
{
	struct wire_request head = { type, count };
	struct iovec iov[] = { { &head, sizeof(head) },
			       { (void *)(uintptr_t)payload, size } };
	struct msghdr h = { .msg_iov = iov, .msg_iovlen = 2 };

	sure(sendmsg(p->session, &h, MSG_NOSIGNAL | MSG_DONTWAIT) > 0,
	     "the session");
}

int replay_request(struct replay_product *p, uint32_t type, uint32_t count,
		   const void *payload, size_t size)
{
	struct wire_reply reply;

	product_send(p, type, count, payload, size);
	eng_service_turn(p->r->e, 0);
	return product_reply(p, &reply, NULL, 0);
}

static void *product_map(int fd, size_t size, int protection)
{
	void *memory = mmap(NULL, size, protection, MAP_SHARED, fd, 0);

	sure(memory != MAP_FAILED, "a region");
	return memory;
}

int replay_hello(struct replay_product *p)
{
	struct wire_hello hello = { .version = WIRE_VERSION,
				    .field_count = p->fields };
	struct wire_reply reply;
	int error;

	snprintf(hello.schema, sizeof(hello.schema), "%s",
		 p->schema ? p->schema : "");

	product_send(p, WIRE_REQUEST_HELLO, 1, &hello, sizeof(hello));
	eng_service_turn(p->r->e, 0);
	error = product_reply(p, &reply, p->fd, WIRE_FD_DIRECTORIES);
	if (error == 0) {
		p->events = product_map(p->fd[WIRE_FD_EVENTS],
					WIRE_EVENTS_BYTES, PROT_READ);
		p->answers = product_map(p->fd[WIRE_FD_ANSWERS],
					 WIRE_ANSWERS_BYTES,
					 PROT_READ | PROT_WRITE);
	}
	return error;
}

int replay_subscribe(struct replay_product *p, uint32_t flags)
{
	const struct bailey_subscription list[] = {
		{ sizeof(*list), BAILEY_EVENT_FILE_OPEN, 0, flags },
		{ sizeof(*list), BAILEY_EVENT_PROCESS_EXEC, 0, flags },
	};

	return replay_request(p, WIRE_REQUEST_SUBSCRIBE, 2, list, sizeof(list));
}

void replay_product_serve(struct replay *r, struct replay_product *p,
			  uint32_t index, const struct manifest *manifest)
{
	replay_product_add(r, p, index, manifest);
	sure(replay_hello(p) == 0 && replay_subscribe(p, 0) == 0 &&
		     replay_request(p, WIRE_REQUEST_READY, 0, NULL, 0) == 0,
	     "a product does not serve");
}

void replay_product_close(struct replay_product *p)
{
	for (size_t i = 0; i < WIRE_FD_DIRECTORIES; i++) {
		if (p->fd[i] >= 0) {
			p->r->e->ours[p->fd[i]] = 0;
			close(p->fd[i]);
		}
	}
	p->r->e->ours[p->session] = 0;
	close(p->session);
	if (p->events) {
		munmap((void *)(uintptr_t)p->events, WIRE_EVENTS_BYTES);
		munmap(p->answers, WIRE_ANSWERS_BYTES);
		p->events = NULL;
	}
}

int replay_product_rules(struct replay_product *p, const char *text)
{
	size_t length = strlen(text);

	if (replay_request(p, WIRE_REQUEST_TEXT_BEGIN, 0, NULL, 0) != 0 ||
	    replay_request(p, WIRE_REQUEST_TEXT_ADD, (uint32_t)length, text,
			   length) != 0) {
		return -1;
	}
	return replay_request(p, WIRE_REQUEST_TEXT_COMMIT, 0, NULL, 0);
}

/* ---- events ---- */

static const struct wire_event *slot_event(const struct replay_product *p,
					   uint32_t slot)
{
	return (const void *)((const char *)p->events + WIRE_SLOTS_OFFSET +
			      (size_t)slot * WIRE_SLOT_SIZE);
}

static const struct wire_event *queue_take(const struct replay_product *p,
					   const struct wire_queue *queue,
					   uint32_t *tail)
{
	if (*tail == atomic_load(&queue->head)) {
		return NULL;
	}
	return slot_event(p, queue->slot[(*tail)++ % WIRE_QUEUE]);
}

const struct wire_event *replay_take(struct replay_product *p)
{
	return queue_take(p, &p->events->questions, &p->question_tail);
}

const struct wire_event *replay_news(struct replay_product *p)
{
	return queue_take(p, &p->events->news, &p->news_tail);
}

uint32_t replay_slot(const struct replay_product *p,
		     const struct wire_event *event)
{
	return (uint32_t)(((const char *)event - (const char *)p->events -
			   WIRE_SLOTS_OFFSET) / WIRE_SLOT_SIZE);
}

void replay_say(struct replay_product *p, const struct wire_answer *answer)
{
	p->answers->answer[p->answer_head % WIRE_ANSWERS] = *answer;
	atomic_store(&p->answers->head, ++p->answer_head);
}

void replay_verdict(struct replay_product *p, const struct wire_event *event,
		    enum bailey_verdict verdict, enum bailey_scope scope)
{
	replay_say(p, &(struct wire_answer){
		.type = WIRE_ANSWER_VERDICT, .slot = replay_slot(p, event),
		.id = event->id, .verdict = verdict, .scope = scope });
}

void replay_release(struct replay_product *p, const struct wire_event *event)
{
	replay_say(p, &(struct wire_answer){
		.type = WIRE_ANSWER_RELEASE, .slot = replay_slot(p, event),
		.id = event->id });
}

void replay_judge(struct replay_product *p, const struct wire_event *event,
		  enum bailey_verdict verdict)
{
	replay_verdict(p, event, verdict, BAILEY_SCOPE_ONCE);
	replay_release(p, event);
}
