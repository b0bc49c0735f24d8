/* SPDX-License-Identifier: Apache-2.0 */
/*
 * eng_service.c - the worker's service thread: all that is not a question
 *
 * It hears the monitor (products come and go, rules, modes), the products'
 * control requests (eng_session.c), the host's mount table, and those who look
 * (eng_view.c). It may allocate and log; it never holds anything that the
 * reply thread waits for. What it publishes to the reply thread is atomic; what
 * it replaces it frees after a quiet point of that thread (eng_grace).
 *
 * It sleeps without a time-out unless rules are to end, a product is starting,
 * or something was just decided: an idle engine wakes nobody.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/pass.h"
#include "broker/eng.h"

#define SERVICE_START_MS 250
#define SERVICE_POLLFDS (4 + HANDOFF_PRODUCTS + ENG_VIEWERS)
#define TELL_EVERY_MS 20

/* ---- between the threads ---- */

void eng_service_kick(struct engine *e)
{
	static const char byte = 1;

	if (!atomic_exchange(&e->service_kicked, 1)) {
		ssize_t n = write(e->kick_service[1], &byte, 1);
		(void)n;
	}
}

void eng_reply_kick(struct engine *e)
{
	static const char byte = 1;
	ssize_t n = write(e->kick_reply[1], &byte, 1);

	(void)n;
}

/* Returns when the reply thread has passed the top of its loop, or sleeps:
 * from then on it sees what was published before. */
void eng_grace(struct engine *e)
{
	uint64_t turns = atomic_load(&e->turns);
	const struct timespec pause = { 0, 50000 };

	atomic_thread_fence(memory_order_seq_cst);
	while (atomic_load(&e->turns) == turns && !atomic_load(&e->asleep)) {
		nanosleep(&pause, NULL);
	}
}

/* Before the first worker there is nobody to wait for. */
void eng_grace_if_serving(struct engine *e)
{
	if (atomic_load(&e->turns)) {
		eng_grace(e);
	}
}

/* ---- the monitor ---- */

void eng_monitor_tell(const struct handoff_message *m)
{
	if (send(HANDOFF_FD_CONTROL, m, sizeof(*m),
		 MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
		log_warning("the monitor does not listen: %m");
	}
}

static void on_mode(struct engine *e, const struct handoff_message *m)
{
	atomic_store(&e->session[m->index].mode, (uint32_t)m->number);
	e->session[m->index].view.mode = (uint32_t)m->number;
	for (uint32_t i = 0; i < HANDOFF_PRODUCTS; i++) {
		if (e->session[i].product == m->index) {
			atomic_fetch_or(&e->session[i].tell, ENG_TELL_MODE);
		}
	}
	eng_verdicts_expire(e);
	eng_enforcing_changed(e);
}

static void on_suspend(struct engine *e, const struct handoff_message *m)
{
	struct session *p = &e->session[m->index];
	struct session *s = &e->session[eng_asked(e, m->index)];

	atomic_store(&p->suspended, (uint32_t)m->number);
	if (m->number) {
		p->view.state = VIEW_STATE_SUSPENDED;
	} else {
		s->view.state = s->phase == SESSION_SERVING
					? VIEW_STATE_SERVING
					: VIEW_STATE_LOADING;
	}
	eng_verdicts_expire(e);
}

static void on_bypass(struct engine *e, const struct handoff_message *m)
{
	atomic_store(&e->session[m->index].bypass_until,
		     mono_now().ns + m->number * MONO_S);
}

static void on_gone(struct engine *e, const struct handoff_message *m)
{
	eng_session_gone(e, m->index, m->instance);
}

static void on_product_stop(struct engine *e, const struct handoff_message *m)
{
	eng_session_stop(e, m->index);
}

static void on_switch(struct engine *e, const struct handoff_message *m)
{
	eng_switch(e, m->index, (uint32_t)m->number);
}

static void on_switch_back(struct engine *e, const struct handoff_message *m)
{
	eng_switch_back(e, m->index);
}

static void on_trial_end(struct engine *e, const struct handoff_message *m)
{
	eng_trial_end(e, m->index);
}

static void on_begin(struct engine *e, const struct handoff_message *m)
{
	(void)m;
	atomic_store(&e->begun, 1);
}

static void on_config(struct engine *e, const struct handoff_message *m)
{
	(void)m;
	for (uint32_t i = 0; i < HANDOFF_PRODUCTS; i++) {
		atomic_fetch_or(&e->session[i].tell, ENG_TELL_CONFIG);
	}
}

static int keep_compare(const void *a, const void *b)
{
	const struct handoff_keep *x = a, *y = b;

	if (x->inode != y->inode) {
		return x->inode < y->inode ? -1 : 1;
	}
	return x->device < y->device ? -1 : x->device > y->device;
}

static void control_keep(struct engine *e, int fd, uint64_t count)
{
	size_t size;

	if (count > ENG_KEEP) {
		count = ENG_KEEP;
	}
	size = count * sizeof(*e->keep);
	e->keep_count = 0;      /* none while they are exchanged */
	eng_grace(e);
	if (pread(fd, e->keep, size, 0) != (ssize_t)size) {
		log_warning("the keep list is short: keeping nothing");
		count = 0;
	}
	qsort(e->keep, count, sizeof(*e->keep), keep_compare);
	e->keep_count = (uint32_t)count;
	eng_verdicts_expire(e);
}

/* Those that ran before the tracepoints: the table is the reply thread's, so
 * it applies them, at its next turn. */
static void control_processes(struct engine *e, int fd, uint64_t count)
{
	const struct timespec pause = { 0, 1000000 };
	size_t size = count * sizeof(struct process_record);
	struct stat st;
	void *records;

	if (count > PROCESS_TABLE_ENTRIES || !count || fstat(fd, &st) < 0 ||
	    (size_t)st.st_size < size) {
		return;
	}
	records = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (records == MAP_FAILED) {
		log_warning("cannot map the snapshot of processes: %m");
		return;
	}
	e->snapshot_count = (uint32_t)count;
	e->snapshot_since = ((const struct process_record *)records)->time_ns;
	atomic_store(&e->snapshot, records);
	eng_reply_kick(e);
	while (atomic_load(&e->snapshot)) {
		nanosleep(&pause, NULL);
	}
	munmap(records, size);
}

static const struct {
	uint32_t type;
	void (*act)(struct engine *, const struct handoff_message *);
} control_table[] = {
	{ HANDOFF_PRODUCT_MODE, on_mode },
	{ HANDOFF_PRODUCT_SUSPEND, on_suspend },
	{ HANDOFF_PRODUCT_BYPASS, on_bypass },
	{ HANDOFF_PRODUCT_GONE, on_gone },
	{ HANDOFF_PRODUCT_STOP, on_product_stop },
	{ HANDOFF_SWITCH, on_switch },
	{ HANDOFF_SWITCH_BACK, on_switch_back },
	{ HANDOFF_TRIAL_END, on_trial_end },
	{ HANDOFF_CONFIG, on_config },
	{ HANDOFF_BEGIN, on_begin },
};

static void control_files(struct engine *e, const struct handoff_message *m,
			  int *fds, size_t count)
{
	switch (m->type) {
	case HANDOFF_PRODUCT_ADD:
		eng_session_add(e, m, fds, count);
		return;                 /* it owns the descriptors now */
	case HANDOFF_CONTENT:
		eng_content_offer(e, m, fds, count);
		return;                 /* here, too */
	case HANDOFF_RULES:
		if (count == 1 && eng_program_set(e, &e->admin, fds[0]) < 0) {
			log_error("the administrator's rules are damaged; the "
				  "former ones stay in force");
		}
		break;
	case HANDOFF_KEEP:
		if (count == 1) {
			control_keep(e, fds[0], m->number);
		}
		break;
	case HANDOFF_PROCESSES:
		if (count == 1) {
			control_processes(e, fds[0], m->number);
		}
		break;
	default:
		break;
	}
	for (size_t i = 0; i < count; i++) {
		e->ours[fds[i]] = 0;    /* the number may be an event's next */
		close(fds[i]);
	}
}

static void control_taken(void)
{
	char byte;
	ssize_t n = recv(HANDOFF_FD_CONTROL, &byte, 1, MSG_DONTWAIT);

	(void)n;
}

static void service_control(struct engine *e)
{
	struct handoff_message m;
	int fds[PASS_FDS];
	size_t count;
	/* It is taken out when it was acted on: a successor acts again. */
	int got = pass_receive(HANDOFF_FD_CONTROL, &m, sizeof(m), fds, &count,
			       MSG_DONTWAIT | MSG_PEEK);

	if (got == 0) {
		log_error("the monitor is gone; ending");
		_exit(0);
	}
	if (got < 0 || m.index >= HANDOFF_PRODUCTS ||
	    m.second > HANDOFF_PRODUCTS) {
		control_taken();
		return;
	}
	for (size_t i = 0; i < count; i++) {
		e->ours[fds[i]] = 1;
	}
	for (size_t i = 0; i < sizeof(control_table) / sizeof(*control_table);
	     i++) {
		if (control_table[i].type == m.type) {
			control_table[i].act(e, &m);
		}
	}
	control_files(e, &m, fds, count);
	control_taken();
	eng_reply_kick(e);
}

/* ---- the rest of its work ---- */

static void service_flush(struct engine *e)
{
	if (!atomic_exchange(&e->flush, 0)) {
		return;
	}
	/* Inode marks only; the marks that make us be asked stay. */
	if (fanotify_mark(HANDOFF_FD_GROUP, FAN_MARK_FLUSH, 0, -1, NULL) < 0) {
		log_error("cannot drop cached verdicts: %m");
	}
}

/* Before anything that may change whose content is asked. Twice does no harm:
 * a successor tells again what its predecessor died over. */
static void service_alarms(struct engine *e)
{
	for (uint32_t i = 0; i < HANDOFF_PRODUCTS; i++) {
		struct session *s = &e->session[i];

		if (atomic_load(&s->alarm)) {
			snprintf(s->view.last_fault,
				 sizeof(s->view.last_fault),
				 "denied more than %u objects in %u s: put "
				 "into observe", s->manifest.max_denials,
				 s->manifest.max_denials_window_s);
			s->view.mode = BAILEY_MODE_OBSERVE;
			log_error("%s %s", s->manifest.name,
				  s->view.last_fault);
			eng_enforcing_changed(e);
			eng_monitor_tell(&(struct handoff_message){
				.type = HANDOFF_PRODUCT_ALARM, .index = i,
				.expect = e->session[eng_asked(e, i)].expect });
			atomic_store(&s->alarm, 0);
		}
	}
}

static size_t service_pollfds(struct engine *e, struct pollfd *p)
{
	size_t n = 0;

	p[n++] = (struct pollfd){ e->kick_service[0], POLLIN, 0 };
	p[n++] = (struct pollfd){ HANDOFF_FD_CONTROL, POLLIN, 0 };
	p[n++] = (struct pollfd){ HANDOFF_FD_MOUNTINFO, POLLPRI, 0 };
	p[n++] = (struct pollfd){ HANDOFF_FD_VIEW, POLLIN, 0 };
	for (uint32_t i = 0; i < HANDOFF_PRODUCTS; i++) {
		p[n++] = (struct pollfd){ e->session[i].socket, POLLIN, 0 };
	}
	return n + eng_view_poll(e, p + n);
}

/* Rules of a product that is gone fall when their time is over. */
static int service_rules(struct engine *e)
{
	uint64_t now = mono_now().ns, next = UINT64_MAX;

	for (uint32_t i = 0; i < HANDOFF_PRODUCTS; i++) {
		struct session *s = &e->session[i];

		if (!s->rules.expires_ns || !s->rules.rules) {
			continue;
		}
		if (s->rules.expires_ns <= now) {
			log_notice("rules of %s: their time is over",
				   s->manifest.name);
			eng_program_drop(e, &s->rules);
		} else if (s->rules.expires_ns < next) {
			next = s->rules.expires_ns;
		}
	}
	return next == UINT64_MAX ? -1
	       : next - now > 3600 * MONO_S
		       ? 3600000
		       : (int)((next - now) / MONO_MS) + 1;
}

static int service_timeout(struct engine *e)
{
	int ms = service_rules(e);
	const int others[] = {
		atomic_load(&e->telling) ? TELL_EVERY_MS : -1,
		eng_session_starting(e) ? SERVICE_START_MS : -1,
		eng_beside_watch(e), eng_last_send(e),
	};

	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
		if (others[i] >= 0 && (ms < 0 || ms > others[i])) {
			ms = others[i];
		}
	}
	return ms;
}

/* From the next entry on its writer wakes us again. */
static void service_told(struct engine *e)
{
	static mono_t until;
	mono_t now = mono_now();

	if (!atomic_load(&e->telling)) {
		return;
	}
	if (!until.ns) {
		until = mono_add(now, TELL_EVERY_MS * MONO_MS);
	} else if (until.ns <= now.ns) {
		until = (mono_t){ 0 };
		atomic_store(&e->telling, 0);
	}
}

static void service_serve(struct engine *e, const struct pollfd *p)
{
	char bytes[64];

	if (p[0].revents) {
		while (read(e->kick_service[0], bytes, sizeof(bytes)) > 0) {
		}
		atomic_store(&e->service_kicked, 0);
	}
	service_alarms(e);
	if (p[1].revents) {
		service_control(e);
	}
	if (p[2].revents) {
		eng_mounts_read(e);
	}
	for (uint32_t i = 0; i < HANDOFF_PRODUCTS; i++) {
		if (p[4 + i].revents) {
			eng_session_request(e, &e->session[i]);
		}
	}
	eng_session_reap(e);
	if (atomic_exchange(&e->stale, 0)) {
		eng_monitor_tell(&(struct handoff_message){
			.type = HANDOFF_PROCESSES_STALE });
	}
	service_flush(e);
	if (p[3].revents) {
		eng_view_accept(e);
	}
	service_told(e);
	eng_view_serve(e);
}

void eng_service_turn(struct engine *e, int timeout_ms)
{
	struct pollfd p[SERVICE_POLLFDS];
	size_t n = service_pollfds(e, p);

	if (poll(p, n, timeout_ms) >= 0) {
		service_serve(e, p);
	}
}

void *eng_service_main(void *engine)
{
	struct engine *e = engine;

	prctl(PR_SET_NAME, "bailey-service");
	eng_view_reset(e);
	eng_session_succeed(e);
	eng_monitor_tell(&(struct handoff_message){ .type = HANDOFF_READY,
						    .number = (uint64_t)
							    getpid() });
	for (;;) {
		eng_service_turn(e, service_timeout(e));
	}
	return NULL;
}
