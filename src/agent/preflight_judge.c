/* SPDX-License-Identifier: Apache-2.0 */
/*
 * preflight_judge.c - the candidate beside the version in use
 *
 * Both were driven in the same way, on the same host, one after the other.
 * Only the median is compared: single events suffer from what else runs.
 */
#include <jansson.h>
#include <string.h>

#include "agent/preflight.h"
#include "base/text.h"

#define SLOW_PERCENT 300u       /* of the median before */
#define SLOW_NS (2 * MONO_MS)   /* and at least so much more */
#define SLOW_ANSWERS 16u        /* fewer say nothing about time */

static const char *const verdict_names[] = {
#define NAME(sym, num, name, help) [num] = name,
	PREFLIGHT_VERDICT_TABLE(NAME)
#undef NAME
};

const char *preflight_verdict_name(enum preflight_verdict verdict)
{
	return verdict <= PREFLIGHT_UNCLEAR ? verdict_names[verdict]
					    : "unclear";
}

/* Was it driven through all that there was? */
static bool whole(const struct preflight_outcome *o)
{
	return o && o->figures.median_ns &&
	       (o->verdict == PREFLIGHT_PASSED ||
		o->verdict == PREFLIGHT_WRONG ||
		o->verdict == PREFLIGHT_MEMORY);
}

void preflight_judge(const struct preflight_outcome *candidate,
		     const struct preflight_outcome *baseline,
		     struct preflight_result *ret_result)
{
	struct preflight_result r = { .candidate = *candidate };
	uint64_t now = candidate->figures.median_ns, before;

	if (baseline) {
		r.baseline = baseline->figures;
	}
	if (whole(candidate) && whole(baseline)) {
		before = baseline->figures.median_ns;
		r.compared = true;
		r.ratio_percent = now * 100 / before > UINT32_MAX
					  ? UINT32_MAX
					  : (uint32_t)(now * 100 / before);
		if (candidate->verdict == PREFLIGHT_PASSED &&
		    candidate->figures.answered >= SLOW_ANSWERS &&
		    baseline->figures.answered >= SLOW_ANSWERS &&
		    r.ratio_percent > SLOW_PERCENT && now - before > SLOW_NS) {
			r.candidate.verdict = PREFLIGHT_SLOW;
			text_format(r.candidate.text, sizeof(r.candidate.text),
				    "an event takes %llu us, %llu us before",
				    (unsigned long long)(now / 1000),
				    (unsigned long long)(before / 1000));
		}
	}
	*ret_result = r;
}

/* ---- JSON ---- */

/* X(field, divisor of what is told) */
#define FIGURE_TABLE(X)                                                       \
	X(asked, asked, 1) X(answered, answered, 1) X(ruled, ruled, 1)        \
	X(denied, denied, 1) X(deferred, deferred, 1) X(late, late, 1)        \
	X(missed, missed, 1) X(full, full, 1) X(wrong, wrong, 1)              \
	X(news, news, 1) X(ready_us, ready_ns, 1000)                          \
	X(median_us, median_ns, 1000) X(p99_us, p99_ns, 1000)                 \
	X(slowest_us, slowest_ns, 1000) X(memory_bytes, memory_bytes, 1)      \
	X(took_us, took_ns, 1000)

static json_t *figures_json(const struct preflight_figures *f)
{
	json_t *o = json_object();

#define FIGURE(name, field, divisor)                                          \
	json_object_set_new(o, #name,                                         \
			    json_integer((json_int_t)(f->field / (divisor))));
	FIGURE_TABLE(FIGURE)
#undef FIGURE
	return o;
}

/* Bytes that a product chose need not be UTF-8. */
static json_t *text_json(const char *text)
{
	char clean[PREFLIGHT_TEXT];
	json_t *string = json_string(text);

	if (string) {
		return string;
	}
	text_format(clean, sizeof(clean), "%s", text);
	for (char *c = clean; *c; c++) {
		*c = (unsigned char)*c < 0x80 ? *c : '?';
	}
	return json_string(clean);
}

char *preflight_json(const struct preflight_result *result)
{
	const struct preflight_outcome *c = &result->candidate;
	json_t *o = json_object(), *log = json_array();
	char *text;

	for (size_t i = 0; i < c->logs; i++) {
		json_array_append_new(log, text_json(c->log[i]));
	}
	json_object_set_new(o, "verdict",
			    json_string(preflight_verdict_name(c->verdict)));
	json_object_set_new(o, "text", text_json(c->text));
	json_object_set_new(o, "file", text_json(c->file));
	json_object_set_new(o, "schema", text_json(c->schema));
	json_object_set_new(o, "fields", json_integer(c->fields));
	json_object_set_new(o, "figures", figures_json(&c->figures));
	if (result->compared) {
		json_object_set_new(o, "baseline",
				    figures_json(&result->baseline));
		json_object_set_new(o, "ratio_percent",
				    json_integer(result->ratio_percent));
	}
	json_object_set_new(o, "log", log);
	text = json_dumps(o, JSON_INDENT(2));
	json_decref(o);
	return text;
}
