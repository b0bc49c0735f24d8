/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/helper_exception.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#define EXCEPTION_LAST "# last %" PRIu64

void exceptions_path(const struct helper *helper, char *ret_path, size_t size)
{
	snprintf(ret_path, size, "%s/exceptions.d",
		 helper->strict ? helper->start->etc_dir :
		 helper->start->state_dir);
}

static void exceptions_parse_line(const char *line, int number,
				  struct exception_list *list)
{
	uint64_t now_s = wall_now_ns() / MONO_S, last;
	struct rule_error error;
	struct exception e;
	int r;

	if (sscanf(line, EXCEPTION_LAST, &last) == 1 && last > list->last_id) {
		list->last_id = last;
	}
	r = exception_parse(line, strlen(line), number, &e, &error);
	if (r < 0 && list->bad.line == 0) {
		list->bad = error;
		list->bad.line = number;
	}
	if (r != 0) {
		return;
	}
	if (e.id > list->last_id) {
		list->last_id = e.id;
	}
	if (list->count < EXCEPTIONS && exception_live(&e, now_s)) {
		list->exception[list->count++] = e;
	}
}

static void exceptions_parse(char *text, struct exception_list *list)
{
	char *rest = text;
	int number = 1;

	for (char *line = strsep(&rest, "\n"); line;
	     line = strsep(&rest, "\n")) {
		exceptions_parse_line(line, number++, list);
	}
}

static int exceptions_load(const struct helper *helper, int dir,
			   struct exception_list **ret_list)
{
	struct exception_list *list = calloc(1, sizeof(*list));
	cleanup_free char *text = NULL;
	size_t length;
	int r = 0;

	if (!list) {
		return -ENOMEM;
	}
	if (dir >= 0) {
		r = file_read(dir, EXCEPTION_FILE, helper->strict, &text,
			      &length);
	}
	if (r < 0 && r != -ENOENT) {
		free(list);
		return r;
	}
	if (text) {
		exceptions_parse(text, list);
	}
	*ret_list = list;
	return 0;
}

static int exceptions_open(const struct helper *helper, bool make, int *ret_dir)
{
	char path[512];
	int dir;

	exceptions_path(helper, path, sizeof(path));
	if (make && mkdir(path, 0755) < 0 && errno != EEXIST) {
		return result_errno();
	}
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0) {
		return result_errno();
	}
	*ret_dir = dir;
	return 0;
}

int exceptions_read(const struct helper *helper,
		    struct exception_list **ret_list)
{
	cleanup_fd int dir = -1;
	int r = exceptions_open(helper, false, &dir);

	return r < 0 && r != -ENOENT ? r : exceptions_load(helper, dir,
							   ret_list);
}

static int exceptions_write(int dir, const struct exception_list *list)
{
	size_t size = (list->count + 1) * EXCEPTION_LINE;
	cleanup_free char *text = malloc(size);
	size_t n;

	if (!text) {
		return -ENOMEM;
	}
	n = (size_t)snprintf(text, size, EXCEPTION_LAST "\n", list->last_id);
	for (uint32_t i = 0; i < list->count; i++) {
		int length = exception_format(&list->exception[i], text + n);

		if (length < 0) {
			return length;
		}
		n += (size_t)length;
	}
	return file_write(dir, EXCEPTION_FILE, text, n);
}

/* Changes the list under the lock. `change` returns 0 or an errno. */
static int exceptions_change(const struct helper *helper,
			     const struct helper_request *request,
			     int (*change)(struct exception_list *,
					   const struct helper_request *),
			     uint64_t *ret_id)
{
	cleanup_free struct exception_list *list = NULL;
	cleanup_fd int dir = -1;
	int r = exceptions_open(helper, true, &dir);

	if (r < 0) {
		return r;
	}
	if (flock(dir, LOCK_EX) < 0) {
		return result_errno();
	}
	r = exceptions_load(helper, dir, &list);
	if (r == 0) {
		r = list->bad.line ? -EBADMSG : change(list, request);
	}
	if (r == 0) {
		r = exceptions_write(dir, list);
	}
	if (r == 0) {
		*ret_id = list->last_id;
	}
	return r;
}

static void exception_clean(char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text < 0x20 || *text == 0x7f) {
			*text = ' ';
		}
	}
}

static int exception_append(struct exception_list *list,
			    const struct helper_request *request)
{
	struct exception *e = &list->exception[list->count];
	size_t n;

	if (list->count == EXCEPTIONS) {
		return -ENOSPC;
	}
	memset(e, 0, sizeof(*e));
	if (strnlen(request->text, sizeof(e->rule)) == sizeof(e->rule)) {
		return -E2BIG;
	}
	strcpy(e->rule, request->text);
	snprintf(e->reason, sizeof(e->reason), "%.*s",
		 (int)sizeof(request->reason) - 1, request->reason);
	n = strlen(e->rule);
	while (n && (e->rule[n - 1] == '\n' || e->rule[n - 1] == ' ')) {
		e->rule[--n] = '\0';
	}
	if (n == 0 || strchr(e->rule, '\n')) {
		return -EINVAL;         /* one rule, one line */
	}
	exception_clean(e->reason);
	e->id = ++list->last_id;
	e->added_s = wall_now_ns() / MONO_S;
	e->expires_s = request->number ? e->added_s + request->number : 0;
	list->count++;
	return 0;
}

static int exception_remove(struct exception_list *list,
			    const struct helper_request *request)
{
	for (uint32_t i = 0; i < list->count; i++) {
		if (list->exception[i].id == request->number) {
			list->exception[i] = list->exception[--list->count];
			return 0;
		}
	}
	return -ENOENT;
}

int exceptions_add(const struct helper *helper,
		   const struct helper_request *request, uint64_t *ret_id)
{
	return exceptions_change(helper, request, exception_append, ret_id);
}

void task_exception_remove(const struct helper *helper,
			   const struct helper_request *request, int channel)
{
	uint64_t last;
	int r = exceptions_change(helper, request, exception_remove, &last);

	job_done(channel, request, r, r == -ENOENT ? "no such exception" :
		 r < 0 ? strerror(-r) : "");
}

void task_exceptions(const struct helper *helper,
		     const struct helper_request *request, int channel)
{
	cleanup_free struct exception_list *list = NULL;
	int r = exceptions_read(helper, &list);

	for (uint32_t i = 0; r == 0 && i < list->count; i++) {
		struct helper_reply reply = {
			.type = HELPER_EXCEPTION, .more = 1,
		};
		const struct exception *e = &list->exception[i];
		struct admin_exception *out = &reply.exception;

		out->head.type = ADMIN_EXCEPTION;
		out->head.size = sizeof(*out);
		out->id = e->id;
		out->added_ns = e->added_s * MONO_S;
		out->expires_ns = e->expires_s * MONO_S;
		snprintf(out->text, sizeof(out->text), "%s", e->rule);
		snprintf(out->reason, sizeof(out->reason), "%s", e->reason);
		job_reply(channel, request, &reply, NULL, 0);
	}
	job_done(channel, request, r, r < 0 ? strerror(-r) : "");
}
