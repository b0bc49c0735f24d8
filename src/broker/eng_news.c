/* SPDX-License-Identifier: Apache-2.0 */
/*
 * eng_news.c - news and control events: nobody waits for them
 *
 * Reply thread. News may use half of a product's slots; what does not fit is
 * dropped, counted, and told by control.lost as soon as there is room.
 */
#include <sys/socket.h>

#include "base/pass.h"
#include "broker/eng_slot.h"

static const struct {
	uint32_t bit;
	uint32_t kind;
	enum bailey_field field;        /* 0: none */
} tell_table[] = {
	{ ENG_TELL_MODE, BAILEY_EVENT_MODE, BAILEY_FIELD_MODE_NOW },
	{ ENG_TELL_CONFIG, BAILEY_EVENT_CONFIG, 0 },
	{ ENG_TELL_STOP, BAILEY_EVENT_STOP, 0 },
};

static bool tell_one(struct engine *e, struct session *s, uint32_t kind,
		     enum bailey_field field, uint64_t value)
{
	struct wire_event *w;
	uint16_t slot;

	if (!s->free_count) {
		return false;           /* again when it gives one back */
	}
	slot = s->free_slot[--s->free_count];
	w = eng_slot_begin(e, s, slot, kind, ++e->next_id);
	eng_slot_number(w, BAILEY_FIELD_TIME, mono_now().ns);
	if (field) {
		eng_slot_number(w, field, value);
	}
	eng_slot_give(s, slot,
		      &(struct slot){ .id = w->id, .question = QUESTION_NONE },
		      &e->region[s->index].events->news, &s->news_head);
	eng_wake(e, s);
	return true;
}

/* The directory goes first: whoever takes the event finds it. */
static bool tell_content(struct engine *e, struct session *s)
{
	struct wire_file file;
	struct wire_event *w;
	uint16_t slot;

	if (!s->free_count || s->content < 0) {
		return s->content < 0;
	}
	slot = s->free_slot[s->free_count - 1];
	file = (struct wire_file){ .id = e->next_id + 1, .slot = slot };
	if (pass_send(s->files, &file, sizeof(file), &s->content, 1,
		      MSG_DONTWAIT) < 0) {
		return false;
	}
	s->free_count--;
	w = eng_slot_begin(e, s, slot, BAILEY_EVENT_CONTENT, ++e->next_id);
	eng_slot_number(w, BAILEY_FIELD_TIME, mono_now().ns);
	w->flags = WIRE_EVENT_FILE;
	s->content_event = w->id;
	eng_slot_give(s, slot,
		      &(struct slot){ .id = w->id, .question = QUESTION_NONE },
		      &e->region[s->index].events->news, &s->news_head);
	eng_wake(e, s);
	return true;
}

void eng_tell(struct engine *e, struct session *s)
{
	uint32_t tell = atomic_load_explicit(&s->tell, memory_order_relaxed);
	struct session *product = &e->session[s->product];

	for (size_t i = 0; tell && i < sizeof(tell_table) /
					      sizeof(*tell_table); i++) {
		if ((tell & tell_table[i].bit) &&
		    tell_one(e, s, tell_table[i].kind, tell_table[i].field,
			     atomic_load(&product->mode))) {
			atomic_fetch_and(&s->tell, ~tell_table[i].bit);
		}
	}
	if ((tell & ENG_TELL_CONTENT) && tell_content(e, s)) {
		atomic_fetch_and(&s->tell, ~(uint32_t)ENG_TELL_CONTENT);
	}
	if (product->news_told != product->view.news_lost &&
	    eng_is_asked(e, s) && s->free_count > s->manifest.hold / 2 &&
	    tell_one(e, s, BAILEY_EVENT_LOST, BAILEY_FIELD_COUNT,
		     product->view.news_lost - product->news_told)) {
		product->news_told = product->view.news_lost;
	}
}

void eng_news(struct engine *e, struct session *s, uint32_t kind,
	      const struct process_record *record)
{
	struct wire_event *w;
	uint16_t slot;

	/* Half of the slots are kept for questions. */
	if (s->free_count <= s->manifest.hold / 2) {
		e->session[s->product].view.news_lost++;
		return;
	}
	slot = s->free_slot[--s->free_count];
	w = eng_slot_begin(e, s, slot, kind, ++e->next_id);
	eng_slot_number(w, BAILEY_FIELD_TIME, record->time_ns);
	eng_slot_process(e, w, s, record->pid);
	if (kind == BAILEY_EVENT_PROCESS_EXIT) {
		eng_slot_number(w, BAILEY_FIELD_EXIT_STATUS,
				(uint64_t)record->status);
	}
	e->session[s->product].view.news++;
	eng_slot_give(s, slot,
		      &(struct slot){ .id = w->id, .question = QUESTION_NONE },
		      &e->region[s->index].events->news, &s->news_head);
	eng_wake(e, s);
}
