/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What does preflight say of products that crash, hang, lie and answer well?
 *
 * Real programs (rogue in its modes, scan with good and broken rules) against
 * the driver, without root.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>

#include <cmocka.h>

#include "agent/preflight_process.h"
#include "base/text.h"

#define EICAR_FIRST "X5O!P%@AP[4\\PZX54(P^)7CC)7}$"
#define EICAR_LAST "EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"

static const char *rogue, *scan, *source;
static char corpus_path[] = "/tmp/preflight-XXXXXX";
static int corpus;

/* Good files are allowed, evil is denied. */
static const struct preflight_case cases[] = {
	{ "good", "", -1, BAILEY_EVENT_FILE_OPEN, BAILEY_VERDICT_ALLOW, 3 },
	{ "evil", "", -1, BAILEY_EVENT_FILE_OPEN, BAILEY_VERDICT_DENY, 1 },
	{ "evil", "/usr/bin/ls", -1, BAILEY_EVENT_PROCESS_EXEC,
	  BAILEY_VERDICT_NONE, 1 },
	{ "good", "", -1, BAILEY_EVENT_PROCESS_EXEC, BAILEY_VERDICT_ALLOW, 1 },
};

static void write_file(const char *name, const char *first, const char *last)
{
	int fd = openat(corpus, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_true(dprintf(fd, "%s%s", first, last) > 0);
	close(fd);
}

static int set_up(void **state)
{
	assert_non_null(mkdtemp(corpus_path));
	assert_int_equal(chmod(corpus_path, 0755), 0);
	corpus = open(corpus_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	write_file("good", "an innocent file", "\n");
	write_file("evil", EICAR_FIRST, EICAR_LAST);
	write_file("broken.yar", "rule broken { strings: ", "\n");
	return 0;
}

static int tear_down(void **state)
{
	unlinkat(corpus, "good", 0);
	unlinkat(corpus, "evil", 0);
	unlinkat(corpus, "broken.yar", 0);
	close(corpus);
	rmdir(corpus_path);
	return 0;
}

static void manifest_for(struct manifest *ret, const char *program,
			 const char *mode, const char *argument, uint32_t ms)
{
	manifest_defaults(ret);
	text_format(ret->name, sizeof(ret->name), "product");
	text_format(ret->exec, sizeof(ret->exec), "%s", program);
	text_format(ret->argument[0], sizeof(ret->argument[0]), "%s", mode);
	text_format(ret->argument[1], sizeof(ret->argument[1]), "%s",
		    argument);
	ret->ask[0] = (struct manifest_event){ BAILEY_EVENT_FILE_OPEN, 0, ms };
	ret->ask[1] = (struct manifest_event){ BAILEY_EVENT_PROCESS_EXEC, 0,
					       ms };
	ret->deadline_max_ms = 20000;
	ret->start_s = 20;
	ret->hold = 64;
	ret->see_files = 1;
	ret->memory_bytes = 1ull << 30;
}

static struct preflight_plan plan_for(const struct manifest *m)
{
	return (struct preflight_plan){
		.manifest = m, .corpus = corpus, .events = -1, .cases = cases,
		.count = sizeof(cases) / sizeof(*cases),
		.directory = { -1, -1, -1, -1 },
	};
}

/* Deadlines that no loaded machine misses, and ones that are to be missed. */
#define AMPLE 4000u
#define SHORT 60u

static struct preflight_outcome outcome_of(const char *mode,
					   const char *argument, uint32_t ms)
{
	struct preflight_outcome outcome;
	struct preflight_lack lack;
	struct manifest m;
	struct preflight_plan plan;

	manifest_for(&m, rogue, mode, argument, ms);
	plan = plan_for(&m);
	assert_int_equal(preflight_drive(&plan, &outcome, &lack, NULL), 0);
	return outcome;
}

static void expect(const char *mode, const char *argument, uint32_t ms,
		   enum preflight_verdict verdict, const char *file)
{
	struct preflight_outcome o = outcome_of(mode, argument, ms);

	if (o.verdict != verdict || strcmp(o.file, file) != 0) {
		fail_msg("%s: %s (%s) about \"%s\"", mode,
			 preflight_verdict_name(o.verdict), o.text, o.file);
	}
}

static void does_a_good_product_pass(void **state)
{
	struct preflight_outcome o = outcome_of("deny-name", "evil", AMPLE);

	assert_int_equal(o.verdict, PREFLIGHT_PASSED);
	assert_int_equal(o.figures.asked, 6);
	assert_int_equal(o.figures.answered, 6);
	assert_int_equal(o.figures.denied, 1);
	assert_true(o.figures.median_ns > 0);
	assert_true(o.figures.ready_ns > 0);
	assert_true(o.figures.memory_bytes > 4096);
}

static void is_a_wrong_verdict_seen(void **state)
{
	expect("allow", "", AMPLE, PREFLIGHT_WRONG, "evil");
	expect("deny-all", "", AMPLE, PREFLIGHT_WRONG, "good");
	/* A deferral is its fallback: allow. */
	expect("defer-all", "", AMPLE, PREFLIGHT_WRONG, "evil");
}

static void is_a_death_seen_and_where(void **state)
{
	expect("crash-on", "evil", AMPLE, PREFLIGHT_CRASH, "evil");
	expect("segfault", "", AMPLE, PREFLIGHT_CRASH, "good");
	expect("exit0", "", AMPLE, PREFLIGHT_EXIT, "good");
	expect("exit-at-start", "", AMPLE, PREFLIGHT_EXIT, "");
}

/* Process 1 of a namespace dies of abort() by what abort() does last; a
 * sanitizer makes that an exit. */
static void is_an_abort_seen(void **state)
{
	struct preflight_outcome o = outcome_of("abort", "", AMPLE);

	assert_true(o.verdict == PREFLIGHT_CRASH ||
		    o.verdict == PREFLIGHT_EXIT);
	assert_string_equal(o.file, "good");
}

static void is_silence_a_hang(void **state)
{
	expect("hang", "", SHORT, PREFLIGHT_HANG, "good");
	expect("stop", "", SHORT, PREFLIGHT_HANG, "good");
	expect("spin", "", SHORT, PREFLIGHT_HANG, "good");
}

static void is_lateness_a_miss(void **state)
{
	expect("late", "", SHORT, PREFLIGHT_MISS, "good");
	expect("delay", "100", SHORT, PREFLIGHT_MISS, "good");
}

static void is_a_broken_protocol_seen(void **state)
{
	expect("others", "", AMPLE, PREFLIGHT_PROTOCOL, "good");
	expect("overrun", "", AMPLE, PREFLIGHT_PROTOCOL, "good");
	expect("send-fds", "", AMPLE, PREFLIGHT_PROTOCOL, "good");
	expect("close", "", AMPLE, PREFLIGHT_PROTOCOL, "good");
}

static void is_a_deferral_the_manifests_fallback(void **state)
{
	struct preflight_outcome o;
	struct preflight_lack lack;
	struct preflight_plan plan;
	struct manifest m;

	manifest_for(&m, rogue, "defer-all", "", AMPLE);
	m.on_miss = MANIFEST_DENY;
	plan = plan_for(&m);
	assert_int_equal(preflight_drive(&plan, &o, &lack, NULL), 0);
	assert_int_equal(o.verdict, PREFLIGHT_WRONG);
	assert_string_equal(o.file, "good");
}

static void are_refused_rules_a_failure(void **state)
{
	expect("rule-deny", "/", AMPLE, PREFLIGHT_RULE, "");
}

static void is_readiness_bounded(void **state)
{
	struct preflight_outcome outcome;
	struct preflight_lack lack;
	struct preflight_plan plan;
	struct manifest m;

	manifest_for(&m, rogue, "never-ready", "", AMPLE);
	m.start_s = 1;
	plan = plan_for(&m);
	assert_int_equal(preflight_drive(&plan, &outcome, &lack, NULL), 0);
	assert_int_equal(outcome.verdict, PREFLIGHT_NOT_READY);
	m.start_s = 20;
	plan.total_ms = 500;
	assert_int_equal(preflight_drive(&plan, &outcome, &lack, NULL), 0);
	assert_int_equal(outcome.verdict, PREFLIGHT_TIME);
	assert_true(preflight_could_not_tell(outcome.verdict));
}

static void is_memory_bounded(void **state)
{
	struct preflight_outcome outcome;
	struct preflight_lack lack;
	struct preflight_plan plan;
	struct manifest m;

	manifest_for(&m, rogue, "alloc", "", AMPLE);
	m.memory_bytes = 64u << 20;
	plan = plan_for(&m);
	assert_int_equal(preflight_drive(&plan, &outcome, &lack, NULL), 0);
	if (lack.error[PREFLIGHT_MEASURE_NAMESPACES]) {
		skip();         /* rogue refuses without a pid namespace */
	}
	assert_int_equal(outcome.verdict, PREFLIGHT_MEMORY);
}

static void is_another_schema_refused(void **state)
{
	static const uint32_t fields[] = { 1, 65535 };
	struct preflight_outcome outcome;
	struct preflight_lack lack;
	struct preflight_plan plan;
	struct manifest m;

	manifest_for(&m, rogue, "deny-name", "evil", AMPLE);
	plan = plan_for(&m);
	plan.check_schema = true;
	for (size_t i = 0; i < 2; i++) {
		plan.fields = fields[i];
		assert_int_equal(preflight_drive(&plan, &outcome, &lack, NULL),
				 0);
		assert_int_equal(outcome.verdict, PREFLIGHT_SCHEMA);
	}
	plan.fields = 0;
	text_format(plan.schema, sizeof(plan.schema), "other/1");
	assert_int_equal(preflight_drive(&plan, &outcome, &lack, NULL), 0);
	assert_int_equal(outcome.verdict, PREFLIGHT_SCHEMA);
	plan.schema[0] = '\0';
	assert_int_equal(preflight_drive(&plan, &outcome, &lack, NULL), 0);
	assert_int_equal(outcome.verdict, PREFLIGHT_PASSED);
}

static void is_slowness_judged_against_before(void **state)
{
	struct preflight_outcome fast = outcome_of("deny-name", "evil", AMPLE);
	struct preflight_outcome slow = fast;
	struct preflight_result result;

	preflight_judge(&fast, &fast, &result);
	assert_int_equal(result.candidate.verdict, PREFLIGHT_PASSED);
	assert_int_equal(result.ratio_percent, 100);
	slow.figures.median_ns = fast.figures.median_ns * 4 + 10 * MONO_MS;
	preflight_judge(&slow, &fast, &result);
	assert_int_equal(result.candidate.verdict, PREFLIGHT_PASSED);
	slow.figures.answered = fast.figures.answered = 16;
	preflight_judge(&slow, &fast, &result);
	assert_int_equal(result.candidate.verdict, PREFLIGHT_SLOW);
	preflight_judge(&slow, NULL, &result);
	assert_int_equal(result.candidate.verdict, PREFLIGHT_PASSED);
	assert_false(result.compared);
}

static struct preflight_outcome scan_with(int content, uint64_t memory)
{
	struct preflight_outcome outcome;
	struct preflight_lack lack;
	struct preflight_plan plan;
	struct manifest m;

	manifest_for(&m, scan, "", "", AMPLE);
	m.memory_bytes = memory;
	plan = plan_for(&m);
	plan.directory[1] = content;
	assert_int_equal(preflight_drive(&plan, &outcome, &lack, NULL), 0);
	return outcome;
}

static void does_scan_pass_with_its_rules_and_fail_with_broken_ones(
	void **state)
{
	struct preflight_outcome o;
	char path[512];
	int rules;

	snprintf(path, sizeof(path), "%s/products/scan/rules", source);
	rules = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(rules >= 0);
	o = scan_with(rules, 2ull << 30);
	if (o.verdict != PREFLIGHT_PASSED) {
		fail_msg("%s", o.text);
	}
	assert_true(o.logs > 0);
	o = scan_with(rules, 1u << 20);
	assert_int_equal(o.verdict, PREFLIGHT_MEMORY);
	close(rules);
	o = scan_with(corpus, 2ull << 30);
	assert_int_equal(o.verdict, PREFLIGHT_EXIT);
	assert_non_null(strstr(o.text, "exited with 78 while it loaded"));
}

static void does_the_json_say_it(void **state)
{
	struct preflight_outcome o = outcome_of("crash-on", "evil", AMPLE);
	struct preflight_result result;
	char *text;

	preflight_judge(&o, &o, &result);
	text = preflight_json(&result);
	assert_non_null(strstr(text, "\"verdict\": \"crash\""));
	assert_non_null(strstr(text, "\"file\": \"evil\""));
	assert_null(strstr(text, "ratio_percent"));
	free(text);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(does_a_good_product_pass),
		cmocka_unit_test(is_a_wrong_verdict_seen),
		cmocka_unit_test(is_a_death_seen_and_where),
		cmocka_unit_test(is_an_abort_seen),
		cmocka_unit_test(is_silence_a_hang),
		cmocka_unit_test(is_lateness_a_miss),
		cmocka_unit_test(is_a_broken_protocol_seen),
		cmocka_unit_test(is_a_deferral_the_manifests_fallback),
		cmocka_unit_test(are_refused_rules_a_failure),
		cmocka_unit_test(is_readiness_bounded),
		cmocka_unit_test(is_memory_bounded),
		cmocka_unit_test(is_another_schema_refused),
		cmocka_unit_test(is_slowness_judged_against_before),
		cmocka_unit_test(
		  does_scan_pass_with_its_rules_and_fail_with_broken_ones),
		cmocka_unit_test(does_the_json_say_it),
	};

	source = getenv("SOURCE");
	if (argc != 3 || !source) {
		return EX_USAGE;
	}
	rogue = argv[1];
	scan = argv[2];
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
