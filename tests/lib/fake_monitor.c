/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lib/fake_monitor.c - a bailey-monitor that only behaves like one towards its
 * service manager
 *
 * Writes its pid to STATE/pid and its arguments to STATE/args, one a line,
 * starts a process that outlives it (STATE/orphan has its pid), says READY=1,
 * and ends cleanly at SIGTERM (STATE/clean). STATE/mischief, if there, says
 * otherwise: "refuse" exits 3 at once; "stubborn" ignores SIGTERM; "stall" says
 * WATCHDOG=1 once and never again.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static const char *fake_state;

static FILE *fake_file(const char *name, const char *mode)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", fake_state, name);
	return fopen(path, mode);
}

static void fake_write(const char *name, long number)
{
	FILE *file = fake_file(name, "w");

	if (file) {
		fprintf(file, "%ld\n", number);
		fclose(file);
	}
}

static void fake_notify(const char *text)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const char *path = getenv("NOTIFY_SOCKET");
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	if (!path || fd < 0) {
		exit(4);
	}
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (sendto(fd, text, strlen(text), 0, (struct sockaddr *)&address,
		   sizeof(address)) < 0) {
		exit(5);
	}
	close(fd);
}

static void fake_orphan(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		for (;;) {
			pause();
		}
	}
	fake_write("orphan", pid);
}

int main(int argc, char **argv)
{
	char mischief[32] = "";
	sigset_t set;
	FILE *file;
	int i, number;

	for (i = 1; i + 1 < argc; i++) {
		if (strcmp(argv[i], "--state") == 0) {
			fake_state = argv[i + 1];
		}
	}
	if (!fake_state) {
		return 6;
	}
	file = fake_file("mischief", "r");
	if (file) {
		if (!fgets(mischief, sizeof(mischief), file)) {
			mischief[0] = '\0';
		}
		fclose(file);
	}
	if (strcmp(mischief, "refuse") == 0) {
		return 3;
	}
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	file = fake_file("args", "w");
	for (i = 1; file && i < argc; i++) {
		fprintf(file, "%s\n", argv[i]);
	}
	if (file) {
		fclose(file);
	}
	fake_orphan();
	fake_write("pid", getpid());
	fake_notify(strcmp(mischief, "stall") == 0 ? "WATCHDOG=1\nREADY=1" :
						     "READY=1");
	do {
		sigwait(&set, &number);
	} while (strcmp(mischief, "stubborn") == 0);
	fake_notify("STOPPING=1");
	fake_write("clean", 1);
	return 0;
}
