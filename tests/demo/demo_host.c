/* SPDX-License-Identifier: Apache-2.0 */
/* tests/demo/demo_host.c - the stage; see demo.h */
#include "demo/demo.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* In two halves: no file of the repository holds the whole of it. */
static int write_eicar(const struct ns_env *env, const char *name)
{
	static const char *const half[] = {
		"X5O!P%@AP[4\\PZX54(P^)7CC)7}$",
		"EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*",
	};
	char text[128];
	int n = snprintf(text, sizeof text, "%s%s", half[0], half[1]);

	return ns_env_write(env, name, text, (size_t)n, 0666, 60001);
}

int demo_host_set_up(struct demo *demo)
{
	int r = server_start_none(&demo->server, demo->paths.trivial);

	return r != 0 ? r : write_eicar(&demo->server.env, DEMO_EICAR);
}

/* One file after the other; it is text of a few kilobytes. */
static int copy_manifest(const struct demo *demo, int index)
{
	char from[256], to[128], text[8192];
	size_t n;
	FILE *file;

	snprintf(from, sizeof from, "%s/products/scan/scan.ini", demo->build);
	snprintf(to, sizeof to, "%s/product%d.ini", demo->server.env.base,
		 index);
	file = fopen(from, "re");
	if (file == NULL) {
		return -errno;
	}
	n = fread(text, 1, sizeof text, file);
	fclose(file);
	file = fopen(to, "we");
	if (file == NULL) {
		return -errno;
	}
	fwrite(text, 1, n, file);
	return fclose(file) != 0 ? -errno : 0;
}

static int write_rogue(const struct demo *demo, int index, const char *mode)
{
	char path[128];
	FILE *out;

	snprintf(path, sizeof path, "%s/product%d.ini", demo->server.env.base,
		 index);
	out = fopen(path, "we");
	if (out == NULL) {
		return -errno;
	}
	fprintf(out, "[product]\nname = rogue\ntitle = Misbehaving product\n"
		"vendor = Bailey project\n"
		"exec = %s/products/rogue/rogue\nargs = %s\n"
		"[events]\nask = file.open process.exec\n"
		"[policy]\ndeadline_ms = open:100 exec:500\non_miss = rules\n"
		"may_deny = asked\nmax_denials = 10 in 10s\n"
		"[see]\nfiles = all\n"
		"[jail]\nprofile = c\nmemory = 64M\ntasks = 16\nfiles = 64\n",
		demo->build, mode);
	return fclose(out) != 0 ? -errno : 0;
}

int demo_host_run(struct demo *demo, const char *rogue_mode)
{
	uint64_t start = ns_now_ns();
	struct broker_status status;
	int products = rogue_mode != NULL ? 2 : 1;
	int r = copy_manifest(demo, 0);

	if (r == 0 && rogue_mode != NULL) {
		r = write_rogue(demo, 1, rogue_mode);
	}
	r = r == 0 ? broker_launch(&demo->server, products, &demo->paths) : r;
	r = r == 0 ? broker_wait_up(&demo->server, &demo->paths, 15000) : r;
	r = r == 0 ? broker_status(&demo->server, &demo->paths, &status) : r;
	if (!demo_check(demo, r == 0, "bailey run: protects after %.0f ms%s%s",
			(double)(ns_now_ns() - start) / 1e6,
			r != 0 ? ": " : "", r != 0 ? strerror(-r) : "")) {
		broker_show_log(&demo->server.env);
		return r;
	}
	demo_remark("monitor %d, keeper %d, worker %d", status.monitor,
		    status.keeper, status.worker);
	for (int i = 0; i < status.products && i < BROKER_PRODUCTS; i++) {
		demo_remark("product %s, pid %d, in its jail, %s",
			    status.product[i].name, status.product[i].pid,
			    status.product[i].mode);
	}
	return 0;
}

void demo_host_stop(struct demo *demo)
{
	uint64_t start = ns_now_ns();
	double ms, took;

	ns_end(demo->server.child, SIGINT, 5000);
	took = (double)(ns_now_ns() - start) / 1e6;
	demo->server.child = 0;
	demo_check(demo, demo_host_open(demo, DEMO_EICAR, &ms) == 0,
		   "stopped by Ctrl-C in %.0f ms: nobody asks any more", took);
}

int demo_host_open(struct demo *demo, const char *name, double *ret_ms)
{
	int status = 0, out[2];
	uint64_t ns = 0;
	pid_t pid;

	if (pipe2(out, O_CLOEXEC) != 0) {
		return errno;
	}
	pid = ns_env_fork(&demo->server.env);
	if (pid == 0) {
		int fd, error;

		if (ns_become(60001) != 0) {
			_exit(EINVAL);
		}
		ns = ns_now_ns();
		fd = open(name, O_RDONLY | O_CLOEXEC);
		error = fd < 0 ? errno : 0;
		ns = ns_now_ns() - ns;
		_exit(write(out[1], &ns, sizeof ns) == sizeof ns ? error : EIO);
	}
	close(out[1]);
	if (pid < 0 || ns_wait(pid, 5000, &status) != 0 ||
	    read(out[0], &ns, sizeof ns) != sizeof ns) {
		close(out[0]);
		return ETIMEDOUT;
	}
	close(out[0]);
	*ret_ms = (double)ns / 1e6;
	return WEXITSTATUS(status);
}

int demo_host_new_documents(struct demo *demo, unsigned count,
			    unsigned *ret_refused, double *ret_longest_ms,
			    double *ret_all_ms)
{
	double ms, longest = 0, all = 0;
	unsigned refused = 0;
	char name[32];

	for (unsigned i = 0; i < count && !ns_stopped(); i++) {
		int r;

		snprintf(name, sizeof name, "document%u", demo->names++);
		r = ns_env_write(&demo->server.env, name, name, strlen(name),
				 0644, 60001);
		if (r != 0) {
			return r;
		}
		refused += demo_host_open(demo, name, &ms) != 0;
		longest = ms > longest ? ms : longest;
		all += ms;
	}
	*ret_refused = refused;
	*ret_longest_ms = longest;
	*ret_all_ms = all;
	return 0;
}

double demo_host_wait_refused(struct demo *demo, int limit_ms)
{
	uint64_t start = ns_now_ns();
	double ms, passed = 0;
	char name[32];

	while (passed < limit_ms && !ns_stopped()) {
		int r;

		snprintf(name, sizeof name, "copy%u", demo->names++);
		/* that it may not be written proves nothing */
		r = write_eicar(&demo->server.env, name);
		r = r == 0 ? demo_host_open(demo, name, &ms) : 0;
		passed = (double)(ns_now_ns() - start) / 1e6;
		if (r == EPERM || r == EACCES) {
			return passed;
		}
		ns_sleep_ms(2);
	}
	return -1;
}

int demo_host_product(struct demo *demo, const char *name,
		      struct broker_status *ret_status)
{
	int r = broker_status(&demo->server, &demo->paths, ret_status);

	for (int i = 0; r == 0 && i < BROKER_PRODUCTS; i++) {
		if (strcmp(ret_status->product[i].name, name) == 0) {
			return i;
		}
	}
	return r != 0 ? r : -ENOENT;
}
