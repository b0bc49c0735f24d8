/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "content.h"

#define BRITTLE_BYTES 16384
#define BRITTLE_PHASE 12345u

static int load_rule(const char *line, struct brittle_content *content)
{
	struct brittle_rule *rule = &content->rule[content->rules];
	char verdict[8] = "";
	unsigned field;

	if (content->rules == BRITTLE_RULES) {
		return -E2BIG;
	}
	rule->from = 1;
	if (sscanf(line, "when %u is %63s from %u %7s", &field, rule->text,
		   &rule->from, verdict) != 4 &&
	    sscanf(line, "when %u is %63s %7s", &field, rule->text,
		   verdict) != 3) {
		return -EBADMSG;
	}
	/* As careful as one would be: against the number of fields. */
	if (field < 1 || field > brittle_fields_count) {
		return -EBADMSG;
	}
	rule->field = field - 1;
	rule->verdict = strcmp(verdict, "deny") == 0 ? BAILEY_VERDICT_DENY
			: strcmp(verdict, "allow") == 0
				? BAILEY_VERDICT_ALLOW : BAILEY_VERDICT_NONE;
	content->rules++;
	return rule->verdict == BAILEY_VERDICT_NONE ? -EBADMSG : 0;
}

static int load_line(char *line, struct brittle_content *content)
{
	line[strcspn(line, "#")] = '\0';
	if (line[strspn(line, " \t")] == '\0') {
		return 0;
	}
	if (sscanf(line, "every %u", &content->every) == 1) {
		content->phase = BRITTLE_PHASE % content->every;
		return 0;
	}
	if (sscanf(line, "pause %u", &content->pause_ms) == 1) {
		return 0;
	}
	return load_rule(line, content);
}

static int load_text(int directory, char *ret_text, size_t size)
{
	int fd = openat(directory, "rules", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t n = fd < 0 ? -1 : read(fd, ret_text, size - 1);
	int error = n < 0 ? errno : 0;

	if (fd >= 0) {
		close(fd);
	}
	ret_text[n > 0 ? n : 0] = '\0';
	return -error;
}

int brittle_load(int directory, struct brittle_content *ret_content,
		 unsigned *ret_line)
{
	static char text[BRITTLE_BYTES];
	struct brittle_content content = { .every = 1 };
	int result = load_text(directory, text, sizeof(text));
	char *rest = text;

	*ret_line = 0;
	for (char *line = strsep(&rest, "\n"); result == 0 && line;
	     line = strsep(&rest, "\n")) {
		++*ret_line;
		result = load_line(line, &content);
	}
	if (result == 0) {
		*ret_content = content;
	}
	return result;
}
