/* SPDX-License-Identifier: Apache-2.0 */
/*
 * preflight_case.c - a case or a recorded event becomes a question
 *
 * As in the engine: what the product's own rules decide, what it muted and
 * what it did not subscribe to is not asked. A question is kept as it was
 * put, with its descriptor, so that it can be put once more.
 */
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "agent/preflight_run.h"
#include "base/text.h"

#define CASE_UID 1000
#define CASE_EXE "/usr/bin/preflight"

/* ---- not asked ---- */

static bool prefixes(const char *path, size_t length, const char *prefix)
{
	size_t n = strlen(prefix);

	return n && length >= n && memcmp(path, prefix, n) == 0 &&
	       (prefix[n - 1] == '/' || length == n);
}

static bool names(const struct wire_event *event, unsigned field,
		  const char *prefix)
{
	const struct wire_string *s = &event->string[field - WIRE_NUMBERS];

	return prefixes((const char *)event + s->offset, s->length, prefix);
}

static bool muted(const struct preflight_run *run,
		  const struct wire_event *event)
{
	for (size_t i = 0; i < run->mutes; i++) {
		const struct bailey_mute *m = &run->mute[i];

		if (m->kind && m->kind != event->kind) {
			continue;
		}
		if ((m->by == BAILEY_MUTE_UID &&
		     m->number ==
			     (uint64_t)event->number[BAILEY_FIELD_UID]) ||
		    (m->by == BAILEY_MUTE_PATH &&
		     names(event, BAILEY_FIELD_PATH, m->path)) ||
		    (m->by == BAILEY_MUTE_EXE &&
		     names(event, BAILEY_FIELD_EXE_PATH, m->path))) {
			return true;
		}
	}
	return false;
}

/* ---- put ---- */

/* Copies the kept event to a slot; 0, or positive: it holds all it may. */
static int put(struct preflight_run *run, bool question)
{
	struct preflight_question *q = &run->question;
	uint32_t slot;
	struct wire_event *event = wire_slot(run, &slot);
	uint64_t id;
	mono_t now;

	if (!event) {
		run->outcome.figures.full++;
		return 1;
	}
	id = event->id;
	memcpy(event, q->event, q->event->size);
	event->id = id;
	now = mono_now();
	wire_number(event, BAILEY_FIELD_SEQUENCE, (int64_t)++run->sequence);
	wire_number(event, BAILEY_FIELD_TIME, (int64_t)now.ns);
	if (question) {
		q->due = mono_add(now, q->deadline_ms * MONO_MS);
		q->silence = mono_add(now, MONO_S + q->deadline_ms * MONO_MS *
						    PREFLIGHT_PATIENCE);
		wire_number(event, BAILEY_FIELD_DEADLINE, (int64_t)q->due.ns);
	}
	if (q->file >= 0 && wire_file(run, id, slot, q->file) < 0) {
		event->flags &= ~WIRE_EVENT_FILE;
	}
	q->id = id;
	q->slot = slot;
	q->asked = now;
	q->open = question;
	q->late = false;
	wire_publish(run, slot, question);
	return 0;
}

void case_again(struct preflight_run *run)
{
	run->question.again = true;
	if (put(run, true) > 0) {
		run_over(run, PREFLIGHT_MISS, run->question.name,
			 "holds more events than it may");
	}
}

/* The kept event is whole: ask, or say what stands without asking. */
static void ask(struct preflight_run *run)
{
	struct preflight_question *q = &run->question;
	int index = run_subscribed(run, q->event->kind);
	uint32_t verdict = rules_verdict(&run->rules, q->event);

	if (verdict != BAILEY_VERDICT_NONE) {
		run->outcome.figures.ruled++;
		run_compare(run, verdict);
		return;
	}
	if (index < 0 || !run->subscribed[index].question ||
	    muted(run, q->event)) {
		run_compare(run, BAILEY_VERDICT_ALLOW);
		return;
	}
	q->deadline_ms = run->subscribed[index].deadline_ms;
	q->event->flags = WIRE_EVENT_QUESTION;
	if (run->subscribed[index].file && q->file >= 0) {
		q->event->flags |= WIRE_EVENT_FILE;
	} else {
		fd_closep(&q->file);
		q->file = -1;
	}
	if (put(run, true) > 0) {
		run_compare(run, run->plan.manifest->on_miss == MANIFEST_DENY
					 ? BAILEY_VERDICT_DENY
					 : BAILEY_VERDICT_ALLOW);
		return;
	}
	run->outcome.figures.asked++;
}

static void question_reset(struct preflight_run *run, const char *name,
			   uint32_t expect)
{
	struct preflight_question *q = &run->question;

	fd_closep(&q->file);
	q->file = -1;
	q->open = q->late = q->again = false;
	q->expect = expect;
	text_format(q->name, sizeof(q->name), "%s", name);
	memset(q->event, 0, WIRE_SLOT_SIZE);
	q->event->size = sizeof(*q->event);
}

/* ---- cases ---- */

static int case_open(const struct preflight_run *run,
		     const struct preflight_case *c)
{
	struct open_how how = { .flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK,
				.resolve = RESOLVE_BENEATH |
					   RESOLVE_NO_SYMLINKS };
	char path[32];
	int fd;

	if (c->fd >= 0) {
		/* A description of our own: the product may move its offset. */
		snprintf(path, sizeof(path), "/proc/self/fd/%d", c->fd);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		return fd < 0 ? fcntl(c->fd, F_DUPFD_CLOEXEC, 0) : fd;
	}
	return (int)syscall(SYS_openat2, run->plan.corpus, c->name, &how,
			    sizeof(how));
}

static void case_describe(struct wire_event *event,
			  const struct preflight_case *c,
			  const struct stat *st)
{
	char label[PREFLIGHT_NAME + 16];
	uint32_t mode = c->kind == BAILEY_EVENT_PROCESS_EXEC ? 0100755
							     : 0100644;

	event->kind = c->kind;
	wire_number(event, BAILEY_FIELD_PID, 1000);
	wire_number(event, BAILEY_FIELD_PPID, 1);
	wire_number(event, BAILEY_FIELD_UID, CASE_UID);
	wire_number(event, BAILEY_FIELD_GID, CASE_UID);
	wire_number(event, BAILEY_FIELD_SESSION, 1000);
	wire_number(event, BAILEY_FIELD_START_TIME, 1);
	wire_number(event, BAILEY_FIELD_GENERATION, 1);
	wire_number(event, BAILEY_FIELD_EXE_DEVICE, (int64_t)st->st_dev);
	wire_number(event, BAILEY_FIELD_EXE_INODE, 1);
	wire_number(event, BAILEY_FIELD_UNCERTAIN, 0);
	wire_number(event, BAILEY_FIELD_DEVICE, (int64_t)st->st_dev);
	wire_number(event, BAILEY_FIELD_INODE, (int64_t)st->st_ino);
	wire_number(event, BAILEY_FIELD_OBJECT_GENERATION, 1);
	wire_number(event, BAILEY_FIELD_SIZE, st->st_size);
	wire_number(event, BAILEY_FIELD_FILE_MODE, mode);
	wire_number(event, BAILEY_FIELD_OWNER, CASE_UID);
	wire_number(event, BAILEY_FIELD_LINKS, 1);
	wire_number(event, BAILEY_FIELD_CHANGED,
		    (int64_t)st->st_ctim.tv_sec * (int64_t)MONO_S +
		    st->st_ctim.tv_nsec);
	wire_number(event, BAILEY_FIELD_PATH_FOREIGN, 0);
	text_format(label, sizeof(label), "%s%s",
		    c->label[0] ? "" : "/corpus/",
		    c->label[0] ? c->label : c->name);
	wire_string(event, BAILEY_FIELD_PATH, label);
	wire_string(event, BAILEY_FIELD_COMM, "preflight");
	wire_string(event, BAILEY_FIELD_EXE_PATH, CASE_EXE);
}

static void case_put(struct preflight_run *run, const struct preflight_case *c)
{
	struct preflight_question *q = &run->question;
	struct stat st;

	question_reset(run, c->name, c->expect);
	q->file = case_open(run, c);
	if (q->file < 0 || fstat(q->file, &st) < 0 || !S_ISREG(st.st_mode)) {
		run_over(run, PREFLIGHT_UNCLEAR, c->name,
			 "a file of the corpus cannot be read");
		return;
	}
	case_describe(q->event, c, &st);
	ask(run);
}

/* ---- recorded events ---- */

/* The recorded bytes as a read-only file of their own. */
static int content_file(int from, const struct record_content *content)
{
	cleanup_fd int fd = memfd_create("recorded", MFD_CLOEXEC);
	char bytes[16384], path[32];

	for (uint64_t done = 0; fd >= 0 && done < content->size;) {
		uint64_t left = content->size - done;
		ssize_t n = pread(from, bytes,
				  left < sizeof(bytes) ? left : sizeof(bytes),
				  (off_t)(content->offset + done));

		if (n <= 0 || write(fd, bytes, (size_t)n) != n) {
			return -1;
		}
		done += (uint64_t)n;
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return fd < 0 ? -1 : open(path, O_RDONLY | O_CLOEXEC);
}

static void record_put(struct preflight_run *run,
		       const struct record_content *content)
{
	struct preflight_question *q = &run->question;
	int index = run_subscribed(run, q->event->kind);

	if (q->event->flags & WIRE_EVENT_QUESTION) {
		if (q->event->flags & WIRE_EVENT_FILE) {
			q->file = content_file(run->plan.events, content);
		}
		ask(run);
		return;
	}
	q->event->flags = 0;
	if (index >= 0 && !run->subscribed[index].question &&
	    put(run, false) == 0) {
		run->outcome.figures.news++;
	}
}

static bool record_next(struct preflight_run *run)
{
	struct record_content content;
	char name[48];
	int r;

	snprintf(name, sizeof(name), "recorded event %u",
		 (unsigned)run->record.count + 1);
	question_reset(run, name, BAILEY_VERDICT_NONE);
	r = record_read(&run->record, run->question.event, &content);
	if (r > 0) {
		record_put(run, &content);
		return true;
	}
	run->recording = false;
	if (r < 0) {
		run_over(run, PREFLIGHT_UNCLEAR, name,
			 "the recorded events are malformed: %s",
			 record_fault(&run->record, NULL)
				 ? record_fault(&run->record, NULL)
				 : "unreadable");
	}
	return false;
}

bool case_next(struct preflight_run *run)
{
	if (run->questions++ >= PREFLIGHT_QUESTIONS) {
		return false;
	}
	if (run->next_case < run->plan.count) {
		const struct preflight_case *c =
			&run->plan.cases[run->next_case];

		if (++run->next_repeat >= c->repeat) {
			run->next_case++;
			run->next_repeat = 0;
		}
		case_put(run, c);
		return true;
	}
	return run->recording && record_next(run);
}
