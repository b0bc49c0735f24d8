/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "rogue.h"
#include "wire_raw.h"

/* One request on the session: bytes of payload after the header. */
static int request(uint32_t type, const void *payload, size_t size,
		   uint32_t count)
{
	char bytes[4096];
	struct wire_request head = { .type = type, .count = count };

	memcpy(bytes, &head, sizeof(head));
	if (size > 0) {
		memcpy(bytes + sizeof(head), payload, size);
	}
	return send(WIRE_SESSION_FD, bytes, sizeof(head) + size,
		    MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static int reply(struct raw *raw)
{
	char control[CMSG_SPACE(RAW_DESCRIPTORS * sizeof(int))];
	struct wire_reply bytes;
	struct iovec iov = { &bytes, sizeof(bytes) };
	struct msghdr message = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *c;

	if (recvmsg(WIRE_SESSION_FD, &message, MSG_CMSG_CLOEXEC) !=
	    sizeof(bytes)) {
		return -EPROTO;
	}
	c = CMSG_FIRSTHDR(&message);
	if (c != NULL && c->cmsg_type == SCM_RIGHTS) {
		memcpy(raw->fd, CMSG_DATA(c), c->cmsg_len - CMSG_LEN(0));
	}
	return -bytes.error;
}

static void must(const char *what, int result)
{
	if (result < 0) {
		fprintf(stderr, "rogue: %s: %s\n", what,
			bailey_strerror(result));
		exit(EX_PROTOCOL);
	}
}

static void *map(int fd, size_t size, int protection)
{
	void *base = mmap(NULL, size, protection, MAP_SHARED, fd, 0);

	must("map", base == MAP_FAILED ? -errno : 0);
	return base;
}

void raw_hello(struct raw *ret_raw)
{
	struct wire_hello hello = { .version = WIRE_VERSION };

	memset(ret_raw, 0, sizeof(*ret_raw));
	memset(ret_raw->fd, -1, sizeof(ret_raw->fd));
	if (request(WIRE_REQUEST_HELLO, &hello, sizeof(hello), 1) < 0) {
		fputs("rogue: not started by the broker\n", stderr);
		exit(EX_USAGE);
	}
	must("hello", reply(ret_raw));
	ret_raw->events = map(ret_raw->fd[WIRE_FD_EVENTS], WIRE_EVENTS_BYTES,
			      PROT_READ);
	ret_raw->answers = map(ret_raw->fd[WIRE_FD_ANSWERS],
			       WIRE_ANSWERS_BYTES, PROT_READ | PROT_WRITE);
}

void raw_serve(struct raw *ret_raw, uint32_t flags)
{
	struct bailey_subscription list[] = {
		{ .size = sizeof(*list), .kind = BAILEY_EVENT_FILE_OPEN,
		  .flags = flags },
		{ .size = sizeof(*list), .kind = BAILEY_EVENT_PROCESS_EXEC,
		  .flags = flags },
	};

	raw_hello(ret_raw);
	must("subscribe", request(WIRE_REQUEST_SUBSCRIBE, list, sizeof(list),
				  2));
	must("subscribe", reply(ret_raw));
	must("ready", request(WIRE_REQUEST_READY, NULL, 0, 0));
	must("ready", reply(ret_raw));
}

void raw_put(struct raw *raw, const struct wire_answer *answer)
{
	raw->answers->answer[raw->answer % WIRE_ANSWERS] = *answer;
	raw->answer++;
	atomic_store(&raw->answers->head, raw->answer);
	/* Always wakes: cheaper to read than to be clever. */
	(void)!write(raw->fd[WIRE_FD_WAKE_ENGINE], "", 1);
}

void raw_release(struct raw *raw, const struct wire_answer *question)
{
	struct wire_answer answer = *question;

	answer.type = WIRE_ANSWER_RELEASE;
	raw_put(raw, &answer);
}

void raw_allow(struct raw *raw, const struct wire_answer *question)
{
	struct wire_answer answer = *question;

	answer.type = WIRE_ANSWER_VERDICT;
	answer.verdict = BAILEY_VERDICT_ALLOW;
	raw_put(raw, &answer);
	raw_release(raw, question);
}

static void take(struct raw *raw, const struct wire_queue *queue,
		 uint32_t *index, struct wire_answer *ret_answer)
{
	uint32_t slot = queue->slot[*index % WIRE_QUEUE];
	const struct wire_event *event = (const void *)
		((const char *)raw->events + WIRE_SLOTS_OFFSET +
		 (size_t)slot * WIRE_SLOT_SIZE);

	memset(ret_answer, 0, sizeof(*ret_answer));
	ret_answer->slot = slot;
	ret_answer->id = event->id;
	++*index;
}

int raw_next(struct raw *raw, struct wire_answer *ret_answer)
{
	const struct wire_events *events = raw->events;

	while (rogue_may_live() && atomic_load(&events->ended) == 0) {
		if (atomic_load(&events->questions.head) != raw->question) {
			take(raw, &events->questions, &raw->question,
			     ret_answer);
			return 0;
		}
		if (atomic_load(&events->news.head) != raw->news) {
			take(raw, &events->news, &raw->news, ret_answer);
			raw_release(raw, ret_answer);
			continue;
		}
		usleep(200);
	}
	return -1;
}

int raw_loop(struct raw *raw)
{
	struct wire_answer question;

	while (raw_next(raw, &question) == 0) {
		raw_allow(raw, &question);
	}
	return EX_UNAVAILABLE;
}

void raw_say(const char *name, long result)
{
	struct wire_log line = { .level = 5 };

	if (result < 0) {
		snprintf(line.text, sizeof(line.text), "%s: refused (%s)",
			 name, strerror(errno));
	} else {
		snprintf(line.text, sizeof(line.text), "%s: NOT REFUSED",
			 name);
	}
	(void)request(WIRE_REQUEST_LOG, &line, sizeof(line), 1);
}
