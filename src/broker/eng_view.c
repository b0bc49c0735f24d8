/* SPDX-License-Identifier: Apache-2.0 */
/*
 * eng_view.c - the read-only socket: status, denials, events
 *
 * Service thread. A viewer sends one fixed-size request and gets records, all
 * without blocking: what does not fit into its socket now is sent when it has
 * room; a viewer of events that is overtaken by the ring misses some, counted.
 * Callers other than root see only what concerns their own uid.
 */
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "base/log.h"
#include "broker/eng.h"
#include "broker/eng_known.h"

struct viewer {
	int fd;                 /* -1: free */
	uint32_t uid;
	bool asked;
	struct view_request request;
	uint64_t next;          /* of the ring, or row number */
	bool second;            /* EXPLAIN: the denials are through */
};

static struct viewer viewer[ENG_VIEWERS];

static void viewer_close(struct engine *e, struct viewer *v)
{
	if (v->asked && v->request.type == VIEW_EVENTS) {
		atomic_fetch_sub(&e->streaming, 1);
	}
	e->ours[v->fd] = 0;
	close(v->fd);
	*v = (struct viewer){ .fd = -1 };
}

/* A new worker: viewers of the dead one are let go; they connect again. */
void eng_view_reset(struct engine *e)
{
	for (int i = 0; i < (int)ENG_VIEWERS; i++) {
		if (e->viewer_fd[i] > 0) {
			e->ours[e->viewer_fd[i]] = 0;
			close(e->viewer_fd[i]);
			e->viewer_fd[i] = 0;
		}
		viewer[i].fd = -1;
	}
	atomic_store(&e->streaming, 0);
}

void eng_view_accept(struct engine *e)
{
	struct ucred who;
	socklen_t size = sizeof(who);
	int fd = accept4(HANDOFF_FD_VIEW, NULL, NULL,
			 SOCK_CLOEXEC | SOCK_NONBLOCK);
	uint32_t others = 0;

	if (fd < 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) < 0) {
		fd_closep(&fd);
		return;
	}
	for (size_t i = 0; i < ENG_VIEWERS; i++) {
		others += viewer[i].fd >= 0 && viewer[i].uid != 0;
	}
	for (size_t i = 0; i < ENG_VIEWERS; i++) {
		if (viewer[i].fd < 0 &&
		    (who.uid == 0 || others < ENG_VIEWERS / 2)) {
			viewer[i] = (struct viewer){ .fd = fd, .uid = who.uid };
			e->viewer_fd[i] = fd;
			e->ours[fd] = 1;
			return;
		}
	}
	close(fd);
}

/* The ring that is followed as it grows; null: an answer that ends. */
static struct decisions *view_followed(struct engine *e,
				       const struct viewer *v)
{
	switch (v->request.type) {
	case VIEW_EVENTS:
		return &e->events;
	case VIEW_ALERTS:
		return &e->denials;
	default:
		return NULL;
	}
}

size_t eng_view_poll(struct engine *e, struct pollfd *ret_pollfds)
{
	for (size_t i = 0; i < ENG_VIEWERS; i++) {
		const struct viewer *v = &viewer[i];
		const struct decisions *ring = view_followed(e, v);
		/* A follower that lags waits for room in its socket; one that
		 * does not is woken when there are more. */
		bool waiting = v->asked && (!ring || v->next < ring->head);

		ret_pollfds[i] = (struct pollfd){
			v->fd, waiting ? POLLOUT : POLLIN, 0 };
	}
	return ENG_VIEWERS;
}

/* 1: sent; 0: no room now; negative: the viewer is gone. */
static int viewer_send(const struct viewer *v, const void *record, size_t size)
{
	if (send(v->fd, record, size, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) {
		return 1;
	}
	return errno == EAGAIN || errno == ENOBUFS ? 0 : result_errno();
}

static int viewer_end(const struct viewer *v, int error)
{
	struct view_end end = { { VIEW_END, sizeof(end) }, (uint32_t)error, 0 };
	int r = viewer_send(v, &end, sizeof(end));

	return r == 1 ? -ESHUTDOWN : r; /* served: let it go */
}

static void view_product(const struct engine *e, const struct session *s,
			 struct view_product *ret_row)
{
	const struct session *asked = &e->session[eng_asked(e, s->index)];

	*ret_row = s->view;
	ret_row->head = (struct view_head){ VIEW_PRODUCT, sizeof(*ret_row) };
	ret_row->beside = eng_beside_view(e, s->index);
	ret_row->memory = atomic_load(&e->table->memory[s->index]);
	ret_row->cpu_ns = atomic_load(&e->table->cpu_ns[s->index]);
	if (!atomic_load(&s->suspended)) {
		ret_row->state = asked->view.state;
	}
	ret_row->since_ns = asked->view.since_ns;
	ret_row->held = asked->view.held;
}

static int view_status(struct engine *e, struct viewer *v)
{
	int r = 1;

	if (v->next == 0) {
		struct view_engine head = e->view;

		head.head = (struct view_head){ VIEW_ENGINE, sizeof(head) };
		head.open_questions = e->open_count;
		head.processes = process_table_count(e->processes);
		r = viewer_send(v, &head, sizeof(head));
		v->next += r == 1;
	}
	while (r == 1 && v->next <= HANDOFF_PRODUCTS) {
		const struct session *s = &e->session[v->next - 1];
		struct view_product p;

		view_product(e, s, &p);
		r = s->view.name[0] ? viewer_send(v, &p, sizeof(p)) : 1;
		v->next += r == 1;
	}
	return r == 1 ? viewer_end(v, 0) : r;
}

static bool view_wants(const struct viewer *v, const struct view_decision *d)
{
	if (v->uid != 0 && d->uid != v->uid) {
		return false;
	}
	if (v->request.type == VIEW_DENIALS) {
		return d->time_ns >= v->request.number;
	}
	if (v->request.type != VIEW_EXPLAIN) {
		return true;
	}
	if (v->second && d->would == BAILEY_VERDICT_DENY) {
		return false;           /* of both rings, told already */
	}
	return v->request.path[0]
		       ? strncmp(d->path, v->request.path,
				 sizeof(d->path)) == 0
		       : d->id == v->request.number;
}

static int view_ring(struct engine *e, struct viewer *v, struct decisions *ring)
{
	uint64_t head = atomic_load_explicit(&ring->head, memory_order_acquire);
	struct view_decision copy;
	int r = 1;

	if (head - v->next > ring->size) {
		if (view_followed(e, v)) {
			e->view.view_lost += head - v->next - ring->size;
		}
		v->next = head - ring->size;
	}
	while (r == 1 && v->next < head) {
		copy = ring->entry[v->next % ring->size];
		/* Overtaken while copying: the entry may be torn. */
		if (atomic_load(&ring->head) - v->next >= ring->size) {
			v->next++;
			continue;
		}
		r = view_wants(v, &copy) ? viewer_send(v, &copy, sizeof(copy))
					 : 1;
		v->next += r == 1;
	}
	return r;
}

static int view_denials(struct engine *e, struct viewer *v)
{
	int r = view_ring(e, v, &e->denials);

	return r == 1 ? viewer_end(v, 0) : r;
}

/* Denials, then what was not denied. */
static int view_explain(struct engine *e, struct viewer *v)
{
	int r = v->second ? 1 : view_ring(e, v, &e->denials);

	if (r == 1 && !v->second) {
		v->second = true;
		v->next = 0;
	}
	if (r == 1) {
		r = view_ring(e, v, &e->events);
	}
	return r == 1 ? viewer_end(v, 0) : r;
}

static int view_follow(struct engine *e, struct viewer *v)
{
	int r = view_ring(e, v, view_followed(e, v));

	return r < 0 ? r : 0;
}

static int view_known(struct engine *e, struct viewer *v)
{
	struct view_known row;
	int r = 1;

	while (r == 1 && eng_known_row(e, (uint32_t)v->next, &row)) {
		r = viewer_send(v, &row, sizeof(row));
		v->next += r == 1;
	}
	return r == 1 ? viewer_end(v, 0) : r;
}

/* The process that is asked has those in force. */
static const struct session *view_rules_of(const struct engine *e, uint64_t at)
{
	if (at < 2 || e->session[at - 2].product != at - 2) {
		return NULL;
	}
	return &e->session[eng_asked(e, (uint32_t)at - 2)];
}

static void view_rules_row(const struct engine *e, uint64_t at,
			   struct view_rules *ret_row)
{
	const struct session *s = view_rules_of(e, at);
	const struct rule_program *p = at == 1 ? e->admin.rules
				       : s     ? s->rules.rules
					       : NULL;
	const char *owner = at == 0   ? "keep"
			    : at == 1 ? "administrator"
			    : s         ? s->manifest.name
					: "";

	*ret_row = (struct view_rules){
		.head = { VIEW_RULES_ROW, sizeof(*ret_row) },
		.rules = at == 0 ? e->keep_count
			 : p     ? rule_program_count(p)
				 : 0,
	};
	if (s && s->rules.expires_ns && s->phase == SESSION_EMPTY) {
		ret_row->expires_ns = wall_now_ns() +
				      mono_between(mono_now(), (mono_t){
					      s->rules.expires_ns });
	}
	memcpy(ret_row->owner, owner,
	       strnlen(owner, sizeof(ret_row->owner) - 1));
}

static int view_rules(struct engine *e, struct viewer *v)
{
	struct view_rules row;
	int r = 1;

	while (r == 1 && v->next < HANDOFF_PRODUCTS + 2) {
		view_rules_row(e, v->next, &row);
		r = v->next < 2 || row.rules ? viewer_send(v, &row, sizeof(row))
					     : 1;
		v->next += r == 1;
	}
	return r == 1 ? viewer_end(v, 0) : r;
}

static const struct {
	int (*serve)(struct engine *, struct viewer *);
	bool root_only;
} view_table[] = {
	[VIEW_STATUS] = { view_status, false },
	[VIEW_DENIALS] = { view_denials, false },
	[VIEW_EVENTS] = { view_follow, true },
	[VIEW_EXPLAIN] = { view_explain, false },
	[VIEW_KNOWN] = { view_known, false },
	[VIEW_RULES] = { view_rules, true },
	[VIEW_ALERTS] = { view_follow, true },
};

static void viewer_request(struct engine *e, struct viewer *v)
{
	ssize_t n = recv(v->fd, &v->request, sizeof(v->request), MSG_DONTWAIT);
	uint32_t type = v->request.type;

	if (n < 0 && errno == EAGAIN) {
		return;
	}
	if (n != sizeof(v->request) || v->request.version != VIEW_VERSION ||
	    type >= sizeof(view_table) / sizeof(*view_table) ||
	    !view_table[type].serve) {
		viewer_end(v, n == 0 ? 0 : EINVAL);
		viewer_close(e, v);
		return;
	}
	if (view_table[type].root_only && v->uid != 0) {
		viewer_end(v, EPERM);
		viewer_close(e, v);
		return;
	}
	v->request.path[sizeof(v->request.path) - 1] = '\0';
	v->asked = true;
	if (view_followed(e, v)) {
		v->next = atomic_load(&view_followed(e, v)->head);
		atomic_fetch_add(&e->streaming, type == VIEW_EVENTS);
	}
}

static bool viewer_left(const struct viewer *v)
{
	char byte;
	ssize_t n = recv(v->fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK);

	/* It has nothing more to say: whatever it sends, it goes. */
	return n >= 0 || errno != EAGAIN;
}

void eng_view_serve(struct engine *e)
{
	for (size_t i = 0; i < ENG_VIEWERS; i++) {
		struct viewer *v = &viewer[i];

		if (v->fd < 0) {
			continue;
		}
		if (!v->asked) {
			viewer_request(e, v);
		}
		if (v->fd >= 0 && v->asked &&
		    (view_table[v->request.type].serve(e, v) < 0 ||
		     viewer_left(v))) {
			viewer_close(e, v);
		}
		e->viewer_fd[i] = v->fd < 0 ? 0 : v->fd;
	}
}
