/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mon_agent.c - the content agent: started, watched, listened to
 *
 * There is one if a product has managed content, and only then. It has no
 * rights but those to its own directory; what it asks is a request of fixed
 * size from a table, checked here, done by us. Without it no content changes,
 * and everything else goes on: that is a degradation, not a fault.
 *
 * It is told everything; if it does not listen (its socket is full) or sends
 * what is no request it is ended and started anew, and told all of it again.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/log.h"
#include "base/text.h"
#include "broker/mon.h"

#define AGENT_LIMIT_MS 2000
#define AGENT_QUICK_NS (10 * MONO_S)
#define AGENT_BACKOFF_MS 200u
#define AGENT_BACKOFF_MAX_MS 30000u
#define AGENT_SOCKET_BYTES (1 << 20)
#define AGENT_DIRECTORY "/var/lib/bailey"

/* ---- before a mark stands ---- */

/* The agent's own directory, or the updater's: made once, then theirs. */
static int agent_directory(const struct mon *m, const char *name, uid_t uid)
{
	const char *top = mon_is_system(m) ? AGENT_DIRECTORY
					   : m->options.state;
	char path[4096];
	cleanup_fd int fd = -1;

	snprintf(path, sizeof(path), "%s/%s", top, name);
	if (mkdir(path, 0755) < 0 && errno != EEXIST) {
		return -1;
	}
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0 && fchown(fd, uid, MON_CONTENT_UID) < 0) {
		return -1;
	}
	return fd_take(&fd);
}

/* Beside our own executable, or in the folder beside that one (build tree). */
static int agent_program(void)
{
	static const char *const place[] = { "bailey-content",
					     "../agent/bailey-content" };
	char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 64);
	char *name;
	int fd = -1;

	if (n <= 0) {
		return -1;
	}
	path[n] = '\0';
	name = strrchr(path, '/') + 1;
	for (size_t i = 0; fd < 0 && i < sizeof(place) / sizeof(*place); i++) {
		snprintf(name, 64, "%s", place[i]);
		fd = open(path, O_RDONLY | O_CLOEXEC);
	}
	return fd;
}

static void agent_missing(struct mon *m, const char *why)
{
	text_format(m->agent.why, sizeof(m->agent.why), "%s", why);
	m->agent.since_wall = wall_now_ns();
}

static int agent_optional(const struct mon *m, const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC);

	return fd >= 0 ? fd : fcntl(m->null, F_DUPFD_CLOEXEC, 0);
}

void mon_agent_open(struct mon *m)
{
	struct mon_agent *a = &m->agent;
	char path[4096];

	for (uint32_t i = 0; i < HANDOFF_PRODUCTS; i++) {
		a->managed |= mon_product_managed(&m->product[i]);
	}
	if (!a->managed) {
		return;
	}
	a->program = agent_program();
	a->content = agent_directory(m, "content", MON_CONTENT_UID);
	a->staging = agent_directory(m, "staging", MON_UPDATE_UID);
	snprintf(path, sizeof(path), "%s/content.d", m->options.etc);
	a->policy = agent_optional(m, path, O_RDONLY | O_DIRECTORY);
	snprintf(path, sizeof(path), "%s/view.sock", m->options.state);
	a->view = agent_optional(m, path, O_PATH);
	a->listen = mon_setup_listen(m, "content.sock", 0666);
	agent_missing(m, "it is being started");
	a->next_start = mono_now();
	if (a->program < 0 || a->content < 0 || a->staging < 0) {
		agent_missing(m, a->program < 0
				      ? "bailey-content is not installed"
				      : "its directories cannot be made");
		log_error("content is not managed: %s", a->why);
		a->next_start = (mono_t){ 0 };
	}
}

void mon_agent_remove(const struct mon *m)
{
	char path[4096];

	if (m->agent.managed) {
		snprintf(path, sizeof(path), "%s/content.sock",
			 m->options.state);
		unlink(path);
	}
}

/* ---- its life ---- */

static void agent_start(struct mon *m)
{
	struct mon_agent *a = &m->agent;
	struct helper_request r = { .job = HELPER_START_AGENT,
				    .limit_ms = AGENT_LIMIT_MS };
	int pair[2], size = AGENT_SOCKET_BYTES;

	a->next_start = mono_add(mono_now(), MONO_S);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
		return;
	}
	setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	const int fds[] = { a->program, pair[1], a->content, a->staging,
			    a->policy, a->listen, a->view };
	static_assert(sizeof(fds) / sizeof(*fds) ==
		      1 + AGENT_FD_END - AGENT_FD_MONITOR, "agent_fd");

	if (mon_helper_ask(m, &r, fds, sizeof(fds) / sizeof(*fds)) == 0) {
		a->socket = fd_take(&pair[0]);
		a->starting = true;
		a->started = mono_now();
		a->next_start = (mono_t){ 0 };
	}
	fd_closep(&pair[0]);
	close(pair[1]);
}

static void agent_plan(struct mon_agent *a)
{
	uint64_t ms;

	if (mono_between(a->started, mono_now()) > AGENT_QUICK_NS) {
		a->quick_deaths = 0;
	}
	ms = (uint64_t)AGENT_BACKOFF_MS
	     << (a->quick_deaths < 8 ? a->quick_deaths : 8);
	ms = ms < AGENT_BACKOFF_MAX_MS ? ms : AGENT_BACKOFF_MAX_MS;
	a->quick_deaths++;
	a->next_start = mono_add(mono_now(), ms * MONO_MS);
}

static void agent_lost(struct mon *m)
{
	struct mon_agent *a = &m->agent;

	if (a->socket >= 0) {
		close(fd_take(&a->socket));
		mon_preflights_end(m);
		mon_trials_abandon(m);
	}
	if (a->pid > 0) {
		kill(a->pid, SIGKILL);
	}
}

void mon_agent_ended(struct mon *m, int status)
{
	char why[VIEW_REASON];

	m->agent.pid = 0;
	agent_lost(m);
	if (WIFSIGNALED(status)) {
		text_format(why, sizeof(why), "it was killed by signal %d",
			    WTERMSIG(status));
	} else {
		text_format(why, sizeof(why), "it exited with %d",
			    WEXITSTATUS(status));
	}
	agent_missing(m, why);
	if (!m->stopping) {
		m->agent.restarts++;
		log_warning("the content agent is gone (%s); it is started "
			    "again", why);
		agent_plan(&m->agent);
	}
}

void mon_agent_due(struct mon *m)
{
	struct mon_agent *a = &m->agent;

	/* It is told what is, not what is under way. */
	if (a->managed && a->next_start.ns && !m->stopping && m->marked &&
	    a->next_start.ns <= mono_now().ns && !mon_trials_switching(m)) {
		agent_start(m);
	}
}

void mon_agent_tell(struct mon *m, const struct agent_message *message,
		    const int *fds, size_t count)
{
	if (m->agent.socket < 0 || m->agent.starting) {
		return;
	}
	if (pass_send(m->agent.socket, message, sizeof(*message), fds, count,
		      MSG_DONTWAIT) < 0) {
		log_error("the content agent does not listen; it is ended");
		agent_lost(m);
	}
}

/* ---- what it is told ---- */

static void product_events(const struct manifest_event *from,
			   struct agent_event *to)
{
	for (size_t i = 0; i < AGENT_EVENTS && i < MANIFEST_EVENTS; i++) {
		to[i] = (struct agent_event){ from[i].kind, from[i].optional,
					      from[i].deadline_ms };
	}
}

static void product_facts(const struct manifest *f, struct agent_product *to)
{
	*to = (struct agent_product){
		.reload = f->reload, .mode = f->mode,
		.deadline_max_ms = f->deadline_max_ms, .start_s = f->start_s,
		.hold = f->hold, .see_files = f->see_files,
		.see_arguments = f->see_arguments,
		.see_environment = f->see_environment,
		.memory_bytes = f->memory_bytes, .state_bytes = f->state_bytes,
		.on_miss = f->on_miss,
	};
	static_assert(sizeof(to->may_deny) == sizeof(f->may_deny),
		      "all of it is told");

	memcpy(to->may_deny, f->may_deny, sizeof(to->may_deny));
	memcpy(to->name, f->name, sizeof(to->name));
	memcpy(to->url, f->content_url, sizeof(to->url));
	memcpy(to->root, f->content_root, sizeof(to->root));
	product_events(f->ask, to->ask);
	product_events(f->notify, to->notify);
}

void mon_agent_product(struct mon *m, uint32_t index)
{
	const struct mon_product *p = &m->product[index];
	struct agent_message told = {
		.type = AGENT_PRODUCT, .index = index,
		.try = p->asked.try, .pid = p->asked.pid,
		.number = (p->asked.ready ? AGENT_PRODUCT_SERVING : 0) |
			  (p->kept ? AGENT_PRODUCT_FROZEN : 0) |
			  (p->wanted ? AGENT_PRODUCT_WANTED : 0) };

	if (!mon_product_managed(p)) {
		return;
	}
	product_facts(&p->manifest, &told.product);
	told.product.uid = MON_PRODUCT_UID + index;
	told.product.preflight_uid = MON_PREFLIGHT_UID + index;
	mon_agent_tell(m, &told, NULL, 0);
}

void mon_agent_ready(struct mon *m, uint32_t index)
{
	const struct mon_product *p = &m->product[index];
	struct agent_message told = { .type = AGENT_PRODUCT_READY,
				      .index = index, .try = p->asked.try,
				      .pid = p->asked.pid };

	if (mon_product_managed(p) && p->asked.ready) {
		memcpy(told.hash, p->asked.expect.hash, sizeof(told.hash));
		mon_agent_tell(m, &told, NULL, 0);
	}
}

void mon_agent_alarm(struct mon *m, uint32_t index)
{
	const struct mon_product *p = &m->product[index];
	struct agent_message told = { .type = AGENT_PRODUCT_ALARM,
				      .index = index };

	if (mon_product_managed(p) && p->alarm_wall) {
		memcpy(told.hash, p->alarm_hash, sizeof(told.hash));
		mon_agent_tell(m, &told, NULL, 0);
	}
}

void mon_agent_started(struct mon *m, const struct helper_reply *r)
{
	struct mon_agent *a = &m->agent;

	a->starting = false;
	if (r->error) {
		agent_lost(m);
		agent_missing(m, r->text);
		agent_plan(a);
		return;
	}
	a->pid = r->pid;
	a->why[0] = '\0';
	for (uint32_t i = 0; i < HANDOFF_PRODUCTS; i++) {
		mon_agent_product(m, i);
		mon_agent_ready(m, i);
		mon_agent_alarm(m, i);
	}
	mon_agent_tell(m, &(struct agent_message){ .type = AGENT_BEGIN,
						   .number = AGENT_VERSION },
		       NULL, 0);
	mon_child_early(m);
}

/* Which of its processes it was: the last one that ended, or one that still
 * runs. */
static void last_whose(const struct mon_product *p, uint32_t instance,
		       struct agent_message *told)
{
	const struct mon_instance *runs =
		p->asked.pid && p->asked.instance == instance ? &p->asked
		: p->beside.pid && p->beside.instance == instance ? &p->beside
								  : NULL;

	told->try = runs ? runs->try : p->ended.try;
	memcpy(told->hash, runs ? runs->expect.hash : p->ended.hash,
	       sizeof(told->hash));
}

void mon_agent_last(struct mon *m, const struct handoff_message *message,
		    const int *fds, size_t count)
{
	struct agent_message told = {
		.type = AGENT_LAST_QUESTIONS, .index = message->index,
		.held = (uint32_t)(count < AGENT_HELD ? count : AGENT_HELD) };

	last_whose(&m->product[message->index], message->instance, &told);
	memcpy(told.kind, message->kind, sizeof(told.kind));
	mon_agent_tell(m, &told, fds, told.held);
}

/* ---- what it asks ---- */

static int on_try_start(struct mon *m, const struct agent_message *r)
{
	for (size_t i = 0; i < AGENT_TRIES; i++) {
		if (m->try[i].id == r->try) {
			return EEXIST;
		}
	}
	for (uint32_t i = 0; i < HANDOFF_PRODUCTS; i++) {
		if (m->product[i].asked.try == r->try ||
		    (m->product[i].beside.pid &&
		     m->product[i].beside.try == r->try)) {
			return EEXIST;
		}
	}
	return r->purpose == AGENT_PREFLIGHT  ? mon_preflight_start(m, r)
	       : r->purpose == AGENT_PARALLEL ? mon_trial_start(m, r)
					      : EINVAL;
}

static int on_try_stop(struct mon *m, const struct agent_message *r)
{
	struct mon_product *p = &m->product[r->index];

	if ((p->beside.pid || p->beside.starting) && !p->kept &&
	    p->beside.try == r->try) {
		mon_instance_kill(&p->beside, AGENT_FAULT_NONE,
				  "its trial was given up");
		return 0;
	}
	return mon_preflight_stop(m, r->try);
}

static int on_restart(struct mon *m, const struct agent_message *r)
{
	struct mon_product *p = &m->product[r->index];

	if (!p->wanted) {
		return ESHUTDOWN;
	}
	if (p->kept || p->switched.ns) {
		return EBUSY;
	}
	p->quick_deaths = 0;
	if (p->asked.pid || p->asked.starting) {
		mon_instance_kill(&p->asked, AGENT_FAULT_NONE,
				  "it gets other content");
	} else {
		p->next_start = mono_now();
	}
	return 0;
}

static int on_live(struct mon *m, const struct agent_message *r)
{
	struct mon_product *p = &m->product[r->index];
	struct helper_request request = { .job = HELPER_CONTENT,
					  .index = r->index,
					  .limit_ms = AGENT_LIMIT_MS,
					  .manifest = p->manifest };
	int error;

	if (!p->asked.ready || p->live || p->kept || p->switched.ns) {
		return p->asked.ready ? EBUSY : EAGAIN;
	}
	error = mon_helper_ask(m, &request, NULL, 0);
	p->live = error == 0;
	return -error;
}

static void agent_done(struct mon *m, uint32_t index, int error)
{
	struct mon_product *p = &m->product[index];
	struct agent_message done = { .type = AGENT_CONTENT_DONE,
				      .index = index, .try = p->asked.try,
				      .number = (uint64_t)error };

	if (!p->live) {
		return;
	}
	p->live = false;
	memcpy(done.hash, p->live_expect.hash, sizeof(done.hash));
	if (error == 0) {
		p->asked.expect = p->live_expect;
	}
	mon_agent_tell(m, &done, NULL, 0);
}

void mon_agent_content(struct mon *m, const struct helper_reply *r,
		       const int *fds, size_t count)
{
	struct mon_product *p = &m->product[r->index];
	struct handoff_message content = { .type = HANDOFF_CONTENT,
					   .index = r->index,
					   .expect = r->expect };

	p->live_expect = r->expect;
	if (r->error || !p->asked.ready) {
		agent_done(m, r->index, r->error ? r->error : EAGAIN);
		return;
	}
	mon_engine_tell(m, &content, fds, count);
}

void mon_agent_content_done(struct mon *m,
			    const struct handoff_message *message)
{
	agent_done(m, message->index, (int)message->number);
}

static int on_alarm(struct mon *m, const struct agent_message *r)
{
	struct mon_product *p = &m->product[r->index];

	text_format(p->content_alarm, sizeof(p->content_alarm), "%.*s",
		    (int)sizeof(r->text), r->text);
	for (char *c = p->content_alarm; *c; c++) {
		*c = *c < 0x20 || *c == 0x7f ? '?' : *c;
	}
	p->content_alarm_wall = wall_now_ns();
	return 0;
}

/* Only other content than what raised the alarm, and only while that stands:
 * a person's word since then has ended it. */
static int on_believe(struct mon *m, const struct agent_message *r)
{
	const struct mon_product *p = &m->product[r->index];

	if (!p->alarm_wall || !p->asked.ready ||
	    memcmp(p->alarm_hash, r->hash, sizeof(r->hash)) != 0 ||
	    memcmp(p->asked.expect.hash, r->hash, sizeof(r->hash)) == 0) {
		return ENOENT;
	}
	log_notice("%s enforces again: the content that denied too much is "
		   "taken back", p->manifest.name);
	mon_product_mode(m, r->index, BAILEY_MODE_ENFORCE);
	return 0;
}

static const struct {
	uint32_t type;
	int (*act)(struct mon *, const struct agent_message *);
} agent_table[] = {
	{ AGENT_TRY_START, on_try_start },
	{ AGENT_TRY_STOP, on_try_stop },
	{ AGENT_SWITCH, mon_trial_switch },
	{ AGENT_SWITCH_BACK, mon_trial_back },
	{ AGENT_TRIAL_END, mon_trial_end },
	{ AGENT_RESTART, on_restart },
	{ AGENT_LIVE, on_live },
	{ AGENT_ALARM, on_alarm },
	{ AGENT_BELIEVE, on_believe },
};

static void agent_request(struct mon *m, const struct agent_message *r)
{
	struct agent_message refused = { .type = AGENT_REFUSED,
					 .index = r->index, .try = r->try,
					 .purpose = r->purpose,
					 .refused = r->type };
	int error = EINVAL;

	if (r->index < HANDOFF_PRODUCTS &&
	    mon_product_managed(&m->product[r->index]) &&
	    (r->type != AGENT_TRY_START || r->try)) {
		for (size_t i = 0;
		     i < sizeof(agent_table) / sizeof(*agent_table); i++) {
			if (agent_table[i].type == r->type) {
				error = agent_table[i].act(m, r);
			}
		}
	}
	if (error) {
		refused.number = (uint64_t)error;
		text_format(refused.text, sizeof(refused.text), "%s",
			    strerror(error));
		mon_agent_tell(m, &refused, NULL, 0);
	}
}

void mon_agent_read(struct mon *m)
{
	static struct agent_message r;
	int fds[PASS_FDS];
	size_t count;
	int got = pass_receive(m->agent.socket, &r, sizeof(r), fds, &count,
			       MSG_DONTWAIT);

	if (got == -EAGAIN) {
		return;
	}
	if (got <= 0 || r.type < AGENT_TRY_START) {
		if (got == 1 || got == -EBADMSG) {
			log_error("the content agent sent what is no request; "
				  "it is ended");
		}
		agent_lost(m);
	} else {
		agent_request(m, &r);
	}
	if (got == 1) {
		pass_close(fds, count);         /* it has none to give */
	}
}
