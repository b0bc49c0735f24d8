/* SPDX-License-Identifier: Apache-2.0 */
/*
 * eng_text.c - a product's rule text: taken in parts, compiled, in force
 *
 * See eng_text.h. The compiled program goes to the reply thread in a memfd, as
 * the administrator's does. The text that is in force already is no change: a
 * product that comes back publishes what it published before, and no cached
 * verdict may fall for that.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/hash.h"
#include "base/log.h"
#include "broker/eng_set.h"
#include "broker/eng_text.h"

#define RULES_LINEAR 512u       /* rules of a product without an index */

void eng_text_abandon(struct session *s)
{
	free(s->text);
	s->text = NULL;
	s->text_length = 0;
}

int eng_text_begin(struct session *s)
{
	eng_text_abandon(s);
	s->text = malloc(RULE_MAX_TEXT);
	return s->text ? 0 : ENOMEM;
}

int eng_text_add(struct session *s, const void *bytes, size_t size)
{
	if (!s->text) {
		return EINVAL;
	}
	if (size > RULE_MAX_TEXT - s->text_length) {
		return E2BIG;
	}
	memcpy(s->text + s->text_length, bytes, size);
	s->text_length += size;
	return 0;
}

static int text_put(struct engine *e, struct session *s,
		    const struct rule_program *program)
{
	cleanup_fd int fd = memfd_create("bailey-rules", MFD_CLOEXEC);
	size_t size = rule_program_size(program), at = 0;

	while (fd >= 0 && at < size) {
		ssize_t n = write(fd, (const char *)program + at, size - at);

		if (n <= 0) {
			return ENOSPC;
		}
		at += (size_t)n;
	}
	return fd < 0 ? ENFILE : -eng_program_set(e, &s->rules, fd);
}

/* What one question may cost the reply thread. */
static bool text_slow(const struct rule_program *program)
{
	return rule_program_cost(program, BAILEY_EVENT_FILE_OPEN) +
	       rule_program_cost(program, BAILEY_EVENT_PROCESS_EXEC) >
	       RULES_LINEAR;
}

/* A product that makes two texts of one digest harms itself alone. */
static uint64_t text_digest(const struct engine *e, const struct session *s)
{
	uint64_t limits = hash_bytes(e->seed, s->manifest.may_deny,
				     sizeof(s->manifest.may_deny));

	return hash_bytes(limits, s->text, s->text_length);
}

int eng_text_commit(struct engine *e, struct session *s, uint32_t *ret_line)
{
	struct rule_limits limits = { .product = true };
	struct rule_program *program;
	struct rule_error error;
	uint64_t digest;
	int result;

	if (!s->text) {
		return EINVAL;
	}
	digest = text_digest(e, s);
	if (s->rules.rules && s->text_digest == digest) {
		eng_text_abandon(s);
		return 0;
	}
	limits.set_index = eng_set_index;
	limits.set_context = s;
	limits.deny_nothing = !s->manifest.may_deny[0][0];
	memcpy(limits.may_deny, s->manifest.may_deny, sizeof(limits.may_deny));
	result = rule_compile(s->text, s->text_length, &limits, &program,
			      &error);
	eng_text_abandon(s);
	if (result == -EBADMSG) {
		*ret_line = (uint32_t)error.line;
		log_warning("%s: rule refused: line %d: %s", s->manifest.name,
			    error.line, error.text);
		return BAILEY_E_RULE;
	}
	if (result < 0) {
		return -result;
	}
	result = text_slow(program) ? E2BIG : text_put(e, s, program);
	if (result == 0) {
		s->text_digest = digest;
	}
	free(program);
	return result;
}
