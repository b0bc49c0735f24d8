/* SPDX-License-Identifier: Apache-2.0 */
/*
 * preflight_run.c - phases and deadlines of one run, and what comes of it
 *
 * See preflight.h and preflight_run.h. A crash outweighs a wrong verdict, so
 * a run goes on after one, to its end.
 */
#include "agent/preflight_run.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/text.h"

#define MEMORY_NS (50 * MONO_MS)        /* between two looks at its memory */
#define DECIDED_A_TURN 256u     /* cases that nobody is asked about */

int preflight_run_new(const struct preflight_plan *plan, int session, int statm,
		      struct preflight_run **ret_run)
{
	cleanup_fd int owned = session, owned_statm = statm;
	struct preflight_run *run = calloc(1, sizeof(*run));
	uint32_t ms = plan->total_ms ? plan->total_ms : PREFLIGHT_TOTAL_MS;
	int r;

	if (!run) {
		return -ENOMEM;
	}
	run->plan = *plan;
	run->statm = fd_take(&owned_statm);
	run->started = mono_now();
	run->ends = mono_add(run->started, ms * MONO_MS);
	run->session = fd_take(&owned);
	run->files = run->wake_product = run->wake_engine = -1;
	run->events_fd = run->events_ro_fd = run->answers_fd = -1;
	run->question.file = -1;
	run->question.event = calloc(1, WIRE_SLOT_SIZE);
	run->outcome.verdict = PREFLIGHT_PASSED;
	r = run->question.event ? wire_open(run) : -ENOMEM;
	if (r == 0 && plan->events >= 0) {
		r = record_reader_init(&run->record, plan->events);
		run->recording = r == 0;
	}
	if (r < 0) {
		preflight_run_free(run);
		return r;
	}
	*ret_run = run;
	return 0;
}

struct preflight_run *preflight_run_free(struct preflight_run *run)
{
	if (run) {
		wire_close(run);
		fd_closep(&run->statm);
		rules_fini(&run->rules);
		fd_closep(&run->question.file);
		free(run->question.event);
		free(run->took);
		free(run);
	}
	return NULL;
}

/* ---- the end ---- */

/* Looks at how much memory it has now. */
static void run_memory(struct preflight_run *run)
{
	struct preflight_figures *f = &run->outcome.figures;
	char text[128], *end;
	ssize_t n = run->statm < 0 ? -1
				   : pread(run->statm, text, sizeof(text) - 1,
					   0);
	uint64_t bytes;

	if (n <= 0) {
		return;         /* unknown, or it is gone already */
	}
	text[n] = '\0';
	strtoull(text, &end, 10);
	bytes = strtoull(end, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE);
	if (bytes > f->memory_bytes) {
		f->memory_bytes = bytes;
	}
}

static int compare_ns(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void figures_close(struct preflight_run *run)
{
	struct preflight_figures *f = &run->outcome.figures;
	size_t n = run->tooks;

	f->took_ns = mono_between(run->started, mono_now());
	run_memory(run);
	if (n) {
		qsort(run->took, n, sizeof(*run->took), compare_ns);
		f->median_ns = run->took[n / 2];
		f->p99_ns = run->took[n - 1 - n / 100];
		f->slowest_ns = run->took[n - 1];
	}
}

void run_over(struct preflight_run *run, enum preflight_verdict verdict,
	      const char *file, const char *format, ...)
{
	struct preflight_outcome *o = &run->outcome;
	va_list list;

	if (run->phase == PREFLIGHT_OVER) {
		return;
	}
	o->verdict = verdict;
	va_start(list, format);
	vsnprintf(o->text, sizeof(o->text), format, list);
	va_end(list);
	text_format(o->file, sizeof(o->file), "%s", file ? file : "");
	run->question.open = false;
	run->phase = PREFLIGHT_OVER;
	figures_close(run);
}

/* Not all at the end: what grows without bound is ended before. */
static void run_memory_judge(struct preflight_run *run)
{
	uint64_t most = run->plan.manifest->memory_bytes;
	uint64_t used;

	run_memory(run);
	run->looked = mono_now();
	used = run->outcome.figures.memory_bytes;
	if (most && used > most) {
		run_over(run, PREFLIGHT_MEMORY,
			 run->question.open ? run->question.name : NULL,
			 "used %llu MiB of memory, may use %llu",
			 (unsigned long long)(used >> 20),
			 (unsigned long long)(most >> 20));
	}
}

/* Every question is decided. */
static void run_finish(struct preflight_run *run)
{
	run_memory_judge(run);
	if (run->outcome.figures.wrong) {
		run_over(run, PREFLIGHT_WRONG, run->wrong_file, "%s",
			 run->wrong);
	} else {
		run_over(run, PREFLIGHT_PASSED, NULL, "%u questions answered "
			 "as expected",
			 run->outcome.figures.answered +
				 run->outcome.figures.ruled);
	}
}

/* Where it was when its process ended or its session closed. */
static void run_where(const struct preflight_run *run, char *ret_text,
		      size_t size)
{
	if (run->question.open) {
		text_format(ret_text, size, " at question %u (%s)",
			    run->outcome.figures.asked, run->question.name);
	} else if (run->outcome.figures.ready_ns) {
		text_format(ret_text, size, " after %u questions",
			    run->outcome.figures.asked);
	} else {
		text_format(ret_text, size, " while it loaded");
	}
}

void preflight_run_ended(struct preflight_run *run, int status,
			 const char *text)
{
	const char *file = run->question.open ? run->question.name : NULL;
	char where[PREFLIGHT_NAME + 48];

	if (run->phase == PREFLIGHT_OVER) {
		return;
	}
	run_requests(run);      /* what it still said */
	run_where(run, where, sizeof(where));
	if (status >= 0 && WIFSIGNALED(status)) {
		run_over(run, PREFLIGHT_CRASH, file,
			 "killed by signal %d (%s)%s", WTERMSIG(status),
			 strsignal(WTERMSIG(status)), where);
	} else if (status >= 0) {
		run_over(run, PREFLIGHT_EXIT, file, "exited with %d%s",
			 WEXITSTATUS(status), where);
	} else {
		run_over(run, PREFLIGHT_UNCLEAR, file, "%s", text);
	}
}

void preflight_run_cancel(struct preflight_run *run, const char *text)
{
	run_over(run, PREFLIGHT_UNCLEAR, NULL, "%s", text);
}

const struct preflight_outcome *
preflight_run_outcome(const struct preflight_run *run)
{
	return &run->outcome;
}

/* ---- verdicts ---- */

static const char *verdict_name(uint32_t verdict)
{
	return verdict == BAILEY_VERDICT_DENY ? "deny" : "allow";
}

void run_compare(struct preflight_run *run, uint32_t verdict)
{
	const struct preflight_question *q = &run->question;
	struct preflight_figures *f = &run->outcome.figures;

	f->denied += verdict == BAILEY_VERDICT_DENY;
	if (q->expect == BAILEY_VERDICT_NONE || q->expect == verdict) {
		return;
	}
	if (f->wrong++ == 0) {
		text_format(run->wrong, sizeof(run->wrong),
			    "%.160s: %s, expected %s", q->name,
			    verdict_name(verdict), verdict_name(q->expect));
		text_format(run->wrong_file, sizeof(run->wrong_file), "%s",
			    q->name);
	}
}

static void took_note(struct preflight_run *run, uint64_t ns)
{
	if (run->tooks == run->took_room) {
		size_t room = run->took_room ? 2 * run->took_room : 256;
		uint64_t *grown = realloc(run->took, room * sizeof(*grown));

		if (!grown) {
			return;         /* the figures are of those before */
		}
		run->took = grown;
		run->took_room = room;
	}
	run->took[run->tooks++] = ns;
}

void run_verdict(struct preflight_run *run, uint32_t verdict)
{
	struct preflight_question *q = &run->question;
	mono_t now = mono_now();

	q->open = false;
	q->late = q->late || now.ns > q->due.ns;
	if (!q->late) {
		run->outcome.figures.answered++;
		took_note(run, mono_between(q->asked, now));
		run_compare(run, verdict);
		return;
	}
	run->outcome.figures.late++;
	if (!q->again) {
		case_again(run);
		return;
	}
	run->outcome.figures.missed++;
	run_over(run, PREFLIGHT_MISS, q->name,
		 "answered twice after the deadline of %u ms", q->deadline_ms);
}

/* ---- turns ---- */

static mono_t run_start_limit(const struct preflight_run *run)
{
	return mono_add(run->started, run->plan.manifest->start_s * MONO_S);
}

static void run_deadlines(struct preflight_run *run)
{
	struct preflight_question *q = &run->question;
	mono_t now = mono_now();

	if (run->phase == PREFLIGHT_GONE &&
	    mono_between(run->gone, now) >= PREFLIGHT_GONE_NS) {
		run_over(run, PREFLIGHT_PROTOCOL, q->open ? q->name : NULL,
			 "closed its session and lives on");
	} else if (run->phase <= PREFLIGHT_LOADING &&
		   now.ns >= run_start_limit(run).ns) {
		run_over(run, PREFLIGHT_NOT_READY, NULL,
			 "not ready within %u s", run->plan.manifest->start_s);
	} else if (q->open && now.ns >= q->silence.ns) {
		run->outcome.figures.missed++;
		run_over(run, PREFLIGHT_HANG, q->name,
			 "did not answer question %u (%s)",
			 run->outcome.figures.asked, q->name);
	} else if (now.ns >= run->ends.ns) {
		run_over(run, PREFLIGHT_TIME, NULL,
			 "not through after %llu s",
			 (unsigned long long)(mono_between(run->started, now) /
					      MONO_S));
	} else if (q->open && now.ns > q->due.ns) {
		q->late = true;
	}
}

bool preflight_run_turn(struct preflight_run *run)
{
	if (run->phase == PREFLIGHT_OVER) {
		return true;
	}
	run_requests(run);
	if (run->phase != PREFLIGHT_OVER) {
		wire_drain(run);
	}
	if (run->phase != PREFLIGHT_OVER) {
		run_deadlines(run);
	}
	if (mono_between(run->looked, mono_now()) >= MEMORY_NS) {
		run_memory_judge(run);
	}
	for (unsigned i = 0; i < DECIDED_A_TURN && !run->question.open &&
	     run->phase == PREFLIGHT_ASKING; i++) {
		if (!case_next(run) && run->phase == PREFLIGHT_ASKING) {
			run_finish(run);
		}
	}
	return run->phase == PREFLIGHT_OVER;
}

size_t preflight_run_poll(const struct preflight_run *run,
			  struct pollfd ret_poll[PREFLIGHT_FDS],
			  mono_t *ret_due)
{
	const struct preflight_question *q = &run->question;
	mono_t due = run->ends;
	mono_t next = q->late ? q->silence : q->due;
	size_t n = 0;

	if (run->phase == PREFLIGHT_GONE) {
		next = mono_add(run->gone, PREFLIGHT_GONE_NS);
	} else if (run->phase <= PREFLIGHT_LOADING) {
		next = run_start_limit(run);
	} else if (!q->open) {
		next = run->phase == PREFLIGHT_ASKING ? mono_now() : due;
	}
	due = next.ns < due.ns ? next : due;
	next = mono_add(run->looked, MEMORY_NS);
	*ret_due = run->statm >= 0 && next.ns < due.ns ? next : due;
	if (run->session >= 0) {
		ret_poll[n++] = (struct pollfd){ .fd = run->session,
						 .events = POLLIN };
	}
	if (run->wake_engine >= 0) {
		ret_poll[n++] = (struct pollfd){ .fd = run->wake_engine,
						 .events = POLLIN };
	}
	return n;
}
