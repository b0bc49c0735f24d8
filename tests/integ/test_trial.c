/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Does new content come and go without a wrong answer, whatever it does?
 *
 * Real monitor, engine, jails and a product that content can break; the test
 * is the content agent. Users open files all the time: innocent ones must
 * open, eicar must not.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <bailey/client.h>
#include <cmocka.h>

#include "base/mono.h"
#include "proto/wire.h"
#include "test_trial_case.h"

#define BACK_MS 1000
#define EVIL "when 1 is /eicar deny\n"
#define CRASHES EVIL "when 21 is 1 from 3 deny\n"

static const struct agent_message *standby(uint32_t try_id, uint8_t slot)
{
	const struct agent_message *m;

	trial_ask(&t, AGENT_TRY_START, AGENT_PARALLEL, try_id, slot);
	m = trial_wait(&t, AGENT_TRY_READY);
	assert_int_equal(m->try, try_id);
	return m;
}

static void switch_to(uint32_t try_id, uint8_t slot)
{
	const struct agent_message *m;

	standby(try_id, slot);
	trial_ask(&t, AGENT_SWITCH, 0, try_id, 0);
	m = trial_wait(&t, AGENT_SWITCHED);
	assert_int_equal(m->try, try_id);
	print_message("  switched in %.2f ms\n", (double)m->number / 1e6);
}

static pid_t pid_of(const char *path)
{
	json_t *status = host_status(&t.host);
	pid_t pid = (pid_t)(strchr(path, '.')
				    ? host_number(status, path)
				    : host_number(host_find(status, path),
						  "pid"));

	json_decref(status);
	assert_true(pid > 1);
	return pid;
}

static void is_nothing_wrong(void)
{
	print_message("  %u opens, longest %.1f ms; eicar refused %u times\n",
		      atomic_load(&t.host.load->opens),
		      (double)atomic_load(&t.host.load->longest_ns) / 1e6,
		      atomic_load(&t.host.load->evil_refused));
	assert_int_equal(atomic_load(&t.host.load->evil_allowed), 0);
	assert_int_equal(atomic_load(&t.host.load->refused), 0);
	assert_true(atomic_load(&t.host.load->evil_refused) > 0);
}

/* Stopped, or in a frozen cgroup (v2). */
static bool is_frozen(pid_t pid)
{
	char path[512], line[512], group[256] = "", state = '?';
	static const char *const top[] = { "/sys/fs/cgroup",
					   "/sys/fs/cgroup/unified" };
	bool frozen = false;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "re");
	if (!f || fscanf(f, "%*d %*s %c", &state) != 1) {
		return false;
	}
	fclose(f);
	snprintf(path, sizeof(path), "/proc/%d/cgroup", pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "0::%255s", group) == 1) {
			break;
		}
	}
	if (f) {
		fclose(f);
	}
	for (size_t i = 0; group[0] && i < 2; i++) {
		snprintf(path, sizeof(path), "%s%s/cgroup.events", top[i],
			 group);
		f = fopen(path, "re");
		while (f && fgets(line, sizeof(line), f)) {
			frozen |= strcmp(line, "frozen 1\n") == 0;
		}
		if (f) {
			fclose(f);
		}
	}
	return state == 'T' || frozen;
}

static void wait_frozen(pid_t pid, bool frozen)
{
	for (int ms = 0; is_frozen(pid) != frozen; ms += 10) {
		assert_true(ms < WAIT_MS);
		ns_sleep_ms(10);
	}
}

static void wait_gone(pid_t pid)
{
	for (int ms = 0; kill(pid, 0) == 0; ms += 10) {
		assert_true(ms < WAIT_MS);
		ns_sleep_ms(10);
	}
}

/* ---- parallel ---- */

static void a_switch_under_load_answers_everything_rightly(void **state)
{
	const struct agent_message *m;
	pid_t old;

	(void)state;
	trial_slot(&t, 1, EVIL "when 21 is * from 3 allow\n", TRIAL_FIELDS);
	trial_slot(&t, 2, EVIL, TRIAL_FIELDS);
	trial_run(&t);
	old = pid_of("brittle");
	host_load_start(&t.host);
	host_load_some(&t.host);
	switch_to(11, 1);
	wait_frozen(old, true);
	host_load_some(&t.host);
	assert_true(is_frozen(old));            /* and stays so */
	host_wait_text(&t.host, "brittle", "beside", "kept", WAIT_MS);
	assert_int_not_equal(pid_of("brittle"), old);
	trial_ask(&t, AGENT_TRIAL_END, 0, 0, 0);
	m = trial_wait(&t, AGENT_PRODUCT_ENDED);
	assert_int_equal(m->frozen, 1);
	assert_int_equal(m->try, 0);
	assert_int_equal(m->fault, AGENT_FAULT_NONE);
	wait_gone(old);
	/* and once more, to the place of the first */
	switch_to(12, 2);
	host_load_some(&t.host);
	trial_ask(&t, AGENT_SWITCH_BACK, 0, 0, 0);
	m = trial_wait(&t, AGENT_SWITCHED_BACK);
	assert_int_equal(m->try, 11);
	assert_int_equal(m->hash[0], 1);
	assert_int_equal(m->fault, AGENT_FAULT_NONE);
	m = trial_wait(&t, AGENT_PRODUCT_ENDED);
	assert_int_equal(m->try, 12);
	host_load_some(&t.host);
	host_load_stop(&t.host);
	is_nothing_wrong();
	(void)host_wait_open(&t.host, HOST_EICAR, EPERM, WAIT_MS);
	host_stop(&t.host);
}

static void content_that_crashes_on_trial_is_switched_back_from(void **state)
{
	static const uint32_t types[] = { AGENT_SWITCHED_BACK,
					  AGENT_PRODUCT_ENDED,
					  AGENT_LAST_QUESTIONS, 0 };
	struct agent_message got[3];
	json_t *status;
	pid_t old;

	(void)state;
	trial_slot(&t, 3, CRASHES, TRIAL_FIELDS);
	trial_run(&t);
	old = pid_of("brittle");
	host_load_start(&t.host);
	switch_to(13, 3);
	trial_wait_all(&t, types, got);
	print_message("  back after %.2f ms\n", (double)got[0].number / 1e6);
	assert_true(got[0].number < BACK_MS * MONO_MS);
	assert_int_equal(got[0].try, 0);
	assert_int_equal(got[0].hash[0], 0);    /* as it began: unmanaged */
	assert_int_equal(got[1].try, 13);
	assert_int_equal(got[1].fault, AGENT_FAULT_CRASH);
	assert_int_equal(got[1].hash[0], 3);
	assert_int_equal(got[2].try, 13);
	assert_in_range(got[2].held, 1, AGENT_HELD);
	assert_int_equal(got[2].kind[0], BAILEY_EVENT_FILE_OPEN);
	host_load_some(&t.host);
	host_load_stop(&t.host);
	is_nothing_wrong();
	assert_int_equal(pid_of("brittle"), old);
	wait_frozen(old, false);
	status = host_status(&t.host);
	assert_string_equal(host_text(host_find(status, "brittle"), "beside"),
			    "none");
	assert_int_equal((int)host_number(host_find(status, "brittle"),
					  "restarts"), 0);
	assert_int_equal((int)host_number(host_find(status, "brittle"),
					  "poison"), 0);
	json_decref(status);
	host_stop(&t.host);
}

static void content_that_hangs_on_trial_is_switched_back_from(void **state)
{
	static const uint32_t types[] = { AGENT_SWITCHED_BACK,
					  AGENT_PRODUCT_ENDED,
					  AGENT_LAST_QUESTIONS, 0 };
	struct agent_message got[3];

	(void)state;
	trial_slot(&t, 4, "pause 30000\n" EVIL, TRIAL_FIELDS);
	trial_run(&t);
	host_load_start(&t.host);
	switch_to(14, 4);
	trial_wait_all(&t, types, got);
	print_message("  back after %.2f ms\n", (double)got[0].number / 1e6);
	assert_int_equal(got[0].fault, AGENT_FAULT_HUNG);
	assert_true(got[0].number < BACK_MS * MONO_MS);
	assert_int_equal(got[1].fault, AGENT_FAULT_HUNG);
	assert_in_range(got[2].held, 1, AGENT_HELD);
	host_load_reset(&t.host);
	host_load_some(&t.host);
	host_load_stop(&t.host);
	is_nothing_wrong();
	host_stop(&t.host);
}

static void a_standby_that_does_not_load_changes_nothing(void **state)
{
	const struct agent_message *m;
	pid_t pid;

	(void)state;
	trial_slot(&t, 5, "every 0\n" EVIL, TRIAL_FIELDS);
	trial_slot(&t, 6, EVIL, TRIAL_FIELDS - 1);
	trial_run(&t);
	pid = pid_of("brittle");
	host_load_start(&t.host);
	trial_ask(&t, AGENT_TRY_START, AGENT_PARALLEL, 15, 5);
	m = trial_wait(&t, AGENT_TRY_ENDED);
	assert_int_equal(m->try, 15);
	assert_int_equal(m->fault, AGENT_FAULT_CRASH);
	trial_ask(&t, AGENT_TRY_START, AGENT_PARALLEL, 16, 6);
	m = trial_wait(&t, AGENT_TRY_ENDED);
	assert_int_equal(m->try, 16);
	assert_int_equal(m->fault, AGENT_FAULT_SCHEMA);
	trial_ask(&t, AGENT_TRY_START, AGENT_PARALLEL, 17, 99);
	m = trial_wait(&t, AGENT_TRY_ENDED);
	assert_int_equal(m->fault, AGENT_FAULT_START);
	trial_ask(&t, AGENT_SWITCH, 0, 17, 0);
	m = trial_wait(&t, AGENT_REFUSED);
	assert_int_equal(m->refused, AGENT_SWITCH);
	host_load_stop(&t.host);
	is_nothing_wrong();
	assert_int_equal(pid_of("brittle"), pid);
	host_stop(&t.host);
}

/* ---- preflight ---- */

static void a_preflight_has_its_own_jail_and_the_agent_for_engine(void **state)
{
	struct {
		struct wire_request head;
		struct wire_hello hello;
	} request;
	const struct agent_message *m;
	char path[64], line[128] = "";
	unsigned uid = 0;
	pid_t pid;
	FILE *f;

	(void)state;
	trial_slot(&t, 7, EVIL, TRIAL_FIELDS);
	trial_run(&t);
	trial_ask(&t, AGENT_TRY_START, AGENT_PREFLIGHT, 18, 7);
	m = trial_wait(&t, AGENT_TRY_STARTED);
	assert_int_equal(m->purpose, AGENT_PREFLIGHT);
	assert_int_equal(m->number, 1u << BAILEY_DIRECTORY_CONTENT |
				    1u << BAILEY_DIRECTORY_STATE);
	assert_int_equal(t.count, 5);
	pid = m->pid;
	assert_int_equal(recv(t.fds[2], &request, sizeof(request), 0),
			 sizeof(request));
	assert_int_equal(request.head.type, WIRE_REQUEST_HELLO);
	assert_string_equal(request.hello.schema, "brittle/1");
	assert_int_equal(request.hello.field_count, TRIAL_FIELDS);
	assert_true(pread(t.fds[1], line, sizeof(line) - 1, 0) > 0);
	assert_true(openat(t.fds[3], "rules", 0) >= 0);
	assert_int_equal(sched_getscheduler(pid), SCHED_IDLE);
	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f) &&
	       sscanf(line, "Uid: %u", &uid) != 1) {
	}
	fclose(f);
	assert_int_equal(uid, 61042);
	trial_ask(&t, AGENT_TRY_STOP, 0, 18, 0);
	m = trial_wait(&t, AGENT_TRY_ENDED);
	assert_int_equal(m->try, 18);
	assert_int_equal(m->fault, AGENT_FAULT_NONE);
	wait_gone(pid);
	host_stop(&t.host);
}

/* ---- restart, live ---- */

static void becomes_ready_on(uint8_t slot)
{
	const struct agent_message *m = trial_wait(&t, AGENT_PRODUCT_READY);

	assert_int_equal(m->hash[0], slot);
}

static void a_restart_takes_what_is_current_both_ways(void **state)
{
	const struct agent_message *m;
	json_t *status;

	(void)state;
	trial_slot(&t, 8, "when 1 is /good1 deny\n", TRIAL_FIELDS);
	trial_slot(&t, 9, EVIL, TRIAL_FIELDS + 1);
	trial_run(&t);
	trial_current(&t, 8);
	trial_ask(&t, AGENT_RESTART, 0, 0, 0);
	m = trial_wait(&t, AGENT_PRODUCT_ENDED);
	assert_int_equal(m->fault, AGENT_FAULT_NONE);
	becomes_ready_on(8);
	(void)host_wait_open(&t.host, "good1", EPERM, WAIT_MS);
	assert_int_equal(host_open(&t.host, HOST_EICAR, NULL), 0);
	trial_current(&t, 9);                   /* not for this code */
	trial_ask(&t, AGENT_RESTART, 0, 0, 0);
	do {
		m = trial_wait(&t, AGENT_PRODUCT_ENDED);
	} while (m->fault == AGENT_FAULT_NONE);
	assert_int_equal(m->fault, AGENT_FAULT_SCHEMA);
	assert_int_equal(m->hash[0], 9);
	status = host_status(&t.host);
	assert_string_equal(host_text(host_find(status, "brittle"),
				      "last_fault"),
			    "schema or field count is not the content's");
	json_decref(status);
	trial_current(&t, 0);
	trial_ask(&t, AGENT_RESTART, 0, 0, 0);
	becomes_ready_on(0);
	(void)host_wait_open(&t.host, HOST_EICAR, EPERM, WAIT_MS);
	assert_int_equal(host_open(&t.host, "good1", NULL), 0);
	host_stop(&t.host);
}

static void live_content(uint8_t slot, uint32_t error)
{
	const struct agent_message *m;

	trial_current(&t, slot);
	trial_ask(&t, AGENT_LIVE, 0, 0, 0);
	m = trial_wait(&t, AGENT_CONTENT_DONE);
	assert_int_equal(m->number, error);
	assert_int_equal(m->hash[0], slot);
}

static void a_running_product_takes_new_content_both_ways(void **state)
{
	const struct agent_message *m;
	pid_t pid;

	(void)state;
	trial_slot(&t, 8, "when 1 is /good1 deny\n", TRIAL_FIELDS);
	trial_slot(&t, 9, EVIL, TRIAL_FIELDS - 1);
	trial_slot(&t, 10, "nonsense\n", TRIAL_FIELDS);
	trial_slot(&t, 11, "every 0\n", TRIAL_FIELDS);
	trial_run(&t);
	pid = pid_of("brittle");
	live_content(8, 0);
	(void)host_wait_open(&t.host, "good1", EPERM, WAIT_MS);
	live_content(9, BAILEY_E_SCHEMA);
	live_content(10, EBADMSG);
	assert_int_equal(host_open(&t.host, "good1", NULL), EPERM);
	live_content(0, 0);
	(void)host_wait_open(&t.host, HOST_EICAR, EPERM, WAIT_MS);
	assert_int_equal(host_open(&t.host, "good1", NULL), 0);
	assert_int_equal(pid_of("brittle"), pid);
	trial_current(&t, 11);
	trial_ask(&t, AGENT_LIVE, 0, 0, 0);
	m = trial_wait(&t, AGENT_PRODUCT_ENDED);
	assert_int_equal(m->fault, AGENT_FAULT_CRASH);
	trial_current(&t, 0);
	trial_ask(&t, AGENT_RESTART, 0, 0, 0);
	becomes_ready_on(0);
	host_stop(&t.host);
}

/* ---- deaths of the broker's own ---- */

static void a_worker_that_dies_on_trial_leaves_the_trial_as_it_is(void **state)
{
	pid_t worker, old;

	(void)state;
	trial_slot(&t, 1, EVIL, TRIAL_FIELDS);
	trial_run(&t);
	old = pid_of("brittle");
	host_load_start(&t.host);
	switch_to(21, 1);
	wait_frozen(old, true);
	worker = pid_of("worker.pid");
	assert_int_equal(kill(worker, SIGKILL), 0);
	host_wait_number(&t.host, NULL, "worker.restarts", 1, WAIT_MS);
	host_wait_text(&t.host, "brittle", "beside", "kept", WAIT_MS);
	/* the reflex works on */
	assert_int_equal(kill(pid_of("brittle"), SIGKILL), 0);
	(void)trial_wait(&t, AGENT_SWITCHED_BACK);
	host_load_some(&t.host);
	host_load_stop(&t.host);
	is_nothing_wrong();
	assert_int_equal(pid_of("brittle"), old);
	host_stop(&t.host);
}

static void a_keeper_that_dies_on_trial_ends_it(void **state)
{
	const struct agent_message *m;
	pid_t old, new;

	(void)state;
	trial_slot(&t, 1, EVIL, TRIAL_FIELDS);
	trial_run(&t);
	old = pid_of("brittle");
	switch_to(22, 1);
	new = pid_of("brittle");
	wait_frozen(old, true);
	assert_int_equal(kill(pid_of("keeper.pid"), SIGKILL), 0);
	for (int i = 0; i < 2; i++) {
		m = trial_wait(&t, AGENT_PRODUCT_ENDED);
		assert_int_equal(m->fault, AGENT_FAULT_ENGINE);
	}
	becomes_ready_on(0);
	wait_gone(old);
	wait_gone(new);
	(void)host_wait_open(&t.host, HOST_EICAR, EPERM, WAIT_MS);
	switch_to(23, 1);               /* all as before */
	host_stop(&t.host);
}

static void a_monitor_that_dies_on_trial_leaves_no_process(void **state)
{
	pid_t old, new;

	(void)state;
	trial_slot(&t, 1, EVIL, TRIAL_FIELDS);
	trial_run(&t);
	old = pid_of("brittle");
	switch_to(24, 1);
	new = pid_of("brittle");
	wait_frozen(old, true);
	assert_int_equal(kill(pid_of("monitor.pid"), SIGKILL), 0);
	wait_gone(old);
	wait_gone(new);
}

static void without_an_agent_all_goes_on_and_status_says_so(void **state)
{
	const struct agent_message *m;
	char text[8192];
	pid_t pid;

	(void)state;
	trial_run(&t);
	pid = pid_of("brittle");
	close(t.relay);                 /* it leaves */
	t.relay = -1;
	for (int ms = 0;; ms += 20) {
		(void)host_cli(&t.host, text, sizeof(text),
			       (const char *const []){ "status", "--json",
						       NULL });
		if (strstr(text, "content agent")) {
			break;
		}
		assert_true(ms < WAIT_MS);
		ns_sleep_ms(20);
	}
	assert_int_equal(host_open(&t.host, HOST_EICAR, NULL), EPERM);
	trial_accept(&t);
	m = trial_wait(&t, AGENT_PRODUCT);
	assert_string_equal(m->product.name, "brittle");
	assert_true(m->number & AGENT_PRODUCT_SERVING);
	becomes_ready_on(0);
	m = trial_wait(&t, AGENT_BEGIN);
	assert_int_equal(m->number, AGENT_VERSION);
	assert_int_equal(pid_of("brittle"), pid);
	host_stop(&t.host);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(parallel, a_switch_under_load_answers_everything_rightly),
		TEST(parallel,
		     content_that_crashes_on_trial_is_switched_back_from),
		TEST(parallel,
		     content_that_hangs_on_trial_is_switched_back_from),
		TEST(parallel, a_standby_that_does_not_load_changes_nothing),
		TEST(parallel,
		     a_preflight_has_its_own_jail_and_the_agent_for_engine),
		TEST(restart, a_restart_takes_what_is_current_both_ways),
		TEST(live, a_running_product_takes_new_content_both_ways),
		TEST(parallel,
		     a_worker_that_dies_on_trial_leaves_the_trial_as_it_is),
		TEST(parallel, a_keeper_that_dies_on_trial_ends_it),
		TEST(parallel, a_monitor_that_dies_on_trial_leaves_no_process),
		TEST(parallel,
		     without_an_agent_all_goes_on_and_status_says_so),
	};
	int r = trial_case_begin(argc, argv);

	return r ? r : cmocka_run_group_tests(tests, NULL, NULL);
}
