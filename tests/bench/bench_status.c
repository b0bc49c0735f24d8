/* SPDX-License-Identifier: Apache-2.0 */
/* tests/bench/bench_status.c - what the broker says of itself; its signals */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/bench_broker.h"
#include "lib/ns_proc.h"

static _Noreturn void command_exec(const struct server *server,
				   const struct bench_paths *paths,
				   const char *const *arguments, int out)
{
	const char *argv[16] = { "bailey" };
	int n = 1;

	while (*arguments != NULL && n < 12) {
		argv[n++] = *arguments++;
	}
	argv[n++] = "--state";
	argv[n++] = server->env.state;
	argv[n] = NULL;
	dup2(out, 1);
	execv(paths->bailey, (char *const *)(uintptr_t)argv);
	_exit(127);
}

/* Standard output goes to ret_text, cut at size - 1. */
static int command(const struct server *server, const struct bench_paths *paths,
		   const char *const *arguments, char *ret_text, size_t size)
{
	int out[2], status = 0, r;
	size_t length = 0;
	ssize_t n = 1;
	pid_t pid;

	if (pipe2(out, O_CLOEXEC) != 0) {
		return -errno;
	}
	pid = ns_env_fork(&server->env);
	if (pid == 0) {
		command_exec(server, paths, arguments, out[1]);
	}
	close(out[1]);
	while (pid > 0 && n > 0 && length < size - 1) {
		n = read(out[0], ret_text + length, size - 1 - length);
		length += n > 0 ? (size_t)n : 0;
	}
	close(out[0]);
	ret_text[length] = '\0';
	r = pid < 0 ? pid : ns_wait(pid, 10000, &status);
	if (r != 0) {
		return r;
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : -ECHILD;
}

int broker_command(const struct server *server, const struct bench_paths *paths,
		   const char *const *arguments, char *ret_text, size_t size)
{
	char ignored[4096];

	if (ret_text == NULL) {
		ret_text = ignored;
		size = sizeof ignored;
	}
	return command(server, paths, arguments, ret_text, size);
}

/* "a.b" below root as a number; 0 if it is not there. */
static double number_at(const json_t *root, const char *outer,
			const char *inner)
{
	const json_t *at = json_object_get(root, outer);

	if (inner != NULL) {
		at = json_object_get(at, inner);
	}
	return json_number_value(at);
}

static void text_at(const json_t *root, const char *key, char *ret_text,
		    size_t size)
{
	const char *text = json_string_value(json_object_get(root, key));

	snprintf(ret_text, size, "%s", text != NULL ? text : "");
}

#define TEXT_AT(root, key, array) text_at(root, key, array, sizeof array)

static void read_products(const json_t *list, struct broker_status *status)
{
	const json_t *row;
	size_t i;

	json_array_foreach(list, i, row) {
		char state[16];

		TEXT_AT(row, "state", state);
		status->products++;
		status->serving += strcmp(state, "serving") == 0;
		if (i >= BROKER_PRODUCTS) {
			continue;
		}
		status->product[i].pid = (pid_t)number_at(row, "pid", NULL);
		status->product[i].denied = number_at(row, "denied", NULL);
		status->product[i].missed = number_at(row, "missed", NULL);
		status->product[i].restarts = number_at(row, "restarts", NULL);
		TEXT_AT(row, "name", status->product[i].name);
		TEXT_AT(row, "state", status->product[i].state);
		TEXT_AT(row, "mode", status->product[i].mode);
		TEXT_AT(row, "last_fault", status->product[i].last_fault);
	}
}

int broker_status(const struct server *server, const struct bench_paths *paths,
		  struct broker_status *ret_status)
{
	static const char *const arguments[] = { "status", "--json", NULL };
	static char text[1 << 18];
	struct broker_status status = { .monitor = 0 };
	int r = command(server, paths, arguments, text, sizeof text);
	json_t *root;

	if (r < 0 || r > 1) {
		return r < 0 ? r : -ENOTCONN;
	}
	root = json_loads(text, 0, NULL);
	if (root == NULL) {
		return -EBADMSG;
	}
	status.monitor = (pid_t)number_at(root, "monitor", "pid");
	status.keeper = (pid_t)number_at(root, "keeper", "pid");
	status.worker = (pid_t)number_at(root, "worker", "pid");
	status.worker_restarts = number_at(root, "worker", "restarts");
	status.unprotected_ms = number_at(root, "unprotected_ms", NULL);
	status.kernel_denied = number_at(root, "kernel_denied", NULL);
	read_products(json_object_get(root, "products"), &status);
	json_decref(root);
	*ret_status = status;
	return 0;
}

int broker_wait_serving(const struct server *server,
			const struct bench_paths *paths, int limit_ms)
{
	uint64_t end = ns_now_ns() + (uint64_t)limit_ms * 1000000u;
	struct broker_status status;
	int r;

	do {
		r = broker_status(server, paths, &status);
		if (r == 0 && status.products > 0 &&
		    status.serving == status.products) {
			return 0;
		}
		ns_sleep_ms(20);
	} while (ns_now_ns() < end && !ns_stopped());
	return r != 0 ? r : -ETIMEDOUT;
}

int broker_wait_up(const struct server *server, const struct bench_paths *paths,
		   int limit_ms)
{
	uint64_t end = ns_now_ns() + (uint64_t)limit_ms * 1000000u;
	struct broker_status status;
	int r;

	do {
		r = broker_status(server, paths, &status);
		if (r == 0 && strcmp(status.product[0].state,
				     "serving") == 0) {
			return 0;
		}
		ns_sleep_ms(20);
	} while (ns_now_ns() < end && !ns_stopped());
	return r != 0 ? r : -ETIMEDOUT;
}

int broker_signal(const struct server *server, pid_t pid, int signal_number)
{
	pid_t up = pid;

	while (up > 1 && up != server->child) {
		up = (pid_t)ns_proc_status(up, "PPid");
	}
	if (pid <= 1 || up != server->child) {
		return -ESRCH;
	}
	return kill(pid, signal_number) != 0 ? -errno : 0;
}
