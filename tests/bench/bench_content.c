/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/bench/bench_content.c - see bench_content.h
 *
 * A revert is seen from outside: the process that a version on trial runs in is
 * killed, while somebody opens without a pause a file that the product refuses,
 * each time by an answer for this once. From the kill to the end of the first
 * such open that began after it and was refused.
 */
#include "bench/bench_content.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/bench_stat.h"
#include "bench/bench_vendor.h"
#include "lib/ns_proc.h"
#include "lib/web.h"

#define VERSIONS 4
#define KILLS 3                 /* the third one's version is put away */
#define EVIL "evil0"

struct watch {
	_Atomic uint64_t from, refused;         /* ns; 0: not yet */
};

static _Noreturn void watch_main(struct watch *watch)
{
	if (ns_become(60001) != 0) {
		_exit(1);
	}
	for (;;) {
		uint64_t begin = ns_now_ns(), from = watch->from;
		int fd = open(EVIL, O_RDONLY | O_CLOEXEC);

		if (fd >= 0) {
			close(fd);
		} else if (errno == EPERM && from != 0 && begin > from &&
			   watch->refused == 0) {
			watch->refused = ns_now_ns();
		}
	}
}

/* The asked process, once it is another than these; -1: it does not come. */
static pid_t asked_pid(const struct vendor_place *place, pid_t kept,
		       pid_t dead)
{
	struct broker_status status;

	for (int ms = 0; ms < 15000 && !ns_stopped(); ms += 20) {
		if (broker_status(place->server, place->paths, &status) == 0 &&
		    status.products > 0 && status.product[0].pid > 0 &&
		    status.product[0].pid != kept &&
		    status.product[0].pid != dead) {
			return status.product[0].pid;
		}
		ns_sleep_ms(20);
	}
	return -1;
}

static int revert_once(const struct vendor_place *place, struct watch *watch,
		       pid_t pid, struct stat_series *series)
{
	watch->refused = 0;
	watch->from = ns_now_ns();
	if (broker_signal(place->server, pid, SIGKILL) != 0) {
		return -ESRCH;
	}
	for (int ms = 0; ms < 5000 && watch->refused == 0; ms++) {
		ns_sleep_ms(1);
	}
	if (watch->refused == 0) {
		return -ETIMEDOUT;
	}
	stat_add(series, (double)(watch->refused - watch->from) / 1e6);
	watch->from = 0;
	return 0;
}

/* One version, good in all but that its process is killed. */
static int revert_version(const struct vendor_place *place, struct vendor *v,
			  struct watch *watch, struct stat_series *series)
{
	char content[128], reason[256];
	pid_t kept = asked_pid(place, 0, 0), pid = 0;
	bool tried;
	int r;

	snprintf(content, sizeof content, "%s/version%u",
		 place->server->env.base, v->number + 1);
	r = vendor_shell(place, "cp -r %s/%s %s && echo '# %u' >>%s/rules",
			 place->source, v->good, content, v->number, content);
	r = r ? r : vendor_add(place, v, content, v->fields);
	r = r ? r : vendor_release(place, v, false);
	if (r != 0 || vendor_wait(place, v, "trial", "", reason, sizeof reason,
				  &tried) < 0) {
		return -EPROTO;
	}
	for (int i = 0; r == 0 && i < KILLS; i++) {
		pid = asked_pid(place, kept, pid);
		r = pid < 0 ? -ETIMEDOUT
			    : revert_once(place, watch, pid, series);
	}
	return r != 0 || vendor_wait(place, v, "quarantined", "", reason,
				     sizeof reason, &tried) >= 0 ? r : -EPROTO;
}

static int measure_reverts(const struct vendor_place *place, struct vendor *v,
			   struct figures *figures)
{
	static struct stat_series series;
	struct watch *watch = mmap(NULL, sizeof *watch, PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t child;
	int r = 0;

	if (watch == MAP_FAILED) {
		return -errno;
	}
	child = ns_env_fork(&place->server->env);
	if (child == 0) {
		watch_main(watch);
	}
	for (int i = 0; r == 0 && i < VERSIONS && !ns_stopped(); i++) {
		r = revert_version(place, v, watch, &series);
	}
	ns_end(child, SIGKILL, 1000);
	munmap(watch, sizeof *watch);
	if (series.count > 0) {
		figures_set(figures, stat_series_p99(&series),
			    "revert_content_ms_p99");
		figures_set(figures, stat_series_median(&series),
			    "revert_content_ms");
	}
	return r;
}

/* scan, its own rules and cases, by the program that vendors run. */
static int measure_preflight(const struct vendor_place *place,
			     struct figures *figures)
{
	struct vendor v = { "scan", "scan-rules/1", "3", "products/scan/rules",
			    "1s", 0 };
	static struct stat_series series;
	int r = vendor_init(place, &v, 1, "scan/scan.ini", "file:///none");

	r = r ? r : vendor_add(place, &v, v.good, v.fields);
	for (int i = 0; r == 0 && i < 5; i++) {
		uint64_t start = ns_now_ns();

		r = vendor_shell(place, "%s/src/agent/bailey-preflight "
				 "--product %s/scan.ini --content "
				 "%s/scan/staged/*", place->build,
				 place->server->env.base,
				 place->server->env.base);
		stat_add(&series, (double)(ns_now_ns() - start) / 1e6);
	}
	if (r == 0) {
		figures_set(figures, stat_series_median(&series),
			    "preflight_ms");
	}
	return r;
}

/* bench_tuf says one line of JSON. */
static int measure_refresh(const struct vendor_place *place,
			   struct figures *figures)
{
	char path[128];
	json_t *tree;
	const char *name;
	json_t *value;

	snprintf(path, sizeof path, "%s/refresh.json", place->server->env.base);
	if (vendor_shell(place, "%s/tests/bench/bench_tuf "
			 "%s/src/update/bailey-tuf >%s", place->build,
			 place->build, path) != 0) {
		return -EPROTO;
	}
	tree = json_load_file(path, 0, NULL);
	json_object_foreach(tree, name, value) {
		figures_set(figures, json_number_value(value), "%s", name);
	}
	json_decref(tree);
	return tree ? 0 : -EPROTO;
}

static int start(const struct vendor_place *place, struct server *server,
		 struct vendor *v, const char *url)
{
	char reason[256];
	bool tried;
	int r = vendor_init(place, v, 0, "brittle/parallel.ini", url);

	r = r ? r : vendor_add(place, v, v->good, v->fields);
	r = r ? r : vendor_release(place, v, false);
	r = r ? r : server_add_files(server, "evil", 1, 0666);
	r = r ? r : broker_launch(server, 1, place->paths);
	r = r ? r : broker_wait_up(server, place->paths, 15000);
	if (r == 0 && vendor_wait(place, v, "trial", "", reason, sizeof reason,
				  &tried) < 0) {
		r = -EPROTO;
	}
	return r;
}

static int say(const struct vendor_place *place, const char *what, int r)
{
	char command[160];

	if (r != 0) {
		fprintf(stderr, "bench: %s: not measured: %s\n", what,
			r < 0 ? strerror(-r) : "the vendor said:");
		snprintf(command, sizeof command, "tail -n 5 %s/vendor.log >&2",
			 place->server->env.base);
		(void)!system(command);
	}
	return r != 0;
}

int content_run(const struct bench_options *options, struct figures *figures)
{
	static struct server server;
	const struct vendor_place place = { &server, &options->paths,
					    options->build, options->source };
	struct vendor v = { "brittle", "brittle/1", "21",
			    "products/brittle/content/good", "1s", 0 };
	char folder[128];
	struct web *web;
	int failed, r = server_start_none(&server, options->paths.trivial);

	if (r != 0) {
		return r;
	}
	snprintf(folder, sizeof folder, "%s/web", server.env.base);
	(void)!mkdir(folder, 0755);
	web = web_new(folder);
	r = start(&place, &server, &v, web->url);
	failed = say(&place, "content, start", r);
	if (r == 0) {
		r = measure_reverts(&place, &v, figures);
		failed += say(&place, "reverts", r);
	}
	if (r != 0) {
		broker_show_log(&server.env);
	}
	failed += say(&place, "preflight", measure_preflight(&place, figures));
	failed += say(&place, "refresh", measure_refresh(&place, figures));
	web_free(web);
	server_stop(&server);
	return ns_stopped() ? -EINTR : failed;
}
