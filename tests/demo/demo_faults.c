/* SPDX-License-Identifier: Apache-2.0 */
/* tests/demo/demo_faults.c - parts are killed and stopped; see demo.h */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "bench/bench_probe.h"
#include "demo/demo.h"

#define MIND ((1u << LOAD_OPENS) | (1u << LOAD_EXECS) |                       \
	      (1u << LOAD_EVIL_ONCE))

/* What became of the test file since `from`: it is tried all the time. */
static void say_evil(struct demo *demo, uint32_t from, bool must)
{
	const struct load *load = demo->load;
	uint32_t to = load_now_us(load);
	uint32_t denied = load_count(load, LOAD_EVIL_ONCE, false, from, to);
	uint32_t allowed = load_count(load, LOAD_EVIL_ONCE, true, from, to);

	if (must) {
		demo_check(demo, allowed == 0 && denied > 0, "the test file "
			   "was tried %u times meanwhile and refused each time",
			   denied + allowed);
		return;
	}
	demo_remark("the test file was tried %u times meanwhile, and refused "
		    "%u times;", denied + allowed, denied);
	demo_remark("%u times the policy for a missing product answered "
		    "(on_miss = rules)", allowed);
}

static void kill_product(struct demo *demo)
{
	uint32_t from = load_now_us(demo->load);
	struct broker_status status;
	int i = demo_host_product(demo, "scan", &status);
	double ms;

	demo_title("The product is killed");
	if (i < 0 || broker_signal(&demo->server, status.product[i].pid,
				   SIGKILL) != 0) {
		demo_check(demo, false, "no product to kill");
		return;
	}
	ms = demo_host_wait_refused(demo, 10000);
	demo_check(demo, ms >= 0, "kill -9 %d: it is back, and blocks a copy "
		   "never seen before, after %.0f ms", status.product[i].pid,
		   ms);
	ns_sleep_ms(1000);
	say_evil(demo, from, false);
	demo_check_innocents(demo, from);
}

static void hang_product(struct demo *demo)
{
	uint32_t from = load_now_us(demo->load);
	struct broker_status status;
	int i = demo_host_product(demo, "scan", &status);
	pid_t pid = i < 0 ? 0 : status.product[i].pid;
	double ms, longest = 0, all = 0;
	unsigned refused = 0;
	int r;

	demo_title("The product hangs");
	if (i < 0 || broker_signal(&demo->server, pid, SIGSTOP) != 0) {
		demo_check(demo, false, "no product to stop");
		return;
	}
	r = demo_host_new_documents(demo, 100, &refused, &longest, &all);
	demo_check(demo, r == 0 && refused == 0 && longest <= 500,
		   "100 new documents written and opened meanwhile: %u refused,"
		   " longest open %.1f ms, all %.0f ms", refused, longest, all);
	demo_check_innocents(demo, from);
	i = demo_host_product(demo, "scan", &status);
	demo_check(demo, i >= 0 && (strcmp(status.product[i].state,
					   "serving") != 0 ||
				    status.product[i].pid != pid),
		   "bailey status says so: scan was pid %d and is %s as pid %d,"
		   " %.0f missed", pid,
		   i >= 0 ? status.product[i].state : "unknown",
		   i >= 0 ? status.product[i].pid : 0,
		   i >= 0 ? status.product[i].missed : 0);
	(void)!broker_signal(&demo->server, pid, SIGCONT);
	ms = demo_host_wait_refused(demo, 15000);
	demo_check(demo, ms >= 0, "let go again: it blocks a copy never "
		   "seen before after %.0f ms", ms);
	say_evil(demo, from, false);
}

static void kill_worker(struct demo *demo)
{
	uint32_t from = load_now_us(demo->load);
	struct broker_status before, after;
	int r = broker_status(&demo->server, &demo->paths, &before);

	demo_title("The broker's worker is killed");
	if (r != 0 || broker_signal(&demo->server, before.worker,
				    SIGKILL) != 0) {
		demo_check(demo, false, "no worker to kill");
		return;
	}
	ns_sleep_ms(1000);
	r = broker_status(&demo->server, &demo->paths, &after);
	demo_check(demo, r == 0 && after.worker != before.worker &&
		   after.worker > 0, "kill -9 %d: its keeper made worker %d, "
		   "which took the open questions over", before.worker,
		   r == 0 ? after.worker : 0);
	say_evil(demo, from, true);
	demo_check_innocents(demo, from);
}

static void kill_engine(struct demo *demo)
{
	uint32_t from = load_now_us(demo->load);
	struct broker_status status;
	int r = broker_status(&demo->server, &demo->paths, &status);
	uint32_t to, refused, longest;
	double ms;

	demo_title("Keeper and worker are killed");
	if (r != 0 || broker_signal(&demo->server, status.keeper,
				    SIGKILL) != 0) {
		demo_check(demo, false, "no keeper to kill");
		return;
	}
	(void)!broker_signal(&demo->server, status.worker, SIGKILL);
	ms = demo_host_wait_refused(demo, 10000);
	demo_check(demo, ms >= 0, "the monitor answered what was open and "
		   "started both again: blocks after %.0f ms", ms);
	ns_sleep_ms(1000);
	to = load_now_us(demo->load);
	refused = load_count(demo->load, LOAD_OPENS, false, from, to);
	longest = load_longest_us(demo->load, LOAD_OPENS, from, to);
	demo_check(demo, longest <= 500000 && refused <= 2,
		   "meanwhile %u opens: longest %.1f ms, %u refused because "
		   "nobody knew an answer", load_count(demo->load, LOAD_OPENS,
		   true, from, to), longest / 1000.0, refused);
}

static void block(struct demo *demo)
{
	struct probe_result result = { .failed = 0 };
	struct probe probe = { .name = "user", .files = 16, .count = 500,
			       .warm = 20, .uid = 60001, .limit_ms = 10000 };
	static const char *const denials[] = { "denials", NULL };
	char text[8192];
	double ms = 0;
	int r = probe_open(&demo->server.env, &probe, &result);

	demo_check(demo, r == 0 && result.failed == 0, "500 opens of documents:"
		   " none refused, half of them within %.0f us",
		   result.ns.p50 / 1000);
	r = demo_host_open(demo, DEMO_EICAR, &ms);
	demo_check(demo, r == EPERM || r == EACCES, "the EICAR test file: %s, "
		   "after %.2f ms", r == 0 ? "opened" : strerror(r), ms);
	r = broker_command(&demo->server, &demo->paths, denials, text,
			   sizeof text);
	demo_check(demo, r == 0 && strstr(text, DEMO_EICAR) != NULL,
		   "bailey denials says what, by whom and why");
}

static void (*const steps[])(struct demo *demo) = {
	kill_product, hang_product, kill_worker, kill_engine,
};

void demo_steps_faults(struct demo *demo)
{
	demo_title("A product decides about real opens and program starts");
	if (demo_host_run(demo, NULL) != 0) {
		return;
	}
	block(demo);
	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		if (ns_stopped()) {
			break;
		}
		if (load_start(demo->load, &demo->server, MIND) != 0) {
			demo_check(demo, false, "no load");
			break;
		}
		ns_sleep_ms(300);
		steps[i](demo);
		load_stop(demo->load);
		(void)!broker_wait_serving(&demo->server, &demo->paths, 10000);
	}
	demo_host_stop(demo);
}
