/* SPDX-License-Identifier: Apache-2.0 */
/*
 * broker/helper_rules.c - the administrator's rules, compiled
 *
 * rules.d/ *.rules, exceptions.d/ *.rules and the live exceptions become one
 * text and one program. Each file is compiled alone first: one that does not
 * compile is named with its line and left out; the others count.
 */
#include "broker/helper_internal.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "broker/helper_exception.h"
#include "rule/rule.h"

struct rules_text {
	char *bytes;
	size_t length;
};

static int rules_append(struct rules_text *text, const char *more, size_t n)
{
	char *bytes;

	if (text->length + n + 1 > RULE_MAX_TEXT) {
		return -E2BIG;
	}
	bytes = realloc(text->bytes, text->length + n + 2);
	if (!bytes) {
		return -ENOMEM;
	}
	memcpy(bytes + text->length, more, n);
	text->bytes = bytes;
	text->length += n;
	text->bytes[text->length++] = '\n';
	text->bytes[text->length] = '\0';
	return 0;
}

/* 0 if the text compiles alone; else ret_error says why. */
static int rules_try(const char *text, size_t length,
		     struct rule_error *ret_error)
{
	const struct rule_limits limits = { 0 };
	struct rule_program *program = NULL;
	int r;

	snprintf(ret_error->text, sizeof(ret_error->text), "too large");
	ret_error->line = 0;
	r = rule_compile(text, length, &limits, &program, ret_error);
	if (r == 0) {
		free(program);
	}
	return r;
}

static int rules_add_file(const struct helper *helper,
			  const struct helper_request *request, int channel,
			  int dir, const char *shown, const char *name,
			  struct rules_text *all)
{
	cleanup_free char *text = NULL;
	struct rule_error error = { 0 };
	size_t length;
	int r = file_read(dir, name, helper->strict, &text, &length);

	if (r < 0) {
		job_complain(channel, request, "%.200s/%.200s:0: %s", shown,
			     name, r == -EPERM ? "refused: must belong to root "
			     "and not be writable by others" : strerror(-r));
		return 0;
	}
	if (rules_try(text, length, &error) < 0) {
		job_complain(channel, request, "%.150s/%.150s:%d: %s", shown,
			     name, error.line, error.text);
		return 0;
	}
	r = rules_append(all, text, length);
	if (r == -E2BIG) {
		job_complain(channel, request,
			     "%.200s/%.200s:0: refused: all rules together are "
			     "larger than %u bytes", shown, name,
			     RULE_MAX_TEXT);
		return 0;
	}
	return r;
}

static int rules_add_directory(const struct helper *helper,
			       const struct helper_request *request,
			       int channel, const char *path,
			       struct rules_text *all)
{
	cleanup_fd int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char **names;
	size_t count;
	int r;

	if (dir < 0) {
		return errno == ENOENT ? 0 : result_errno();
	}
	r = file_list(dir, ".rules", &names, &count);
	if (r < 0) {
		return r;
	}
	for (size_t i = 0; r == 0 && i < count; i++) {
		r = rules_add_file(helper, request, channel, dir, path,
				   names[i], all);
	}
	file_list_free(names, count);
	return r;
}

static int rules_add_exceptions(const struct helper *helper,
				const struct helper_request *request,
				int channel, struct rules_text *all,
				uint64_t *ret_next)
{
	cleanup_free struct exception_list *list = NULL;
	char path[256];
	int r = exceptions_read(helper, &list);

	if (r < 0) {
		return r;
	}
	if (list->bad.line) {
		exceptions_path(helper, path, sizeof(path));
		job_complain(channel, request, "%s/" EXCEPTION_FILE ":%d: %s",
			     path, list->bad.line, list->bad.text);
	}
	for (uint32_t i = 0; r == 0 && i < list->count; i++) {
		const char *rule = list->exception[i].rule;

		r = rules_append(all, rule, strlen(rule));
	}
	*ret_next = exception_next_end(list->exception, list->count,
				       wall_now_ns() / MONO_S) * MONO_S;
	return r;
}

static int rules_compile(const struct rules_text *all, int *ret_fd,
			 struct rule_error *ret_error)
{
	const struct rule_limits limits = { 0 };
	struct rule_program *program = NULL;
	int r = rule_compile(all->bytes ? all->bytes : "", all->length,
			     &limits, &program, ret_error);

	if (r == 0) {
		r = file_sealed("rules", program, rule_program_size(program),
				ret_fd);
		free(program);
	}
	return r;
}

int rules_send(const struct helper *helper,
	       const struct helper_request *request, int channel)
{
	struct helper_reply reply = { .type = HELPER_PROGRAM, .more = 1 };
	struct rules_text all = { 0 };
	struct rule_error error = { .text = "too large" };
	cleanup_fd int fd = -1;
	char path[512];
	int r;

	snprintf(path, sizeof(path), "%s/rules.d", helper->start->etc_dir);
	r = rules_add_directory(helper, request, channel, path, &all);
	if (r == 0) {
		exceptions_path(helper, path, sizeof(path));
		r = rules_add_directory(helper, request, channel, path, &all);
	}
	if (r == 0) {
		r = rules_add_exceptions(helper, request, channel, &all,
					 &reply.number);
	}
	if (r == 0) {
		r = rules_compile(&all, &fd, &error);
	}
	free(all.bytes);
	if (r < 0) {
		job_complain(channel, request, "rules:%d: %s", error.line,
			     error.text);
		return r;
	}
	job_reply(channel, request, &reply, &fd, 1);
	return 0;
}

void task_rules(const struct helper *helper,
		const struct helper_request *request, int channel)
{
	int r = rules_send(helper, request, channel);

	job_done(channel, request, r, r < 0 ? "the rules in force stay" : "");
}

void task_exception_add(const struct helper *helper,
			const struct helper_request *request, int channel)
{
	struct helper_reply reply = { .type = HELPER_DONE };
	struct rule_error error = { 0 };
	int r = rules_try(request->text, strnlen(request->text,
						 sizeof(request->text)),
			  &error);

	if (r < 0) {
		job_done(channel, request, r, error.text);
		return;
	}
	r = exceptions_add(helper, request, &reply.number);
	if (r < 0) {
		job_done(channel, request, r, r == -EINVAL ?
			 "an exception is one allow rule, and a reason" :
			 r == -EBADMSG ? "exceptions.d/" EXCEPTION_FILE
			 " has a malformed line: mend it first" :
			 strerror(-r));
		return;
	}
	job_reply(channel, request, &reply, NULL, 0);
}
