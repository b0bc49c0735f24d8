/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/content_talk.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/json.h"
#include "base/mono.h"
#include "base/pass.h"
#include "cli/peer.h"
#include "cli/state.h"
#include "cli/text.h"

#define TALK_MEMBER(name, kind, help) { #name, CONTENT_KIND_##kind, help },
#define TALK_END { NULL, CONTENT_KIND_TEXT, NULL }
static const struct content_member talk_product[] = {
	CONTENT_PRODUCT_TABLE(TALK_MEMBER) TALK_END
};
static const struct content_member talk_version[] = {
	CONTENT_VERSION_TABLE(TALK_MEMBER) TALK_END
};
static const struct content_member talk_reason[] = {
	CONTENT_REASON_TABLE(TALK_MEMBER) TALK_END
};
static const struct content_member talk_progress[] = {
	CONTENT_PROGRESS_TABLE(TALK_MEMBER) TALK_END
};

static const struct {
	const char *name;
	const struct content_member *members;
} talk_types[CONTENT_RECORDS] = {
	[CONTENT_RECORD_PRODUCT] = { "product", talk_product },
	[CONTENT_RECORD_VERSION] = { "version", talk_version },
	[CONTENT_RECORD_REASON] = { "reason", talk_reason },
	[CONTENT_RECORD_PROGRESS] = { "progress", talk_progress },
};

const struct content_member *content_members(enum content_record type)
{
	return talk_types[type].members;
}

const char *content_type_name(enum content_record type)
{
	return talk_types[type].name;
}

/* ---- the connection ---- */

void content_call_fini(struct content_call *call)
{
	fd_closep(&call->fd);
	call->fd = -1;
}

void content_row_fini(struct content_row *row)
{
	json_decref(row->tree);
	row->tree = NULL;
}

/* 0 when ready; -ETIMEDOUT, -EINTR. */
static int talk_wait(const struct content_call *call, short events)
{
	mono_t end = mono_add(mono_now(),
			      (uint64_t)call->timeout_ms * MONO_MS);
	bool forever = call->timeout_ms == PEER_FOREVER;

	for (;;) {
		struct pollfd p = { .fd = call->fd, .events = events };
		uint64_t left = mono_between(mono_now(), end);
		int n = poll(&p, 1, forever ? -1 :
			     (int)((left + MONO_MS - 1) / MONO_MS));

		if (n > 0) {
			return 0;
		}
		if (n < 0 && errno != EINTR) {
			return result_errno();
		}
		if (cli_interrupted()) {
			return -EINTR;
		}
		if (n == 0) {
			return -ETIMEDOUT;
		}
	}
}

/* Through the directory's descriptor, as peer_open() does. */
static int talk_connect(int state_fd, int *ret_fd)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	cleanup_fd int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC |
				   SOCK_NONBLOCK, 0);

	snprintf(address.sun_path, sizeof(address.sun_path),
		 "/proc/self/fd/%d/" CONTENT_SOCKET, state_fd);
	if (fd < 0) {
		return result_errno();
	}
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		/* a full backlog: it is there but takes no more callers */
		return errno == EAGAIN ? -ETIMEDOUT : result_errno();
	}
	*ret_fd = fd_take(&fd);
	return 0;
}

static int talk_send(struct content_call *call, const json_t *request,
		     int passed)
{
	cleanup_free char *text = json_dumps(request, JSON_COMPACT);
	int r = text ? talk_wait(call, POLLOUT) : -ENOMEM;

	if (r == 0 && strlen(text) > CONTENT_REQUEST_MOST) {
		r = -E2BIG;
	}
	return r < 0 ? r : pass_send(call->fd, text, strlen(text), &passed,
				     passed >= 0, MSG_NOSIGNAL);
}

int content_begin(const struct cli_args *args, const json_t *request,
		  int passed, int timeout_ms, struct content_call *ret_call)
{
	cleanup_fd int state = -1;
	int r = state_open(cli_value(args, "state", 0), &state);

	if (r < 0) {
		return r;
	}
	ret_call->timeout_ms = timeout_ms;
	r = talk_connect(state, &ret_call->fd);
	r = r < 0 ? r : talk_send(ret_call, request, passed);
	if (r < 0) {
		(void)content_say(ret_call, r);
	}
	return r;
}

/* ---- records ---- */

static int talk_check_member(const json_t *tree,
			     const struct content_member *member)
{
	const json_t *value = json_object_get(tree, member->name);

	if (!value || json_is_null(value)) {
		return 0;
	}
	switch (member->kind) {
	case CONTENT_KIND_TEXT:
		return json_is_string(value) &&
		       json_string_length(value) <= CONTENT_TEXT_MOST ?
		       0 : -EBADMSG;
	case CONTENT_KIND_NUMBER:
	case CONTENT_KIND_TIME:
		return json_is_integer(value) &&
		       json_integer_value(value) >= 0 ? 0 : -EBADMSG;
	case CONTENT_KIND_TRUTH:
		return json_is_boolean(value) ? 0 : -EBADMSG;
	}
	return -EBADMSG;
}

static int talk_check(const json_t *tree, enum content_record *ret_type)
{
	const char *name = json_string_value(json_object_get(tree, "type"));
	const struct content_member *member;
	unsigned type = 0;

	while (type < CONTENT_RECORDS && name &&
	       strcmp(name, talk_types[type].name) != 0) {
		type++;
	}
	if (!name || type == CONTENT_RECORDS) {
		return -EBADMSG;
	}
	for (member = talk_types[type].members; member->name; member++) {
		if (talk_check_member(tree, member) < 0) {
			return -EBADMSG;
		}
	}
	*ret_type = (enum content_record)type;
	return 0;
}

/* The last datagram: 0, or -EREMOTEIO with what it says. */
static int talk_end(struct content_call *call, const json_t *tree)
{
	const json_t *error = json_object_get(tree, "error");
	const json_t *text = json_object_get(tree, "text");

	if (!json_is_integer(error) || json_integer_value(error) < 0 ||
	    json_integer_value(error) > 4095 ||
	    (text && !json_is_null(text) &&
	     (!json_is_string(text) ||
	      json_string_length(text) > CONTENT_TEXT_MOST))) {
		return -EBADMSG;
	}
	call->remote = (int)json_integer_value(error);
	snprintf(call->text, sizeof(call->text), "%s",
		 json_is_string(text) ? json_string_value(text) : "");
	return call->remote ? -EREMOTEIO : 0;
}

int content_next(struct content_call *call, struct content_row *ret_row)
{
	cleanup_free char *bytes = malloc(CONTENT_RECORD_MOST);
	cleanup_json_tree json_t *tree = NULL;
	struct json_fault fault;
	struct json_at top;
	ssize_t n;
	int r;

	if (!bytes) {
		return -ENOMEM;
	}
	r = talk_wait(call, POLLIN);
	if (r < 0) {
		return r;
	}
	n = recv(call->fd, bytes, CONTENT_RECORD_MOST,
		 MSG_TRUNC | MSG_DONTWAIT);
	if (n <= 0) {
		return n == 0 || errno == ECONNRESET ? -EPIPE : result_errno();
	}
	if (n > (ssize_t)CONTENT_RECORD_MOST ||
	    json_read(bytes, (size_t)n, CONTENT_RECORD_MOST, &tree, &top,
		      &fault) < 0) {
		return -EBADMSG;
	}
	if (json_is_true(json_object_get(tree, "end"))) {
		return talk_end(call, tree);
	}
	r = talk_check(tree, &ret_row->type);
	if (r < 0) {
		return r;
	}
	ret_row->tree = tree;
	tree = NULL;
	return 1;
}

const char *content_text(const struct content_row *row, const char *name)
{
	return json_string_value(json_object_get(row->tree, name));
}

bool content_number(const struct content_row *row, const char *name,
		    uint64_t *ret_number)
{
	const json_t *value = json_object_get(row->tree, name);

	if (!json_is_integer(value)) {
		return false;
	}
	*ret_number = (uint64_t)json_integer_value(value);
	return true;
}

bool content_truth(const struct content_row *row, const char *name)
{
	return json_is_true(json_object_get(row->tree, name));
}

/* ---- errors ---- */

static const char *talk_meaning(int error)
{
	static const struct { int error; const char *text; } rows[] = {
#define TALK_ROW(error, text) { error, text },
		CONTENT_ERROR_TABLE(TALK_ROW)
#undef TALK_ROW
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].error == error) {
			return rows[i].text;
		}
	}
	return strerror(error);
}

static const char *talk_advice(int remote)
{
	switch (remote) {
	case EPERM:
	case EACCES:
		return "run this as root";
	case ENODEV:
		return "`bailey content list` names those that are";
	case ENOENT:
		return "`bailey content show PRODUCT` names them";
	case EBUSY:
		return "try again when that has ended";
	case EINVAL:
		return "start the service again after an upgrade";
	default:
		return "`bailey content why PRODUCT` tells more";
	}
}

static void talk_say_remote(const struct content_call *call)
{
	char text[TEXT_ESCAPED(CONTENT_TEXT_MOST)];

	text_escape(TEXT_HUMAN, call->text, strlen(call->text), text);
	if (*text) {
		cli_error("the content agent refused: %s", text);
	} else {
		cli_error("the content agent refused: %s; %s",
			  talk_meaning(call->remote),
			  talk_advice(call->remote));
	}
}

int content_say(const struct content_call *call, int error)
{
	switch (-error) {
	case EREMOTEIO:
		talk_say_remote(call);
		return CLI_NO;
	case EINTR:
		break;
	case ENOENT:
	case ECONNREFUSED:
		cli_error("the content agent is not running: nobody listens "
			  "on its socket; start the service or `bailey run`, "
			  "with a product whose manifest has [content] root");
		break;
	case EACCES:
		cli_error("the content agent's socket is not open to this "
			  "user; run this as root");
		break;
	case ETIMEDOUT:
		cli_error("the content agent did not answer in time; try "
			  "again, or wait longer with --timeout");
		break;
	case EPIPE:
		cli_error("the content agent went away in the middle of its "
			  "answer; try again, see its log if that stays so");
		break;
	case EBADMSG:
		cli_error("the content agent sent something that this version "
			  "does not understand; start the service again after "
			  "an upgrade");
		break;
	case E2BIG:
		cli_error("this is more than a request holds; give a shorter "
			  "--reason");
		break;
	default:
		cli_error("cannot talk to the content agent: %s; see the "
			  "service's log", strerror(-error));
	}
	return CLI_UNKNOWN;
}
