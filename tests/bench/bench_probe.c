/* SPDX-License-Identifier: Apache-2.0 */
/* tests/bench/bench_probe.c - see bench_probe.h */
#include "bench/bench_probe.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* Written by the probing child, read by us after its end. */
struct samples {
	uint32_t count, failed;
	uint32_t ns[PROBE_MAX];
};

static struct samples *samples;

static int samples_get(void)
{
	if (samples != NULL) {
		return 0;
	}
	samples = mmap(NULL, sizeof *samples, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (samples == MAP_FAILED) {
		samples = NULL;
		return -errno;
	}
	return 0;
}

static bool open_once(const char *path, uint64_t *ret_ns)
{
	uint64_t start = ns_now_ns();
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	*ret_ns = ns_now_ns() - start;
	if (fd < 0) {
		return false;
	}
	close(fd);
	return true;
}

static bool exec_once(const char *path, uint64_t *ret_ns)
{
	char *argv[] = { (char *)(uintptr_t)path, NULL };
	char *envp[] = { NULL };
	uint64_t start = ns_now_ns();
	int status = -1;
	pid_t pid;

	if (posix_spawn(&pid, path, NULL, NULL, argv, envp) == 0) {
		waitpid(pid, &status, 0);
	}
	*ret_ns = ns_now_ns() - start;
	return status == 0;
}

static _Noreturn void work(const struct probe *probe,
			   bool (*once)(const char *path, uint64_t *ret_ns))
{
	static char names[1024][32];
	unsigned files = probe->files < 1024 ? probe->files : 1024;
	uint64_t ns;

	if (ns_become(probe->uid) != 0) {
		_exit(125);
	}
	for (unsigned i = 0; i < files; i++) {
		snprintf(names[i], sizeof names[i], "%s%u", probe->name, i);
	}
	for (unsigned i = 0; i < probe->warm + probe->count; i++) {
		if (probe->think_us > 0) {
			usleep(probe->think_us);
		}
		if (!once(names[i % files], &ns)) {
			samples->failed++;
		}
		if (i >= probe->warm) {
			samples->ns[samples->count++] =
				ns < UINT32_MAX ? (uint32_t)ns : UINT32_MAX;
		}
	}
	_exit(0);
}

static int run(const struct ns_env *env, const struct probe *probe,
	       bool (*once)(const char *path, uint64_t *ret_ns),
	       struct probe_result *ret_result)
{
	int status = 0, r;
	pid_t pid;

	if (probe->count > PROBE_MAX || probe->files == 0) {
		return -EINVAL;
	}
	r = samples_get();
	if (r != 0) {
		return r;
	}
	samples->count = samples->failed = 0;
	pid = ns_env_fork(env);
	if (pid < 0) {
		return pid;
	}
	if (pid == 0) {
		work(probe, once);
	}
	r = ns_wait(pid, probe->limit_ms, &status);
	if (r != 0 || status != 0) {
		return r != 0 ? r : -ECHILD;
	}
	stat_summarize(samples->ns, samples->count, &ret_result->ns);
	ret_result->failed = samples->failed;
	return 0;
}

int probe_open(const struct ns_env *env, const struct probe *probe,
	       struct probe_result *ret_result)
{
	return run(env, probe, open_once, ret_result);
}

int probe_exec(const struct ns_env *env, const struct probe *probe,
	       struct probe_result *ret_result)
{
	return run(env, probe, exec_once, ret_result);
}
