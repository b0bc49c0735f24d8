/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What may each misbehaviour of a product cost the host? Nothing but that
 * product's own session.
 *
 * A row is one mode of products/rogue. Rows of a group run in one `bailey run`
 * beside the honest product `scan`, while an ordinary user opens innocent
 * files and EICAR without a pause. For each group must hold: no innocent open
 * is refused (or only as many as the brake lets pass), none takes longer than
 * the longest deadline that somebody lets pass; EICAR is never allowed; scan
 * misses nothing and is not restarted; monitor, keeper and worker are the same
 * processes before and after (P1-P4, P6, P9, P10).
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "test_life_host.h"

#define SLACK_MS 250            /* beyond a deadline: a loaded machine */
#define SETTLE_MS 20000
#define OPENS 500u              /* innocent opens that a group must see */

enum ending { STAYS, ENDS, EITHER };

struct row {
	const char *mode, *argument;
	enum ending ending;
	unsigned wait_ms;       /* that an innocent may wait for it */
	const char *state;      /* at the end; null: any */
	const char *fault;      /* in last_fault or last_exit; null: any */
	const char *counter;    /* of status, which must reach `least` */
	double least;
	const char *policy;
};

#define HUNG "answered nothing for two deadlines"
#define BRAKE "max_denials = 5 in 10s\n"

/* ---- modes that the broker lives with ---- */

static const struct row stays[] = {
	{ "allow", "", STAYS, 0, "serving", NULL, "answered", 100, NULL },
	{ "allow-file", "", STAYS, 0, "serving", NULL, "answered", 100, NULL },
	{ "allow-object", "", STAYS, 0, "serving", NULL, "answered", 100,
	  NULL },
	{ "observe", "", STAYS, 0, "serving", NULL, "answered", 100, NULL },
	{ "delay", "5", STAYS, 5, "serving", NULL, "answered", 100, NULL },
	{ "deny-name", "evil", STAYS, 0, "serving", NULL, "answered", 100,
	  NULL },
	{ "slow-load", "60", STAYS, 0, "loading", NULL, NULL, 0, NULL },
	{ "resize", "", STAYS, 0, "serving", NULL, "answered", 100, NULL },
	{ "remap", "", STAYS, 0, "serving", NULL, "answered", 100, NULL },
	{ "pipes", "", STAYS, 0, "serving", NULL, "answered", 100, NULL },
	{ "lock", "", STAYS, 0, "serving", NULL, "answered", 100, NULL },
	{ "seek", "", STAYS, 0, "serving", NULL, "answered", 100, NULL },
	{ "twice", "", STAYS, 0, "serving", NULL, "late", 100, NULL },
	{ "threads", "", STAYS, 0, "serving", NULL, "answered", 100, NULL },
	{ "keep-fds", "", STAYS, 0, "serving", NULL, "answered", 100, NULL },
};

/* ---- modes that die, or break the protocol ---- */

static const struct row ends[] = {
	{ "segfault", "", ENDS, 0, NULL, "signal 11", NULL, 0, NULL },
	/* process 1 of a namespace is spared SIGABRT; abort() then faults */
	{ "abort", "", ENDS, 0, NULL, "killed by signal", NULL, 0, NULL },
	{ "exit0", "", ENDS, 0, NULL, "exited with 0", NULL, 0, NULL },
	/* the object is poison for it after two crashes; then it serves */
	{ "crash-on", "good7", ENDS, 0, "serving", "signal 11", "poison", 1,
	  NULL },
	{ "exit-at-start", "", ENDS, 0, NULL, "exited with 0", NULL, 0, NULL },
	{ "never-ready", "", ENDS, 0, NULL, "did not become ready in time",
	  NULL, 0, "start_s = 1\n" },
	{ "others", "", ENDS, 0, NULL, "answered for", "faults", 1, NULL },
	{ "overrun", "", ENDS, 0, NULL, "impossible answer count", "faults", 1,
	  NULL },
	{ "punch", "", ENDS, 0, NULL, "", "faults", 1, NULL },
	{ "garbage", "", ENDS, 0, NULL, "malformed request", "faults", 1,
	  NULL },
	/* on a slow machine it is ended for its silence first */
	{ "flood", "", ENDS, 100, NULL, "", "faults", 1, NULL },
	{ "close", "", ENDS, 0, NULL, "closed its session", NULL, 0, NULL },
	{ "send-fds", "", ENDS, 0, NULL, "sent descriptors", "faults", 1,
	  NULL },
	{ "scribble", "", ENDS, 0, NULL, "", "faults", 1, NULL },
	{ "no-receive", "", EITHER, 0, NULL, NULL, "full", 1, NULL },
};

/* ---- modes that are silent or late, or take what there is ---- */

static const struct row silent[] = {
	{ "hang", "", ENDS, 100, NULL, HUNG, "missed", 1, NULL },
	{ "hold", "", ENDS, 100, NULL, HUNG, "missed", 1, NULL },
	{ "stop", "", ENDS, 100, NULL, HUNG, "missed", 1, NULL },
	{ "spin", "", ENDS, 100, NULL, HUNG, "missed", 1, NULL },
	{ "alloc", "", ENDS, 100, NULL, "signal 9", "asked", 1, NULL },
	{ "fork-bomb", "", ENDS, 100, NULL, HUNG, "missed", 1, NULL },
	{ "late", "", EITHER, 200, NULL, NULL, "missed", 2,
	  "deadline_ms = open:200 exec:500\n" },
	{ "defer-all", "", STAYS, 0, "serving", NULL, "full", 1,
	  "hold = 16\n" },
};

/* ---- modes that deny ---- */

static const struct row deniers[] = {
	{ "deny-all", "", STAYS, 0, "serving", "put into observe",
	  "would_deny", 100, BRAKE },
	{ "revise-all", "", STAYS, 0, "serving", "put into observe",
	  "answered", 100, BRAKE },
	/* outside of what it may deny: refused */
	{ "rule-deny", "/", STAYS, 0, "serving", NULL, "answered", 100, NULL },
	{ "rule-deny-root", "", ENDS, 0, NULL, "signal 11", NULL, 0, NULL },
};

#define LENGTH(array) (sizeof(array) / sizeof(*(array)))

static const struct group {
	const struct row *row;
	size_t count;
	uint32_t refused;       /* innocent opens that may be */
} groups[] = {
	{ stays, LENGTH(stays), 0 },
	{ ends, LENGTH(ends), 0 },
	{ silent, LENGTH(silent), 0 },
	{ deniers, LENGTH(deniers), 10 },
};

static const char *build, *source;

struct test {
	struct host host;
	const struct group *group;
	bool fault_seen[16];
	struct { int monitor, keeper, worker, scan; } pid;
};

static void start(struct test *t)
{
	host_make(&t->host, build, source);
	host_product(&t->host, "scan", "scan", NULL, NULL);
	for (size_t i = 0; i < t->group->count; i++) {
		const struct row *row = &t->group->row[i];
		char arguments[64];

		snprintf(arguments, sizeof(arguments), "%s %s", row->mode,
			 row->argument);
		host_product(&t->host, row->mode, "rogue", arguments,
			     row->policy);
	}
	host_run(&t->host);
	host_wait_text(&t->host, "scan", "state", "serving", SETTLE_MS);
	(void)host_wait_open(&t->host, HOST_EICAR, EPERM, SETTLE_MS);
}

static void remember(struct test *t)
{
	json_t *status = host_status(&t->host);

	assert_non_null(status);
	t->pid.monitor = (int)host_number(status, "monitor.pid");
	t->pid.keeper = (int)host_number(status, "keeper.pid");
	t->pid.worker = (int)host_number(status, "worker.pid");
	t->pid.scan = (int)host_number(host_find(status, "scan"), "pid");
	json_decref(status);
	assert_true(t->pid.monitor > 1 && t->pid.keeper > 1 &&
		    t->pid.worker > 1 && t->pid.scan > 1);
}

/* Why the row does not hold yet; null if it does. */
static const char *judge(const struct row *row, const json_t *product,
			 bool *seen)
{
	double restarts = host_number(product, "restarts");
	const char *state = host_text(product, "state");

	*seen = *seen || !row->fault ||
		(*row->fault && (strstr(host_text(product, "last_fault"),
					row->fault) ||
				 strstr(host_text(product, "last_exit"),
					row->fault))) ||
		(!*row->fault && *host_text(product, "last_fault"));
	if (!*seen) {
		return "has not failed as it should";
	}
	if (row->ending == ENDS && restarts < 1) {
		return "was not ended and restarted";
	}
	if (row->ending == STAYS &&
	    (restarts > 0 || host_number(product, "faults") > 0)) {
		return "was ended";
	}
	if (row->state && strcmp(state, row->state) != 0) {
		return "is in another state";
	}
	if (row->counter && host_number(product, row->counter) < row->least) {
		return "has not counted enough";
	}
	return NULL;
}

static const char *judge_all(struct test *t, json_t *status,
			     const struct row **ret_row)
{
	for (size_t i = 0; i < t->group->count; i++) {
		const struct row *row = &t->group->row[i];
		const char *why = judge(row, host_find(status, row->mode),
					&t->fault_seen[i]);

		if (why) {
			*ret_row = row;
			return why;
		}
	}
	return NULL;
}

static void settle(struct test *t)
{
	uint64_t end = ns_now_ns() + SETTLE_MS * 1000000ull;
	const struct row *row = NULL;
	const char *why = "no status";
	json_t *status = NULL;

	while (why || atomic_load(&t->host.load->opens) < OPENS) {
		if (ns_now_ns() > end) {
			char *text = json_dumps(row ? host_find(status,
						row->mode) : status, 0);

			host_show_log(&t->host);
			fail_msg("%s %s: %s; %u opens", row ? row->mode : "?",
				 why ? why : "opens too slowly", text,
				 atomic_load(&t->host.load->opens));
		}
		json_decref(status);
		status = host_status(&t->host);
		if (status) {
			why = judge_all(t, status, &row);
		}
	}
	json_decref(status);
}

static void check_scan(struct test *t, const json_t *status)
{
	const json_t *scan = host_find(status, "scan");

	assert_string_equal(host_text(scan, "state"), "serving");
	assert_string_equal(host_text(scan, "mode"), "enforce");
	assert_int_equal((int)host_number(scan, "pid"), t->pid.scan);
	assert_int_equal((int)host_number(scan, "missed"), 0);
	assert_int_equal((int)host_number(scan, "full"), 0);
	assert_int_equal((int)host_number(scan, "faults"), 0);
}

static void check_broker(struct test *t, const json_t *status)
{
	assert_int_equal((int)host_number(status, "monitor.pid"),
			 t->pid.monitor);
	assert_int_equal((int)host_number(status, "keeper.pid"),
			 t->pid.keeper);
	if ((int)host_number(status, "worker.pid") != t->pid.worker) {
		host_show_log(&t->host);
	}
	assert_int_equal((int)host_number(status, "worker.pid"),
			 t->pid.worker);
	assert_int_equal((int)host_number(status, "worker.restarts"), 0);
	assert_int_equal((int)host_number(status, "keeper.restarts"), 0);
	assert_int_equal((int)host_number(status, "kernel_denied"), 0);
	assert_int_equal((int)host_number(status, "unprotected_ms"), 0);
}

static void check_innocents(const struct test *t)
{
	const struct host_load *load = t->host.load;
	double longest = (double)atomic_load(&load->longest_ns) / 1e6;
	unsigned wait = 0;

	for (size_t i = 0; i < t->group->count; i++) {
		wait = t->group->row[i].wait_ms > wait
			       ? t->group->row[i].wait_ms : wait;
	}
	print_message("  %u opens, %u refused, longest %.1f ms (%u allowed); "
		      "eicar refused %u times\n", atomic_load(&load->opens),
		      atomic_load(&load->refused), longest, wait + SLACK_MS,
		      atomic_load(&load->evil_refused));
	assert_int_equal(atomic_load(&load->evil_allowed), 0);
	assert_true(atomic_load(&load->evil_refused) > 0);
	assert_true(atomic_load(&load->refused) <= t->group->refused);
	assert_true(longest <= wait + SLACK_MS);
}

/* What a mode asked the jail or the broker for and was given. */
static void check_refused(const struct host *host)
{
	char *log = host_log(host);
	char *found = strstr(log, "NOT REFUSED");

	if (found) {
		*strchrnul(found, '\n') = '\0';
		while (found > log && found[-1] != '\n') {
			found--;
		}
		fail_msg("%s", found);
	}
	free(log);
}

static void run_group(void **state)
{
	struct test *t = *state;
	json_t *status;

	start(t);
	remember(t);
	host_load_start(&t->host);
	settle(t);
	host_load_stop(&t->host);
	status = host_status(&t->host);
	assert_non_null(status);
	check_broker(t, status);
	check_scan(t, status);
	json_decref(status);
	check_innocents(t);
	check_refused(&t->host);
	host_stop(&t->host);
}

static int tear_down(void **state)
{
	struct test *t = *state;

	host_end(&t->host);
	return 0;
}

/* A mode without a row is a misbehaviour that nobody has tried. */
static void each_mode_has_a_row(void **state)
{
	char line[512], word[64], path[256];
	unsigned modes = 0;
	FILE *help;

	(void)state;
	snprintf(path, sizeof(path), "%s/products/rogue/rogue --help", build);
	help = popen(path, "re");
	assert_non_null(help);
	while (fgets(line, sizeof(line), help)) {
		bool found = false;

		if (strncmp(line, "  ", 2) != 0 ||
		    sscanf(line, " %63s", word) != 1) {
			continue;
		}
		modes++;
		for (size_t g = 0; g < LENGTH(groups); g++) {
			for (size_t i = 0; i < groups[g].count; i++) {
				found = found || strcmp(groups[g].row[i].mode,
							word) == 0;
			}
		}
		if (!found) {
			fail_msg("mode %s has no row", word);
		}
	}
	assert_int_equal(pclose(help), 0);
	assert_true(modes >= 39);
}

int main(int argc, char **argv)
{
	static struct test tests[LENGTH(groups)];
	const struct CMUnitTest list[] = {
		cmocka_unit_test(each_mode_has_a_row),
		{ "modes_that_the_broker_lives_with", run_group, NULL,
		  tear_down, &tests[0] },
		{ "modes_that_die_or_break_the_protocol", run_group, NULL,
		  tear_down, &tests[1] },
		{ "modes_that_are_silent_late_or_greedy", run_group, NULL,
		  tear_down, &tests[2] },
		{ "modes_that_deny", run_group, NULL, tear_down, &tests[3] },
	};

	if (argc < 3) {
		fputs("usage: test_rogue BUILD SOURCE [TEST]\n", stderr);
		return 2;
	}
	if (geteuid() != 0) {
		puts("skipped: needs root (a mount of its own, fanotify)");
		return 77;
	}
	build = argv[1];
	source = argv[2];
	for (size_t i = 0; i < LENGTH(groups); i++) {
		tests[i].group = &groups[i];
	}
	cmocka_set_test_filter(argc > 3 ? argv[3] : NULL);
	return cmocka_run_group_tests(list, NULL, NULL);
}
