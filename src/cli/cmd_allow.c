/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_allow.c - an exception: an allow rule of the administrator with a reason
 * and, mostly, an end
 *
 * An event gives the identity that was decided about. If its path now leads to
 * something else, nobody can tell which of the two is meant: refused.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mono.h"
#include "base/result.h"
#include "cli/cli.h"
#include "cli/exception.h"
#include "cli/explain.h"
#include "cli/out.h"
#include "cli/peer.h"
#include "cli/text.h"

static void allow_say_name(const char *format, const char *name)
{
	cleanup_free char *text = malloc(TEXT_ESCAPED(strlen(name)));

	if (text) {
		text_escape(TEXT_HUMAN, name, strlen(name), text);
	}
	/* NOLINTNEXTLINE(clang-diagnostic-format-nonliteral) */
	cli_error(format, text ? text : "?");
}

/* By path, for what is not there now. */
static int allow_by_path(const char *path, char *ret_text)
{
	int r = exception_by_path(path, ret_text);

	if (r == -EINVAL) {
		cli_error("what is not there can only be allowed by a whole "
			  "path, from / and without . or ..");
	} else if (r < 0) {
		cli_error("the path is too long for a rule line; write a rule "
			  "with path-prefix into exceptions.d");
	}
	return r;
}

static int allow_by_stat(const struct stat *st, char *ret_text)
{
	if (S_ISDIR(st->st_mode)) {
		cli_error("that is a directory; to allow all below it write a "
			  "rule with path-prefix into exceptions.d");
		return -EISDIR;
	}
	return exception_by_object(st->st_dev, st->st_ino, ret_text);
}

static int allow_of_path(const char *path, char *ret_text)
{
	struct stat st;

	if (stat(path, &st) == 0) {
		return allow_by_stat(&st, ret_text);
	}
	if (errno != ENOENT) {
		cli_error("cannot look at the path: %s", strerror(errno));
		return result_errno();
	}
	return allow_by_path(path, ret_text);
}

static int allow_of_decision(const struct view_decision *d, char *ret_text)
{
	struct stat st;

	if (d->path_foreign) {
		return exception_by_object(d->device, d->inode, ret_text);
	}
	if (stat(d->path, &st) < 0) {
		return allow_by_path(d->path, ret_text);
	}
	if (st.st_dev != d->device || st.st_ino != d->inode) {
		allow_say_name("%s is not the file of that event any more; to "
			       "allow the present one give its path",
			       d->path);
		return -ESTALE;
	}
	return allow_by_stat(&st, ret_text);
}

/* The decision with this id. 1 there, 0 not, negative after saying why. */
static int allow_find(const struct cli_args *args, uint64_t id,
		      struct view_decision *ret_decision)
{
	struct view_request request = { .type = VIEW_EXPLAIN, .number = id };
	cleanup_peer struct peer peer = PEER_INIT;
	union peer_record record;
	int r = peer_begin_view(args, &request, &peer);
	int found = 0;

	if (r < 0) {
		return r;
	}
	while ((r = peer_next(&peer, &record)) == 1) {
		if (record.head.type == VIEW_DECISION &&
		    record.decision.id == id) {
			*ret_decision = record.decision;
			found = 1;
		}
	}
	if (r < 0 && !(r == -EREMOTEIO && peer.remote == ENOENT)) {
		peer_say(&peer, r);
		return r;
	}
	return found;
}

static int allow_of_event(const struct cli_args *args, uint64_t id,
			  char *ret_text)
{
	struct view_decision decision;
	int r = allow_find(args, id, &decision);

	if (r == 0) {
		cli_error("no event has this id; look with `bailey denials`, "
			  "or give the file's path (./%s for a file of that "
			  "name)", args->operand[0]);
		return -ENOENT;
	}
	return r < 0 ? r : allow_of_decision(&decision, ret_text);
}

static int allow_text(const struct cli_args *args, char *ret_text)
{
	const char *what = args->operand[0];
	uint64_t id;

	if (explain_id(what, &id) == 0) {
		return allow_of_event(args, id, ret_text);
	}
	if (strncmp(what, "sha256:", 7) == 0) {
		if (exception_by_sha256(what + 7, ret_text) == 0) {
			return 0;
		}
		cli_error("sha256: needs 64 hexadecimal digits, as sha256sum "
			  "prints them");
		return -EINVAL;
	}
	return allow_of_path(what, ret_text);
}

static int allow_run(const struct cli_args *args)
{
	struct admin_request request = { .type = ADMIN_EXCEPTION_ADD };
	const char *reason = cli_value(args, "reason", 0);
	int code, r;

	request.number = (cli_duration_ns(args, "for", 0) + MONO_S - 1) /
			 MONO_S;
	if (!reason) {
		cli_error("give --reason TEXT: whoever finds this exception "
			  "later wants to know");
		return CLI_UNKNOWN;
	}
	if (strlen(reason) >= sizeof(request.reason)) {
		cli_error("the reason is longer than %zu bytes; shorten it",
			  sizeof(request.reason) - 1);
		return CLI_UNKNOWN;
	}
	if (strpbrk(reason, "\n\r")) {
		cli_error("the reason must be one line");
		return CLI_UNKNOWN;
	}
	if (cli_has(args, "for") && request.number == 0) {
		cli_error("--for 0: that is no time; leave --for out for an "
			  "exception without end");
		return CLI_UNKNOWN;
	}
	strcpy(request.reason, reason);
	r = allow_text(args, request.text);
	if (r < 0) {
		return r == -ENOENT || r == -ESTALE ? CLI_NO : CLI_UNKNOWN;
	}
	code = peer_do(args, &request);
	if (code == CLI_YES) {
		out_text("%s\n", request.text);
	}
	return code;
}

static const struct cli_option allow_options[] = {
	{ "for", CLI_DURATION, false, "T",
	  "only for this time (30s, 5m, 2h, 1d); otherwise without end" },
	{ "reason", CLI_TEXT, false, "TEXT", "why; kept with the exception" },
	{ NULL, CLI_FLAG, false, NULL, NULL }
};

const struct cli_command cmd_allow = {
	.name = "allow",
	.synopsis = "EVENT-ID|PATH|sha256:HASH [--for T] --reason TEXT",
	.summary = "let it happen, whatever a product says",
	.help = "For root. A file that is there is allowed by its identity, "
		"under every name;\none that is not, by its path. Prints the "
		"rule. A file whose name is a number is\nwritten ./NUMBER.\n"
		"Exit code: 0 allowed, 1 refused, 2 could not tell.\n",
	.page = "bailey-allow",
	.options = allow_options,
	.operand = CLI_FILE,
	.operand_min = 1,
	.operand_max = 1,
	.run = allow_run,
};
