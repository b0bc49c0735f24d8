/* SPDX-License-Identifier: Apache-2.0 */
/*
 * eng_content.c - new content for a process that goes on running
 *
 * Service thread. The monitor hands over a directory; the product hears
 * control.content, finds the directory in bailey_directory(), loads it beside
 * what it has, and says done or why not. One that says nothing within its
 * start_s hangs: its session ends. Content that declares another schema than
 * the process stated is never offered (C1).
 */
#include <string.h>

#include "broker/eng.h"

bool eng_content_fits(const struct handoff_expect *expect,
		      const struct session *s)
{
	return !expect->managed ||
	       (expect->fields == s->fields &&
		memcmp(expect->schema, s->schema, sizeof(s->schema)) == 0);
}

static void content_tell(const struct session *s, int error)
{
	eng_monitor_tell(&(struct handoff_message){
		.type = HANDOFF_CONTENT_DONE, .index = s->product,
		.number = (uint64_t)error });
}

static void content_close(struct engine *e, struct session *s)
{
	if (s->content >= 0) {
		e->ours[s->content] = 0;
		close(s->content);
		s->content = -1;
	}
	s->content_since = (mono_t){ 0 };
	s->content_event = 0;
}

void eng_content_offer(struct engine *e, const struct handoff_message *m,
		       const int *fds, size_t count)
{
	struct session *s = &e->session[eng_asked(e, m->index)];
	int error = count != 1			       ? EINVAL
		    : s->phase != SESSION_SERVING      ? EAGAIN
		    : s->content_since.ns	       ? EBUSY
		    : !eng_content_fits(&m->expect, s) ? BAILEY_E_SCHEMA
						       : 0;

	if (error) {
		for (size_t i = 0; i < count; i++) {
			e->ours[fds[i]] = 0;
			close(fds[i]);
		}
		content_tell(s, error);
		return;
	}
	s->content = fds[0];
	s->content_expect = m->expect;
	s->content_since = mono_now();
	atomic_fetch_or(&s->tell, ENG_TELL_CONTENT);
	eng_reply_kick(e);
}

int eng_content_done(struct engine *e, struct session *s,
		     const struct wire_content_done *done)
{
	if (!s->content_event || done->id != s->content_event ||
	    done->error < 0 || done->error > UINT16_MAX) {
		return EINVAL;
	}
	content_close(e, s);
	if (done->error == 0) {
		s->expect = s->content_expect;
		s->serial++;            /* what it died over is another's */
		eng_verdicts_expire(e);
	}
	content_tell(s, done->error);
	return 0;
}

bool eng_content_late(const struct session *s)
{
	return s->content_since.ns &&
	       mono_between(s->content_since, mono_now()) >
		       s->manifest.start_s * MONO_S;
}

void eng_content_forget(struct engine *e, struct session *s)
{
	atomic_fetch_and(&s->tell, ~(uint32_t)ENG_TELL_CONTENT);
	content_close(e, s);
}
