/* SPDX-License-Identifier: Apache-2.0 */
/* tests/bench/bench_server.c - see bench_server.h */
#include "bench/bench_server.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench/bench_floor.h"
#include "lib/ns_proc.h"

static int make_file(const char *kind, unsigned i, mode_t mode)
{
	char name[32];
	int fd;

	snprintf(name, sizeof name, "%s%u", kind, i);
	fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, name, strlen(name)) < 0 ||
	    fchmod(fd, mode) != 0) {
		return -errno;
	}
	close(fd);
	return 0;
}

static int copy_program(const char *from, const char *to)
{
	int in = open(from, O_RDONLY | O_CLOEXEC);
	int out = open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	ssize_t n = 1;

	while (in >= 0 && out >= 0 && n > 0) {
		n = sendfile(out, in, NULL, 1 << 20);
	}
	if (in < 0 || out < 0 || n < 0 || fchmod(out, 0755) != 0) {
		return -errno;
	}
	close(in);
	close(out);
	return 0;
}

int server_add_files(struct server *server, const char *name, unsigned count,
		     unsigned mode)
{
	int status, r = 0;
	pid_t pid = ns_env_fork(&server->env);

	if (pid == 0) {
		for (unsigned i = 0; r == 0 && i < count; i++) {
			r = make_file(name, i, mode);
		}
		_exit(-r);
	}
	r = pid < 0 ? pid : ns_wait(pid, 20000, &status);
	return r == 0 && status != 0 ? -EIO : r;
}

static int add_program(struct server *server, const char *trivial)
{
	int status, r;
	pid_t pid = ns_env_fork(&server->env);

	if (pid == 0) {
		_exit(-copy_program(trivial, "trivial0"));
	}
	r = pid < 0 ? pid : ns_wait(pid, 10000, &status);
	return r == 0 && status != 0 ? -EIO : r;
}

int server_start_none(struct server *ret_server, const char *trivial)
{
	struct server server = { .made = true };
	int r = ns_env_init(&server.env, "512m");

	if (r != 0) {
		return r;
	}
	r = add_program(&server, trivial);
	r = r == 0 ? server_add_files(&server, "root", SERVER_FILES, 0644) : r;
	r = r == 0 ? server_add_files(&server, "user", SERVER_FILES, 0666) : r;
	if (r != 0) {
		ns_env_fini(&server.env);
		return r;
	}
	*ret_server = server;
	return 0;
}

/* Until pid holds a mark; a child of ours that ends first is an error. */
static int wait_mark(pid_t pid, int limit_ms)
{
	for (int ms = 0; ms < limit_ms && !ns_stopped(); ms += 10) {
		if (ns_proc_has_mark(pid)) {
			return 0;
		}
		if (kill(pid, 0) != 0) {
			return -ESRCH;
		}
		ns_sleep_ms(10);
	}
	return -ETIMEDOUT;
}

int server_start_floor(struct server *ret_server, const char *trivial)
{
	struct server server;
	int r = server_start_none(&server, trivial);

	if (r != 0) {
		return r;
	}
	server.child = ns_env_fork(&server.env);
	if (server.child == 0) {
		_exit(floor_serve(server.env.tree));
	}
	r = server.child < 0 ? server.child : wait_mark(server.child, 5000);
	if (r != 0) {
		server_stop(&server);
		return r;
	}
	*ret_server = server;
	return 0;
}

static int write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	size_t length = strlen(text);

	if (fd < 0 || write(fd, text, length) != (ssize_t)length) {
		return -errno;
	}
	close(fd);
	return 0;
}

/* It would mark each tmpfs that it sees: leave it ours alone. Mounts are
 * taken away in this namespace only; the last mounted first. */
static void unmount_other_tmpfs(const char *tree)
{
	char line[512], path[256][128], type[64], name[256];
	int n = 0;
	FILE *mounts = fopen("/proc/self/mounts", "re");

	if (mounts == NULL) {
		return;
	}
	while (n < 256 && fgets(line, sizeof line, mounts) != NULL) {
		if (sscanf(line, "%255s %127s %63s", name, path[n],
			   type) == 3 &&
		    strcmp(type, "tmpfs") == 0 && strcmp(path[n], tree) != 0) {
			n++;
		}
	}
	fclose(mounts);
	while (n-- > 0) {
		umount2(path[n], MNT_DETACH);
	}
}

#define FAPOLICYD_PROGRAM "/usr/sbin/fapolicyd"
#define FAPOLICYD_CONFIG                                                      \
	"permissive = 1\nnice_val = 0\nq_size = 640\nuid = root\n"            \
	"gid = root\ndo_stat_report = 0\ndetailed_report = 0\n"               \
	"db_max_size = 50\nsubj_cache_size = 1549\nobj_cache_size = 8191\n"   \
	"watch_fs = tmpfs\ntrust = file\nintegrity = none\n"                  \
	"syslog_format = rule,dec,perm,pid,exe,:,path\n"                      \
	"rpm_sha256_only = 0\nallow_filesystem_mark = 0\n"

/* A folder of ours in place of one of the host's. */
static int replace(const struct ns_env *env, const char *name,
		   const char *target)
{
	char path[128];

	snprintf(path, sizeof path, "%s/%s", env->base, name);
	if (mkdir(path, 0755) != 0 ||
	    mount(path, target, NULL, MS_BIND, NULL) != 0) {
		return -errno;
	}
	return 0;
}

static int fapolicyd_exec(const struct ns_env *env)
{
	int r = replace(env, "etc", "/etc/fapolicyd");

	r = r == 0 ? replace(env, "lib", "/var/lib/fapolicyd") : r;
	r = r == 0 ? replace(env, "run", "/run") : r;
	if (r != 0 || mkdir("/run/fapolicyd", 0755) != 0 ||
	    mkdir("/etc/fapolicyd/trust.d", 0755) != 0 ||
	    write_text("/etc/fapolicyd/fapolicyd.conf", FAPOLICYD_CONFIG) ||
	    write_text("/etc/fapolicyd/fapolicyd.trust", "") ||
	    write_text("/etc/fapolicyd/compiled.rules",
		       "allow perm=any all : all\n")) {
		return r != 0 ? -r : EIO;
	}
	unmount_other_tmpfs(env->tree);
	prctl(PR_SET_PDEATHSIG, 0);
	execl(FAPOLICYD_PROGRAM, "fapolicyd", "--permissive", "--no-details",
	      (char *)NULL);
	return errno;
}

static pid_t read_pid(const struct ns_env *env)
{
	char path[128];
	int pid = 0;
	FILE *file;

	snprintf(path, sizeof path, "%s/run/fapolicyd.pid", env->base);
	file = fopen(path, "re");
	if (file == NULL) {
		return 0;
	}
	if (fscanf(file, "%d", &pid) != 1) {
		pid = 0;
	}
	fclose(file);
	return pid;
}

/* It left our tree: somebody ends it if we are killed. */
static pid_t guard(const struct server *server)
{
	int us = (int)syscall(SYS_pidfd_open, getpid(), 0);
	struct pollfd gone = { .fd = us, .events = POLLIN };
	pid_t pid = us < 0 ? -errno : ns_env_fork(&server->env);

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, 0);
		while (poll(&gone, 1, -1) < 1) {
		}
		kill(server->daemon, SIGTERM);
		_exit(0);
	}
	if (us >= 0) {
		close(us);
	}
	return pid;
}

/* It becomes a daemon: our child ends, the pid file names its successor. */
static int fapolicyd_wait(struct server *server)
{
	int status, r = ns_wait(server->child, 20000, &status);

	server->child = 0;
	if (r != 0) {
		return r;
	}
	if (status != 0) {
		return -EIO;
	}
	for (int i = 0; i < 1000 && server->daemon <= 0; i++) {
		server->daemon = read_pid(&server->env);
		ns_sleep_ms(10);
	}
	if (server->daemon <= 0) {
		return -ESRCH;
	}
	server->child = guard(server);
	return server->child < 0 ? server->child
				 : wait_mark(server->daemon, 15000);
}

int server_start_fapolicyd(struct server *ret_server, const char *trivial)
{
	struct server server;
	int r = access(FAPOLICYD_PROGRAM, X_OK) != 0 ? -ENOENT :
		server_start_none(&server, trivial);

	if (r != 0) {
		return r;
	}
	server.child = ns_env_fork(&server.env);
	if (server.child == 0) {
		_exit(fapolicyd_exec(&server.env));
	}
	r = server.child < 0 ? server.child : fapolicyd_wait(&server);
	if (r != 0) {
		server_stop(&server);
		return r;
	}
	*ret_server = server;
	return 0;
}

static void add_cpu(pid_t pid, void *context)
{
	*(uint64_t *)context += ns_proc_cpu_ns(pid);
}

uint64_t server_cpu_ns(const struct server *server)
{
	uint64_t sum = 0;

	if (server->child > 0) {
		ns_proc_tree(server->child, add_cpu, &sum);
	}
	if (server->daemon > 0) {
		ns_proc_tree(server->daemon, add_cpu, &sum);
	}
	return sum;
}

void server_stop(struct server *server)
{
	if (!server->made) {
		return;
	}
	if (server->daemon > 0) {
		kill(server->daemon, SIGTERM);
		for (int i = 0; i < 300 && kill(server->daemon, 0) == 0; i++) {
			ns_sleep_ms(10);
		}
		if (kill(server->daemon, 0) == 0) {
			kill(server->daemon, SIGKILL);
		}
	}
	ns_end(server->child, SIGTERM, 5000);
	ns_env_fini(&server->env);
	*server = (struct server){ .made = false };
}
