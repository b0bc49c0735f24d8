/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent_main.c - bailey-content: what it inherits, what it gives up, the end
 *
 * Started by the monitor's helper with the descriptors of enum agent_fd and
 * its own uid. Nothing is opened by a name that somebody could have put there,
 * but for the host's identity and a product's root metadata.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "agent/agent.h"
#include "base/log.h"

static struct agent agent;

static _Noreturn void usage(void)
{
	fputs("bailey-content: started by bailey-monitor only; "
	      "see bailey-content(8)\n", stderr);
	exit(64);
}

static void inherit(void)
{
	struct stat st;

	if (fstat(AGENT_FD_MONITOR, &st) < 0 || !S_ISSOCK(st.st_mode) ||
	    fstat(AGENT_FD_CONTENT, &st) < 0 || !S_ISDIR(st.st_mode) ||
	    fstat(AGENT_FD_LISTEN, &st) < 0 || !S_ISSOCK(st.st_mode)) {
		usage();
	}
	for (int fd = AGENT_FD_MONITOR; fd < AGENT_FD_END; fd++) {
		(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
	}
	(void)close_range(AGENT_FD_END, ~0u, 0);
	agent.monitor = AGENT_FD_MONITOR;
	agent.content = AGENT_FD_CONTENT;
	agent.staging = AGENT_FD_STAGING;
	agent.policy = AGENT_FD_POLICY;
	agent.listen = AGENT_FD_LISTEN;
	agent.view_path = AGENT_FD_VIEW;
}

/* Ids of a former agent's tries may still be in use. */
static void begin(void)
{
	char path[48];
	int r;

	agent.view = -1;
	agent.inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (agent.inotify < 0 ||
	    getrandom(&agent.next_try, sizeof(agent.next_try), 0) !=
		    sizeof(agent.next_try)) {
		log_error("cannot start: %s", strerror(errno));
		exit(1);
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", agent.staging);
	agent.staging_watch = inotify_add_watch(agent.inotify, path, IN_CREATE |
						IN_MOVED_TO | IN_ATTRIB |
						IN_ONLYDIR);
	r = agent_fill_open(&agent);
	if (r < 0) {
		log_error("cannot start: %s", strerror(-r));
		exit(1);
	}
	agent_host_read(&agent);
	agent_policies_read(&agent);
}

static void end(void)
{
	for (uint32_t i = 0; i < AGENT_PRODUCTS; i++) {
		struct agent_product_state *p = &agent.product[i];

		if (agent.over && p->store && store_stop(p->store) < 0) {
			log_warning("%s: %s", p->told.name,
				    store_reason(p->store));
		}
		if (!agent_fill_works()) {
			agent_product_close(p);
		}
	}
	agent_clients_close(&agent);
}

int main(int argc, char **argv)
{
	(void)argv;
	if (argc != 1) {
		usage();
	}
	log_init("bailey-content", LOG_INFO);
	inherit();
	(void)signal(SIGPIPE, SIG_IGN);
	umask(022);
	begin();
	agent_confine();
	agent_loop(&agent);
	end();
	return 0;
}
