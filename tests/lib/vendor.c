/* SPDX-License-Identifier: Apache-2.0 */
/* lib/vendor.c - see lib/vendor.h */
#include "lib/vendor.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORDS 48
#define COUNT(array) (sizeof(array) / sizeof *(array))

static int finish(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR) {
			return -errno;
		}
	}
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EPROTO;
}

/* bailey-publish WORD... in the workspace; the list ends with a null. */
static int publish(const struct vendor *v, const char *const *words)
{
	const char *argv[WORDS] = { v->publish };
	pid_t parent = getpid(), pid;
	size_t n = 1;
	int log;

	for (; *words && n < WORDS - 3; words++) {
		argv[n++] = *words;
	}
	argv[n++] = "--passphrase-file";
	argv[n++] = v->pass;
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		log = open(v->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC,
			   0600);
		if (getppid() != parent || log < 0 || dup2(log, 1) < 0 ||
		    dup2(log, 2) < 0 ||
		    (strcmp(argv[1], "init") != 0 && chdir(v->workspace) < 0)) {
			_exit(126);
		}
		execv(v->publish, (char *const *)argv);
		perror(v->publish);
		_exit(127);
	}
	return pid < 0 ? -errno : finish(pid);
}

#define PUBLISH(vendor, ...)                                                  \
	publish(vendor, (const char *const[]){ __VA_ARGS__, NULL })

static int write_text(const char *path, mode_t mode, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
	int r = fd < 0 || write(fd, text, strlen(text)) < 0 ? -errno : 0;

	if (fd >= 0) {
		close(fd);
	}
	return r;
}

int vendor_init(struct vendor *ret_vendor, const char *build,
		const char *folder, const char *product, const char *manifest)
{
	static const char *const people[] = { "alice", "bob" };
	static const char *const roles[] = { "root", "targets", "content" };
	struct vendor v = { .number = 0 };
	int r;

	snprintf(v.publish, sizeof(v.publish), "%s/src/publish/bailey-publish",
		 build);
	snprintf(v.preflight, sizeof(v.preflight),
		 "%s/src/agent/bailey-preflight", build);
	snprintf(v.workspace, sizeof(v.workspace), "%s/vendor-%s", folder,
		 product);
	snprintf(v.pass, sizeof(v.pass), "%s/vendor-%s.pass", folder, product);
	snprintf(v.log, sizeof(v.log), "%s/vendor-%s.log", folder, product);
	snprintf(v.product, sizeof(v.product), "%s", product);
	snprintf(v.manifest, sizeof(v.manifest), "%s", manifest);
	snprintf(v.repository, sizeof(v.repository), "%s/" VENDOR_WEB "/%s",
		 folder, product);
	*ret_vendor = v;
	r = write_text(v.pass, 0600, "correct horse battery staple\n");
	r = r < 0 ? r : PUBLISH(&v, "init", "--product", product,
				"--repository", v.repository, v.workspace);
	for (size_t i = 0; r == 0 && i < COUNT(people); i++) {
		r = PUBLISH(&v, "key", "generate", people[i], "root",
			    "targets", "content");
	}
	r = r < 0 ? r : PUBLISH(&v, "key", "generate", "robot", "snapshot",
				"timestamp", "data", "gate", "revoked");
	for (size_t i = 0; r == 0 && i < COUNT(roles); i++) {
		r = PUBLISH(&v, "key", "threshold", roles[i], "2");
	}
	return r;
}

int vendor_add(struct vendor *vendor, const struct vendor_version *version)
{
	char fields[16], events[16];
	int r;

	snprintf(fields, sizeof(fields), "%u", version->fields);
	snprintf(events, sizeof(events), "%u", version->events);
	/* the list ends with a null: the option that may be absent is last */
	r = PUBLISH(vendor, "add", "--schema", version->schema, "--fields",
		    fields, "--bake", version->bake, "--min-events", events,
		    "--corpus", version->corpus, version->content,
		    version->name ? "--version" : NULL, version->name);
	vendor->number += r == 0;
	return r < 0 ? r : PUBLISH(vendor, "sign");
}

int vendor_release(const struct vendor *vendor, bool unchecked)
{
	char release[32];
	int r = PUBLISH(vendor, "release", "--product", vendor->manifest,
			"--preflight",
			unchecked ? "/bin/true" : vendor->preflight);

	snprintf(release, sizeof(release), "code/%u", vendor->number);
	return r < 0 ? r : PUBLISH(vendor, "gate", "--release", release,
				   "--admit", "early=all", "--valid", "1h",
				   "--poll", "10s", "--jitter", "0s");
}

int vendor_host(const char *etc)
{
	char path[256];
	int r;

	snprintf(path, sizeof(path), "%s/content.d", etc);
	r = mkdir(etc, 0755) < 0 && errno != EEXIST ? -errno : 0;
	r = r == 0 && mkdir(path, 0755) < 0 && errno != EEXIST ? -errno : r;
	snprintf(path, sizeof(path), "%s/content.d/ring.conf", etc);
	return r < 0 ? r : write_text(path, 0644, "[*]\nring = early\n");
}
