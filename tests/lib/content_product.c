/* SPDX-License-Identifier: Apache-2.0 */
/*
 * content_product - a product that does what its content says
 *
 * argv[1]: number of fields that it states; argv[2]: its schema. The content's
 * file `rules` has one order a line:
 *
 *   deny WORD       deny files that hold WORD
 *   deny-all        deny everything
 *   crash-load      die before it is ready
 *   crash-at N      die at the Nth question
 *   crash-on WORD   die at a file that holds WORD
 *
 * A fault of its own: it dies at files that hold BOTH, whatever its content.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bailey/client.h>

struct rules {
	char deny[64], crash_on[64];
	int deny_all, crash_load;
	long crash_at;
};

static _Noreturn void die(void)
{
	volatile char *nothing = mmap(NULL, 4096, PROT_NONE,
				      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	signal(SIGSEGV, SIG_DFL);
	*nothing = 1;
	_exit(1);
}

static void rules_read(int directory, struct rules *ret_rules)
{
	int fd = openat(directory, "rules", O_RDONLY | O_CLOEXEC);
	FILE *in = fd < 0 ? NULL : fdopen(fd, "r");
	char line[128];

	if (!in) {
		exit(78);
	}
	while (fgets(line, sizeof(line), in)) {
		line[strcspn(line, "\n")] = '\0';
		(void)sscanf(line, "deny %63s", ret_rules->deny);
		(void)sscanf(line, "crash-on %63s", ret_rules->crash_on);
		(void)sscanf(line, "crash-at %ld", &ret_rules->crash_at);
		ret_rules->deny_all |= strcmp(line, "deny-all") == 0;
		ret_rules->crash_load |= strcmp(line, "crash-load") == 0;
	}
	fclose(in);
}

static enum bailey_verdict judge(const struct rules *rules,
				 struct bailey_event *event)
{
	static long questions;
	char bytes[4096] = "";
	int n = bailey_file_read(event, 0, bytes, sizeof(bytes) - 1);

	bytes[n > 0 ? n : 0] = '\0';
	if (++questions == rules->crash_at || strstr(bytes, "BOTH") ||
	    (rules->crash_on[0] && strstr(bytes, rules->crash_on))) {
		die();
	}
	return rules->deny_all ||
	       (rules->deny[0] && strstr(bytes, rules->deny))
		       ? BAILEY_VERDICT_DENY : BAILEY_VERDICT_ALLOW;
}

/* As products do: a folder and a file in it. */
static void state_write(int state)
{
	if (state >= 0) {
		(void)mkdirat(state, "cache", 0700);
		close(openat(state, "cache/list", O_WRONLY | O_CREAT, 0600));
	}
}

int main(int argc, char **argv)
{
	struct bailey_subscription want = {
		.size = sizeof(want), .kind = BAILEY_EVENT_FILE_OPEN,
		.flags = BAILEY_WANT_FILE,
	};
	struct bailey_client *client;
	struct bailey_event *event;
	struct rules rules = { .deny = "" };

	if (bailey_client_connect(&client, BAILEY_API,
				  argc > 2 ? argv[2] : "test/1",
				  argc > 1 ? strtoul(argv[1], NULL, 10)
					   : 20) < 0) {
		return 64;
	}
	rules_read(bailey_directory(client, BAILEY_DIRECTORY_CONTENT), &rules);
	if (rules.crash_load) {
		die();
	}
	state_write(bailey_directory(client, BAILEY_DIRECTORY_STATE));
	if (bailey_subscribe(client, &want, 1) < 0 ||
	    bailey_ready(client) < 0) {
		return 76;
	}
	while (bailey_next(client, -1, &event) == 1) {
		if (bailey_event_is_question(event)) {
			(void)bailey_answer(client, event,
					    judge(&rules, event),
					    BAILEY_SCOPE_ONCE, NULL);
		}
		bailey_event_unref(event);
	}
	return 0;
}
