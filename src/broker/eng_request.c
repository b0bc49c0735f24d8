/* SPDX-License-Identifier: Apache-2.0 */
/*
 * eng_request.c - what a product asks for over its session
 *
 * Service thread. Requests are a table: type, when it is permitted, how large
 * it may be, handler. A request that does not fit ends the session. The
 * descriptors that a product gets, and none other, are made here; none that it
 * sends is taken.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "base/log.h"
#include "base/pass.h"
#include "broker/eng.h"
#include "broker/eng_known.h"
#include "broker/eng_set.h"
#include "broker/eng_text.h"

#define FILES_SNDBUF 16384      /* bounds descriptors that are not received */
#define REQUESTS_PER_S 2000u
#define LOGS_PER_S 20u

struct request {
	struct wire_request head;
	const void *body;
	size_t size;            /* of body */
	struct wire_reply reply;
};

static void session_reset(struct engine *e, struct session *s)
{
	struct region *r = &e->region[s->index];

	memset(r->events, 0, sizeof(*r->events));
	r->events->version = WIRE_VERSION;
	r->events->slots = WIRE_SLOTS;
	r->events->slot_size = WIRE_SLOT_SIZE;
	atomic_store(&r->answers->head, 0);
	atomic_store(&r->answers->product_sleeping, 0);
	s->question_head = s->news_head = s->answers_taken = 0;
	s->sequence = 0;
	memset(s->kind_sequence, 0, sizeof(s->kind_sequence));
	memset(s->slot, 0, sizeof(s->slot));
	s->files_out = 0;
	s->view.held = 0;
	s->free_count = 0;
	for (uint32_t n = 0; n < WIRE_SLOTS; n++) {
		s->slot[n].question = QUESTION_NONE;
		if (n < s->manifest.hold) {
			s->free_slot[s->free_count++] = (uint16_t)n;
		}
	}
	s->probe = QUESTION_NONE;
	s->unanswered_since = (mono_t){ 0 };
	s->mute_count[s->mute_now] = 0;
	for (size_t k = 0; k < ENG_KINDS; k++) {
		s->deadline_ms[k] = 0;
	}
	s->news_wanted = 0;
}

static void channel_close(struct engine *e, int *fd)
{
	if (*fd >= 0) {
		e->ours[*fd] = 0;
		close(fd_take(fd));
	}
}

/* Each end of a wake pipe is its own open file description: nothing that the
 * product sets on its end changes ours. */
static int session_channels(struct engine *e, struct session *s,
			    int ret_theirs[3])
{
	int to[2], from[2], files[2], size = FILES_SNDBUF;

	/* Those of a worker that died over this HELLO. */
	channel_close(e, &s->wake_product);
	channel_close(e, &s->wake_engine);
	channel_close(e, &s->files);
	if (pipe2(to, O_CLOEXEC | O_NONBLOCK) < 0) {
		return result_errno();
	}
	if (pipe2(from, O_CLOEXEC | O_NONBLOCK) < 0) {
		close(to[0]);
		close(to[1]);
		return result_errno();
	}
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, files) < 0) {
		close(to[0]);
		close(to[1]);
		close(from[0]);
		close(from[1]);
		return result_errno();
	}
	setsockopt(files[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	s->wake_product = to[1];
	s->wake_engine = from[0];
	s->files = files[0];
	e->ours[to[1]] = e->ours[from[0]] = e->ours[files[0]] = 1;
	ret_theirs[0] = to[0];
	ret_theirs[1] = from[1];
	ret_theirs[2] = files[1];
	return 0;
}

/* A product that does not read its replies misses them. */
/* A request stays in the socket until its reply: a worker that dies over it
 * leaves it to its successor, which acts on it again. */
static void request_taken(struct session *s)
{
	char byte;
	ssize_t n = recv(s->socket, &byte, 1, MSG_DONTWAIT);

	(void)n;
}

/* The caller clears `replying`. A successor that finds it set cannot know
 * whether the product has its reply (eng_session_succeed). */
static void request_reply(struct session *s, const struct wire_reply *reply,
			  const int *fds, size_t count)
{
	int r;

	s->replying = 1;
	request_taken(s);
	r = pass_send(s->socket, reply, sizeof(*reply), fds, count,
			  MSG_DONTWAIT);

	(void)r;
}

static int on_hello(struct engine *e, struct session *s, struct request *r)
{
	const struct wire_hello *hello = r->body;
	int fds[WIRE_FD_DIRECTORIES + 3], theirs[3];
	size_t count = WIRE_FD_DIRECTORIES;
	int error;

	if (hello->version != WIRE_VERSION) {
		return BAILEY_E_VERSION;
	}
	memcpy(s->schema, hello->schema, sizeof(s->schema));
	s->schema[sizeof(s->schema) - 1] = '\0';
	s->fields = hello->field_count;
	if (!eng_content_fits(&s->expect, s)) {
		return BAILEY_E_SCHEMA;
	}
	session_reset(e, s);
	error = session_channels(e, s, theirs);
	if (error < 0) {
		return -error;
	}
	fds[WIRE_FD_EVENTS] = e->region[s->index].events_ro_fd;
	fds[WIRE_FD_ANSWERS] = e->region[s->index].answers_fd;
	fds[WIRE_FD_WAKE_PRODUCT] = theirs[0];
	fds[WIRE_FD_WAKE_ENGINE] = theirs[1];
	fds[WIRE_FD_FILES] = theirs[2];
	for (uint32_t i = 0; i < 3; i++) {
		if (s->directory[i] >= 0) {
			fds[count++] = s->directory[i];
			r->reply.directories |= 1u << (i + 1);
		}
	}
	r->reply.mode = e->session[s->product].mode;
	eng_known_fill(e, s, r->reply.known);
	r->reply.type = WIRE_REQUEST_HELLO;
	request_reply(s, &r->reply, fds, count);
	atomic_store(&s->phase, SESSION_CONNECTED);
	s->replying = 0;
	for (size_t i = 0; i < 3; i++) {
		close(theirs[i]);
	}
	return -1;              /* replied */
}

static const struct manifest_event *
session_granted(const struct manifest_event *list, uint32_t kind)
{
	for (size_t i = 0; i < MANIFEST_EVENTS && list[i].kind; i++) {
		if (list[i].kind == kind) {
			return &list[i];
		}
	}
	return NULL;
}

static const struct {
	uint32_t kind;
	int question;           /* enum eng_kind, or -1 */
	uint32_t news;          /* ENG_NEWS_* */
} subscribable[] = {
	{ BAILEY_EVENT_FILE_OPEN, ENG_OPEN, 0 },
	{ BAILEY_EVENT_PROCESS_EXEC, ENG_EXEC, 0 },
	{ BAILEY_EVENT_PROCESS_FORK, -1, ENG_NEWS_FORK },
	{ BAILEY_EVENT_PROCESS_STARTED, -1, ENG_NEWS_STARTED },
	{ BAILEY_EVENT_PROCESS_EXIT, -1, ENG_NEWS_EXIT },
};

struct wanted {
	uint32_t deadline_ms[ENG_KINDS], want_file[ENG_KINDS], news;
};

static int subscribe_one(struct engine *e, const struct session *s,
			 const struct bailey_subscription *b,
			 struct wanted *wanted)
{
	for (size_t i = 0; i < sizeof(subscribable) / sizeof(*subscribable);
	     i++) {
		const struct manifest_event *g;
		uint32_t ms = b->deadline_ms;

		if (subscribable[i].kind != b->kind) {
			continue;
		}
		g = session_granted(subscribable[i].question >= 0
					    ? s->manifest.ask
					    : s->manifest.notify, b->kind);
		if (!g) {
			return BAILEY_E_NOT_ASKED;
		}
		if (!eng_known_event(e, b->kind)) {
			return b->flags & BAILEY_WANT_OPTIONAL || g->optional
				       ? 0 : ENOTSUP;
		}
		wanted->news |= subscribable[i].news;
		if (subscribable[i].question >= 0) {
			wanted->deadline_ms[subscribable[i].question] =
				ms && ms < g->deadline_ms ? ms
							  : g->deadline_ms;
			wanted->want_file[subscribable[i].question] =
				b->flags & BAILEY_WANT_FILE &&
				s->manifest.see_files;
		}
		return 0;
	}
	return b->flags & BAILEY_WANT_OPTIONAL ? 0 : BAILEY_E_NOT_ASKED;
}

static int on_subscribe(struct engine *e, struct session *s, struct request *r)
{
	const struct bailey_subscription *list = r->body;
	struct wanted wanted = { 0 };

	for (uint32_t i = 0; i < r->head.count; i++) {
		int error = list[i].size == sizeof(*list)
				    ? subscribe_one(e, s, &list[i], &wanted)
				    : EINVAL;

		if (error) {
			r->reply.detail = i;
			return error;
		}
	}
	for (size_t k = 0; k < ENG_KINDS; k++) {
		atomic_store(&s->want_file[k], wanted.want_file[k]);
		atomic_store(&s->deadline_ms[k], wanted.deadline_ms[k]);
	}
	atomic_store(&s->news_wanted, wanted.news);
	/* What was cached was judged without it. */
	if (memcmp(s->subscribed, wanted.deadline_ms,
		   sizeof(s->subscribed)) != 0) {
		memcpy(s->subscribed, wanted.deadline_ms,
		       sizeof(s->subscribed));
		eng_verdicts_expire(e);
	}
	return 0;
}

/* The reply thread reads one copy while the other is written. */
static int session_mutes(struct engine *e, struct session *s,
			 const struct bailey_mute *list, uint32_t count,
			 bool add)
{
	uint32_t now = s->mute_now, next = !now, n = s->mute_count[now];

	memcpy(s->mutes[next], s->mutes[now], sizeof(s->mutes[next]));
	for (uint32_t i = 0; i < count; i++) {
		uint32_t at = 0;

		if (list[i].size != sizeof(*list) || !list[i].by ||
		    list[i].by > BAILEY_MUTE_EXE ||
		    !memchr(list[i].path, 0, sizeof(list[i].path))) {
			return EINVAL;
		}
		while (at < n && memcmp(&s->mutes[next][at], &list[i],
					sizeof(*list)) != 0) {
			at++;
		}
		if (add && n == WIRE_MUTES) {
			return BAILEY_E_FULL;
		}
		if (!add && at == n) {
			return ENOENT;
		}
		if (add && at == n) {
			s->mutes[next][n++] = list[i];
		} else if (!add) {
			s->mutes[next][at] = s->mutes[next][--n];
		}
	}
	s->mute_count[next] = n;
	atomic_store(&s->mute_now, next);
	eng_reply_kick(e);
	eng_grace(e);           /* before `now` may be written again */
	return 0;
}

static int on_mute(struct engine *e, struct session *s, struct request *r)
{
	return session_mutes(e, s, r->body, r->head.count, true);
}

static int on_unmute(struct engine *e, struct session *s, struct request *r)
{
	return session_mutes(e, s, r->body, r->head.count, false);
}

/* The same product with the same content again: what it said before still
 * holds. */
static void ready_verdicts(struct engine *e, struct session *s)
{
	struct session *p = &e->session[s->product];

	if (eng_is_asked(e, s) &&
	    (!p->served || s->serial != s->ready_serial)) {
		eng_verdicts_expire(e);
		p->served = true;
	}
	s->ready_serial = s->serial;
}

static int on_content_done(struct engine *e, struct session *s,
			   struct request *r)
{
	return eng_content_done(e, s, r->body);
}

static int on_ready(struct engine *e, struct session *s, struct request *r)
{
	(void)r;
	if (s->phase == SESSION_SERVING) {
		return 0;
	}
	eng_session_state(s, VIEW_STATE_SERVING);
	s->rules.expires_ns = 0;        /* it is there again */
	ready_verdicts(e, s);
	atomic_fetch_or(&e->active, 1u << s->index);
	atomic_store_explicit(&s->phase, SESSION_SERVING, memory_order_release);
	eng_spin_advise(e);
	eng_reply_kick(e);
	log_notice("%s %s (%s)", s->manifest.name,
		   eng_is_asked(e, s) ? "serves" : "stands by",
		   e->session[s->product].mode == BAILEY_MODE_ENFORCE
			   ? "enforce" : "observe");
	eng_monitor_tell(&(struct handoff_message){
		.type = HANDOFF_PRODUCT_READY, .index = s->index,
		.instance = s->instance });
	return 0;
}

static int on_text_begin(struct engine *e, struct session *s,
			 struct request *r)
{
	(void)e;
	(void)r;
	return eng_text_begin(s);
}

static int on_text_add(struct engine *e, struct session *s, struct request *r)
{
	(void)e;
	return eng_text_add(s, r->body, r->size);
}

static int on_text_commit(struct engine *e, struct session *s,
			  struct request *r)
{
	return eng_text_commit(e, s, &r->reply.detail);
}

static int on_set_begin(struct engine *e, struct session *s, struct request *r)
{
	(void)e;
	return eng_set_begin(s, r->body);
}

static int on_set_add(struct engine *e, struct session *s, struct request *r)
{
	(void)e;
	return eng_set_add(s, r->body, r->size);
}

static int on_set_remove(struct engine *e, struct session *s,
			 struct request *r)
{
	(void)e;
	return eng_set_remove(s, r->body, r->size);
}

static int on_set_commit(struct engine *e, struct session *s,
			 struct request *r)
{
	(void)r;
	return eng_set_commit(e, s);
}

static int on_log(struct engine *e, struct session *s, struct request *r)
{
	const struct wire_log *log = r->body;
	char text[WIRE_LOG_TEXT];
	uint64_t second = mono_now().ns / MONO_S;

	(void)e;
	if (s->log_second != second) {
		s->log_second = second;
		s->log_count = 0;
	}
	if (s->log_count++ < LOGS_PER_S) {
		memcpy(text, log->text, sizeof(text));
		text[sizeof(text) - 1] = '\0';
		for (char *c = text; *c; c++) {
			if ((unsigned char)*c < 0x20 || *c == 0x7f) {
				*c = '?';
			}
		}
		log_line(log->level < LOG_ERROR ? LOG_ERROR
			 : log->level > LOG_DEBUG ? LOG_DEBUG
						  : (enum log_level)log->level,
			 "%s: %s", s->manifest.name, text);
	}
	return -1;              /* never answered */
}

#define PHASE(p) (1u << SESSION_##p)
#define ANY (PHASE(CONNECTED) | PHASE(SERVING))

static const struct {
	int (*act)(struct engine *, struct session *, struct request *);
	uint32_t phases;
} request_table[] = {
	[WIRE_REQUEST_HELLO] = { on_hello, PHASE(EMPTY) },
	[WIRE_REQUEST_SUBSCRIBE] = { on_subscribe, ANY },
	[WIRE_REQUEST_MUTE] = { on_mute, ANY },
	[WIRE_REQUEST_UNMUTE] = { on_unmute, ANY },
	[WIRE_REQUEST_READY] = { on_ready, ANY },
	[WIRE_REQUEST_TEXT_BEGIN] = { on_text_begin, ANY },
	[WIRE_REQUEST_TEXT_ADD] = { on_text_add, ANY },
	[WIRE_REQUEST_TEXT_COMMIT] = { on_text_commit, ANY },
	[WIRE_REQUEST_SET_BEGIN] = { on_set_begin, ANY },
	[WIRE_REQUEST_SET_ADD] = { on_set_add, ANY },
	[WIRE_REQUEST_SET_REMOVE] = { on_set_remove, ANY },
	[WIRE_REQUEST_SET_COMMIT] = { on_set_commit, ANY },
	[WIRE_REQUEST_CONTENT_DONE] = { on_content_done, PHASE(SERVING) },
	[WIRE_REQUEST_LOG] = { on_log, ANY },
};

static bool request_fits(const struct session *s, const struct request *r)
{
	const uint32_t types = sizeof(request_table) / sizeof(*request_table);

	return wire_request_fits(&r->head, r->size) && r->head.type < types &&
	       request_table[r->head.type].act &&
	       (request_table[r->head.type].phases & 1u << s->phase);
}

static bool request_flood(struct session *s)
{
	uint64_t second = mono_now().ns / MONO_S;

	if (s->request_second != second) {
		s->request_second = second;
		s->request_count = 0;
	}
	return ++s->request_count > REQUESTS_PER_S;
}

static void request_handle(struct engine *e, struct session *s,
			   struct request *r)
{
	int error;

	if (!request_fits(s, r)) {
		eng_session_fail(e, s, SESSION_FAULT_REQUEST);
		return;
	}
	if (request_flood(s)) {
		eng_session_fail(e, s, SESSION_FAULT_FLOOD);
		return;
	}
	error = request_table[r->head.type].act(e, s, r);
	if (error >= 0) {
		r->reply.error = error;
		r->reply.type = r->head.type;
		request_reply(s, &r->reply, NULL, 0);
		s->replying = 0;
		if (error == BAILEY_E_SCHEMA) {
			eng_session_fail(e, s, SESSION_FAULT_SCHEMA);
		}
	} else if (r->head.type == WIRE_REQUEST_LOG) {
		request_taken(s);
	}
}

void eng_session_request(struct engine *e, struct session *s)
{
	static char bytes[WIRE_REQUEST_MAX] __attribute__((aligned(8)));
	struct iovec iov = { bytes, sizeof(bytes) };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct request r = { 0 };
	ssize_t n;

	if (s->socket < 0 || s->phase >= SESSION_ENDING) {
		return;
	}
	/* No room for descriptors: the kernel drops any that are sent and says
	 * so. */
	n = recvmsg(s->socket, &h, MSG_DONTWAIT | MSG_PEEK);
	if (n < 0 && errno == EAGAIN) {
		return;
	}
	if (n <= 0) {
		eng_session_fail(e, s, SESSION_FAULT_CLOSED);
		return;
	}
	if (h.msg_flags & MSG_CTRUNC) {
		eng_session_fail(e, s, SESSION_FAULT_DESCRIPTORS);
		return;
	}
	if ((h.msg_flags & MSG_TRUNC) || (size_t)n < sizeof(r.head)) {
		eng_session_fail(e, s, SESSION_FAULT_REQUEST);
		return;
	}
	memcpy(&r.head, bytes, sizeof(r.head));
	r.body = bytes + sizeof(r.head);
	r.size = (size_t)n - sizeof(r.head);
	request_handle(e, s, &r);
}
