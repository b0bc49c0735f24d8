/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/peer.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/mono.h"
#include "base/result.h"
#include "cli/state.h"

static const struct {
	const char *socket, *who;
} peer_names[] = {
	[PEER_ENGINE] = { "view.sock", "the engine" },
	[PEER_MONITOR] = { "admin.sock", "the monitor" },
};

/* X(type, which, struct) */
#define PEER_RECORD_TABLE(X)                                                  \
	X(VIEW_END, PEER_ENGINE, view_end)                                    \
	X(VIEW_ENGINE, PEER_ENGINE, view_engine)                              \
	X(VIEW_PRODUCT, PEER_ENGINE, view_product)                            \
	X(VIEW_DECISION, PEER_ENGINE, view_decision)                          \
	X(VIEW_KNOWN_ROW, PEER_ENGINE, view_known)                            \
	X(VIEW_RULES_ROW, PEER_ENGINE, view_rules)                            \
	X(ADMIN_END, PEER_MONITOR, view_end)                                  \
	X(ADMIN_MONITOR, PEER_MONITOR, admin_monitor)                         \
	X(ADMIN_PRODUCT, PEER_MONITOR, admin_product)                         \
	X(ADMIN_SCOPE, PEER_MONITOR, admin_scope)                             \
	X(ADMIN_DEGRADED, PEER_MONITOR, admin_degraded)                       \
	X(ADMIN_EXCEPTION, PEER_MONITOR, admin_exception)                     \
	X(ADMIN_DOCTOR_ROW, PEER_MONITOR, admin_doctor)

/* Every text of every record: X(type, struct, field) */
#define PEER_TEXT_TABLE(X)                                                    \
	X(VIEW_PRODUCT, view_product, name)                                   \
	X(VIEW_PRODUCT, view_product, last_fault)                             \
	X(VIEW_DECISION, view_decision, product)                              \
	X(VIEW_DECISION, view_decision, exe)                                  \
	X(VIEW_DECISION, view_decision, path)                                 \
	X(VIEW_DECISION, view_decision, finding.rule)                         \
	X(VIEW_DECISION, view_decision, finding.title)                        \
	X(VIEW_DECISION, view_decision, finding.technique)                    \
	X(VIEW_RULES_ROW, view_rules, owner)                                  \
	X(ADMIN_PRODUCT, admin_product, name)                                 \
	X(ADMIN_PRODUCT, admin_product, last_exit)                            \
	X(ADMIN_SCOPE, admin_scope, kind)                                     \
	X(ADMIN_SCOPE, admin_scope, fstype)                                   \
	X(ADMIN_SCOPE, admin_scope, path)                                     \
	X(ADMIN_SCOPE, admin_scope, reason)                                   \
	X(ADMIN_DEGRADED, admin_degraded, what)                               \
	X(ADMIN_DEGRADED, admin_degraded, why)                                \
	X(ADMIN_EXCEPTION, admin_exception, text)                             \
	X(ADMIN_EXCEPTION, admin_exception, reason)                           \
	X(ADMIN_DOCTOR_ROW, admin_doctor, product)                            \
	X(ADMIN_DOCTOR_ROW, admin_doctor, what)                               \
	X(ADMIN_DOCTOR_ROW, admin_doctor, why)                                \
	X(ADMIN_DOCTOR_ROW, admin_doctor, cost)

#define PEER_RECORD_ROW(type, which, name) { type, which, sizeof(struct name) },
#define PEER_TEXT_ROW(type, name, field)                                      \
	{ type, offsetof(struct name, field) +                                \
		sizeof(((struct name *)0)->field) - 1 },

static const struct {
	uint32_t type;
	enum peer_which which;
	size_t size;
} peer_records[] = { PEER_RECORD_TABLE(PEER_RECORD_ROW) };

static const struct {
	uint32_t type;
	size_t last;            /* offset of the text's last byte */
} peer_texts[] = { PEER_TEXT_TABLE(PEER_TEXT_ROW) };

#define PEER_COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Connects through the directory's descriptor: a long path fits, and nothing
 * can be put in its place meanwhile. */
int peer_open(struct peer *ret_peer, int state_fd, enum peer_which which,
	      int timeout_ms)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	cleanup_fd int fd = -1;

	*ret_peer = (struct peer){ .fd = -1, .which = which,
				   .timeout_ms = timeout_ms };
	snprintf(address.sun_path, sizeof(address.sun_path),
		 "/proc/self/fd/%d/%s", state_fd, peer_names[which].socket);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0) {
		return result_errno();
	}
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		/* a full backlog: it is there but takes no more callers */
		return errno == EAGAIN ? -ETIMEDOUT : result_errno();
	}
	ret_peer->fd = fd_take(&fd);
	return 0;
}

void peer_closep(struct peer *peer)
{
	fd_closep(&peer->fd);
	peer->fd = -1;
}

/* 0 when ready; -ETIMEDOUT, -EINTR. */
static int peer_wait(const struct peer *peer, short events)
{
	mono_t start = mono_now();
	int left = peer->timeout_ms;

	for (;;) {
		struct pollfd p = { .fd = peer->fd, .events = events };
		int n = poll(&p, 1, left);
		uint64_t ms = mono_between(start, mono_now()) / MONO_MS;

		if (n > 0) {
			return 0;
		}
		if (n < 0 && errno != EINTR) {
			return result_errno();
		}
		if (cli_interrupted()) {
			return -EINTR;
		}
		if (peer->timeout_ms != PEER_FOREVER) {
			if (ms >= (uint64_t)peer->timeout_ms) {
				return -ETIMEDOUT;
			}
			left = peer->timeout_ms - (int)ms;
		}
	}
}

static int peer_send(struct peer *peer, const void *request, size_t size)
{
	int r = peer_wait(peer, POLLOUT);

	if (r < 0) {
		return r;
	}
	if (send(peer->fd, request, size, MSG_NOSIGNAL) != (ssize_t)size) {
		return result_errno();
	}
	return 0;
}

int peer_ask_view(struct peer *peer, struct view_request *request)
{
	request->version = VIEW_VERSION;
	return peer_send(peer, request, sizeof(*request));
}

int peer_ask_admin(struct peer *peer, struct admin_request *request)
{
	request->version = VIEW_VERSION;
	return peer_send(peer, request, sizeof(*request));
}

/* Right type from this peer, right size; ends every text. */
static int peer_check(const struct peer *peer, union peer_record *record,
		      size_t size)
{
	size_t i;

	if (size < sizeof(record->head) || record->head.size != size) {
		return -EBADMSG;
	}
	for (i = 0; i < PEER_COUNT(peer_records); i++) {
		if (peer_records[i].type == record->head.type) {
			break;
		}
	}
	if (i == PEER_COUNT(peer_records) ||
	    peer_records[i].which != peer->which ||
	    peer_records[i].size != size) {
		return -EBADMSG;
	}
	for (i = 0; i < PEER_COUNT(peer_texts); i++) {
		if (peer_texts[i].type == record->head.type) {
			((char *)record)[peer_texts[i].last] = '\0';
		}
	}
	return 0;
}

int peer_next(struct peer *peer, union peer_record *ret_record)
{
	ssize_t n;
	int r = peer_wait(peer, POLLIN);

	if (r < 0) {
		return r;
	}
	n = recv(peer->fd, ret_record, sizeof(*ret_record),
		 MSG_TRUNC | MSG_DONTWAIT);
	if (n < 0) {
		return errno == ECONNRESET ? -EPIPE : result_errno();
	}
	if (n == 0) {
		return -EPIPE;
	}
	if ((size_t)n > sizeof(*ret_record)) {
		return -EBADMSG;
	}
	r = peer_check(peer, ret_record, (size_t)n);
	if (r < 0) {
		return r;
	}
	if (ret_record->head.type != VIEW_END &&
	    ret_record->head.type != ADMIN_END) {
		return 1;
	}
	peer->remote = (int)ret_record->end.error;
	return peer->remote ? -EREMOTEIO : 0;
}

const char *peer_reason(const struct peer *peer, int error)
{
	switch (-error) {
	case ENOENT:
	case ECONNREFUSED:
		return "not running: nobody listens on its socket";
	case EACCES:
		return "its socket is not open to this user";
	case ETIMEDOUT:
		return "did not answer in time";
	case EPIPE:
		return "went away in the middle of its answer";
	case EBADMSG:
		return "sent something that this version does not understand";
	case EREMOTEIO:
		return strerror(peer->remote);
	default:
		return strerror(-error);
	}
}

static const char *peer_advice(const struct peer *peer, int error)
{
	int what = error == -EREMOTEIO ? peer->remote : -error;

	switch (what) {
	case ENOENT:
		return error == -EREMOTEIO ? "it has nothing of that name or "
			"number: see `bailey products` and "
			"`bailey exceptions`" :
			"start the service or `bailey run`";
	case ECONNREFUSED:
		return "start the service or `bailey run`, or look why it "
		       "ended in its log";
	case EACCES:
	case EPERM:
		return "only root may; run this as root";
	case ETIMEDOUT:
		return "try again, or wait longer with --timeout";
	case EPIPE:
		return "try again; `bailey status` tells whether it restarted";
	case EBADMSG:
	case EPROTO:
	case EPROTONOSUPPORT:
		return "bailey and the running service differ in version: "
		       "start the service again after an upgrade";
	case EINVAL:
		return "check what was given; if it looks right, the service "
		       "is older than this command";
	default:
		return "see the service's log";
	}
}

void peer_say(const struct peer *peer, int error)
{
	if (error == -EINTR) {
		return;
	}
	cli_error("%s %s%s; %s", peer_names[peer->which].who,
		  error == -EREMOTEIO ? "refused: " : "",
		  peer_reason(peer, error), peer_advice(peer, error));
}

int peer_timeout_ms(const struct cli_args *args)
{
	uint64_t ns = cli_duration_ns(args, "timeout", PEER_TIMEOUT_NS);
	uint64_t ms = ns / MONO_MS;

	return ms > INT32_MAX ? INT32_MAX : (int)ms;
}

static int peer_begin(const struct cli_args *args, enum peer_which which,
		      struct peer *ret_peer)
{
	cleanup_fd int state = -1;
	int r = state_open(cli_value(args, "state", 0), &state);

	if (r < 0) {
		return r;
	}
	r = peer_open(ret_peer, state, which, peer_timeout_ms(args));
	if (r < 0) {
		peer_say(ret_peer, r);
	}
	return r;
}

int peer_begin_view(const struct cli_args *args, struct view_request *request,
		    struct peer *ret_peer)
{
	int r = peer_begin(args, PEER_ENGINE, ret_peer);

	if (r < 0) {
		return r;
	}
	r = peer_ask_view(ret_peer, request);
	if (r < 0) {
		peer_say(ret_peer, r);
	}
	return r;
}

int peer_begin_admin(const struct cli_args *args,
		     struct admin_request *request, struct peer *ret_peer)
{
	int r = peer_begin(args, PEER_MONITOR, ret_peer);

	if (r < 0) {
		return r;
	}
	r = peer_ask_admin(ret_peer, request);
	if (r < 0) {
		peer_say(ret_peer, r);
	}
	return r;
}

int peer_exit(const struct peer *peer, int error)
{
	return error == -EREMOTEIO ? CLI_NO : CLI_UNKNOWN;
}

int peer_do(const struct cli_args *args, struct admin_request *request)
{
	cleanup_peer struct peer peer = PEER_INIT;
	union peer_record record;
	int r;

	if (peer_begin_admin(args, request, &peer) < 0) {
		return CLI_UNKNOWN;
	}
	r = peer_next(&peer, &record);
	if (r == 1) {
		r = -EBADMSG;           /* only an end was to come */
	}
	if (r < 0) {
		peer_say(&peer, r);
		return peer_exit(&peer, r);
	}
	return CLI_YES;
}
