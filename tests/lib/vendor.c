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
	ssize_t n = (ssize_t)strlen(text);
	int r = fd < 0 || write(fd, text, (size_t)n) != n ? -EIO : 0;

	if (fd >= 0) {
		close(fd);
	}
	return r;
}

int vendor_init(struct vendor *ret_vendor, const char *build,
		const char *folder, const char *product, const char *manifest)
{
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
	r = r < 0 ? r : PUBLISH(&v, "key", "generate", "offline", "root",
				"targets", "content");
	return r < 0 ? r : PUBLISH(&v, "key", "generate", "online", "snapshot",
				   "timestamp", "data", "gate", "revoked");
}

static int admit(const struct vendor *v)
{
	char release[32];

	snprintf(release, sizeof(release), "code/%u", v->number);
	return PUBLISH(v, "gate", "--release", release, "--admit", "early=all",
		       "--valid", "1h", "--poll", "10s", "--jitter", "0s");
}

int vendor_release(struct vendor *vendor, const struct vendor_version *version)
{
	char fields[16], events[16];
	int r;

	snprintf(fields, sizeof(fields), "%u", version->fields);
	snprintf(events, sizeof(events), "%u", version->events);
	r = PUBLISH(vendor, "add", "--schema", version->schema, "--fields",
		    fields, "--version", version->name, "--bake",
		    version->bake, "--min-events", events, "--corpus",
		    version->corpus, version->content);
	r = r < 0 ? r : PUBLISH(vendor, "sign");
	r = r < 0 ? r : PUBLISH(vendor, "release", "--product",
				vendor->manifest, "--preflight",
				version->unchecked ? "/bin/true"
						   : vendor->preflight);
	if (r < 0) {
		return r;
	}
	vendor->number++;
	return admit(vendor);
}

int vendor_root(const struct vendor *vendor, const char *to)
{
	char path[256], text[16384];
	FILE *in;
	size_t n;

	snprintf(path, sizeof(path), "%s/metadata/1.root.json",
		 vendor->repository);
	in = fopen(path, "re");
	if (!in) {
		return -errno;
	}
	n = fread(text, 1, sizeof(text) - 1, in);
	fclose(in);
	text[n] = '\0';
	return write_text(to, 0644, text);
}

int vendor_host(const char *etc)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/content.d", etc);
	if (mkdir(path, 0755) < 0 && errno != EEXIST) {
		return -errno;
	}
	snprintf(path, sizeof(path), "%s/content.d/ring.conf", etc);
	return write_text(path, 0644, "[*]\nring = early\n");
}
