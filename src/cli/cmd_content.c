/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_content.c - versions of the products' content: what runs, what comes,
 * why not, and what the administrator says about it
 *
 * One table of verbs. Those that the content agent answers are one request
 * (content_talk.h) whose records a view prints (content_show.h); export and
 * import are bailey-updater's work (content_bundle.c), because staging is its.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/mono.h"
#include "cli/cli.h"
#include "cli/content_bundle.h"
#include "cli/content_show.h"
#include "cli/peer.h"
#include "cli/when.h"

#define CONTENT_BIT(record) (1u << CONTENT_RECORD_##record)

/* Options that a verb takes, beside --state and --timeout. */
enum {
	WITH_JSON = 1, WITH_REASON = 2, WITH_FOR = 4, WITH_PRODUCT = 8,
	WITH_FROM = 16, WITH_ETC = 32
};

/* X(verb, "do" or null, operands, at most, records, options, "operands",
 * "help"). Operands: P product, V version, D directory, B bundle. */
#define CONTENT_VERB_TABLE(X)                                                 \
	X("list", LIST, "P", 0, 1, CONTENT_BIT(PRODUCT), WITH_JSON,           \
	  "[PRODUCT]", "what each product runs, and what waits for what")     \
	X("show", SHOW, "P", 1, 1, CONTENT_BIT(PRODUCT) |                     \
	  CONTENT_BIT(VERSION), WITH_JSON,                                    \
	  "PRODUCT", "one product in full, and its versions")                 \
	X("why", WHY, "PV", 1, 2, CONTENT_BIT(REASON), WITH_JSON,             \
	  "PRODUCT [VERSION]", "what was decided, from what, and what holds " \
	  "now: from the journal, offline")                                   \
	X("pin", PIN, "PV", 2, 2, 0, WITH_REASON,                             \
	  "PRODUCT VERSION", "stay with this version, or go to it")           \
	X("unpin", UNPIN, "P", 1, 1, 0, 0, "PRODUCT", "end the pin")          \
	X("pause", PAUSE, "P", 0, 1, 0, WITH_FOR | WITH_REASON,               \
	  "[PRODUCT]", "no new version, for a time or until resume")          \
	X("resume", RESUME, "P", 0, 1, 0, 0, "[PRODUCT]", "end the pause")    \
	X("revert", REVERT, "PV", 1, 2, 0, WITH_REASON,                       \
	  "PRODUCT [VERSION]", "back to the last good version, at once, "     \
	  "without a network")                                                \
	X("check", CHECK, "P", 0, 1, CONTENT_BIT(PROGRESS), WITH_JSON,        \
	  "[PRODUCT]", "look for new versions now, and wait for the outcome") \
	X("lift", LIFT, "PV", 2, 2, 0, WITH_REASON,                           \
	  "PRODUCT VERSION", "let a quarantined version be tried again")      \
	X("submit", SUBMIT, "D", 1, 1, CONTENT_BIT(PROGRESS),                 \
	  WITH_JSON | WITH_PRODUCT, "DIR", "a folder with a version from "    \
	  "another channel: verify, preflight, trial")                        \
	X("export", NONE, "B", 1, 1, 0, WITH_PRODUCT | WITH_FROM,             \
	  "BUNDLE", "what staging or a repository folder has, as one file")   \
	X("import", NONE, "B", 1, 1, 0, WITH_ETC,                             \
	  "BUNDLE", "such a file into staging, as if it had been fetched")

#define CONTENT_DO_NONE CONTENT_REQUESTS

struct content_verb {
	const char *name;
	enum content_request what;
	const char *operands;
	int least, most;
	unsigned records, with;
	const char *synopsis;
};

#define VERB_ROW(name, what, operands, least, most, records, with, synopsis,  \
		 help)                                                        \
	{ name, (enum content_request)CONTENT_DO_##what, operands, least,     \
	  most, records, with, synopsis },
static const struct content_verb content_verbs[] = {
	CONTENT_VERB_TABLE(VERB_ROW)
};

#define DO_NAME(sym, name, root, descriptor, help) name,
static const char *const content_do[] = { CONTENT_REQUEST_TABLE(DO_NAME) };

static const struct {
	const char *option;
	unsigned with;
} content_with[] = {
	{ "json", WITH_JSON }, { "reason", WITH_REASON }, { "for", WITH_FOR },
	{ "product", WITH_PRODUCT }, { "from", WITH_FROM },
	{ "etc", WITH_ETC },
};

/* ---- the command line ---- */

static int content_check(const struct content_verb *verb,
			 const struct cli_args *args)
{
	int count = args->operand_count - 1;
	size_t i;

	if (count < verb->least || count > verb->most) {
		cli_error("write: bailey content %s %s", verb->name,
			  verb->synopsis);
		return -EINVAL;
	}
	for (i = 0; i < sizeof(content_with) / sizeof(content_with[0]); i++) {
		if (cli_has(args, content_with[i].option) &&
		    !(verb->with & content_with[i].with)) {
			cli_error("--%s does not go with content %s; leave it "
				  "out", content_with[i].option, verb->name);
			return -EINVAL;
		}
	}
	return 0;
}

static int content_put(json_t *request, const char *key, const char *text)
{
	if (!text) {
		return 0;
	}
	if (strlen(text) > CONTENT_TEXT_MOST) {
		cli_error("the %s is longer than %u bytes; write less", key,
			  CONTENT_TEXT_MOST);
		return -E2BIG;
	}
	if (json_object_set_new(request, key, json_string(text)) < 0) {
		cli_error("the %s is not UTF-8; write it in plain letters",
			  key);
		return -EINVAL;
	}
	return 0;
}

/* The request, the caller's; null after saying why. */
static json_t *content_request(const struct content_verb *verb,
			       const struct cli_args *args)
{
	json_t *request = json_pack("{s:s}", "do", content_do[verb->what]);
	uint64_t for_ns = cli_duration_ns(args, "for", 0);
	int i, r = request ? 0 : -ENOMEM;

	for (i = 1; r == 0 && i < args->operand_count; i++) {
		char kind = verb->operands[i - 1];

		r = kind == 'D' ? 0 :
		    content_put(request, kind == 'P' ? "product" : "version",
				args->operand[i]);
	}
	r = r ? r : content_put(request, "product",
				cli_value(args, "product", 0));
	r = r ? r : content_put(request, "reason",
				cli_value(args, "reason", 0));
	if (r == 0 && verb->with & WITH_FOR) {
		r = json_object_set_new(request, "for_s", json_integer(
			(json_int_t)((for_ns + MONO_S - 1) / MONO_S)));
	}
	if (r < 0) {
		json_decref(request);
		return NULL;
	}
	return request;
}

/* The directory to submit; -1 after saying why. */
static int content_directory(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0) {
		cli_error("cannot open %s: %s; give a folder that "
			  "bailey-publish writes, or one with site.json", path,
			  strerror(errno));
	}
	return fd;
}

/* ---- one exchange ---- */

static bool content_waits(const struct content_verb *verb)
{
	return verb->records & CONTENT_BIT(PROGRESS);
}

static int content_records(struct content_call *call,
			   struct content_view *view)
{
	int r, taken = 0;

	do {
		cleanup_row struct content_row row = { .tree = NULL };

		r = content_next(call, &row);
		if (r == 1) {
			taken = content_view_take(view, &row);
		}
	} while (r == 1 && taken == 0);
	return r == 1 ? taken : r;
}

static int content_finish(const struct content_verb *verb,
			  const struct content_call *call,
			  struct content_view *view, int r)
{
	bool lists = verb->records && !content_waits(verb);

	if (out_gone()) {
		return CLI_YES;
	}
	if (!lists) {
		bool told = r == 0 || r == -EREMOTEIO;

		if (!view->json || told) {
			content_view_ended(view, call->remote, call->text);
		}
		return r < 0 ? content_say(call, r) : CLI_YES;
	}
	if (r < 0) {
		return content_say(call, r);
	}
	r = content_view_end(view);
	if (r < 0) {
		cli_error("cannot build the list: %s", strerror(-r));
		return CLI_UNKNOWN;
	}
	return view->shown ? CLI_YES : CLI_NO;
}

static int content_exchange(const struct content_verb *verb,
			    const struct cli_args *args)
{
	bool asked_time = cli_has(args, "timeout");
	cleanup_call struct content_call call = CONTENT_CALL_INIT;
	cleanup_view struct content_view view = { .json = false };
	json_t *request;
	cleanup_fd int passed = -1;
	int r;

	if (verb->operands[0] == 'D') {
		passed = content_directory(args->operand[1]);
		if (passed < 0) {
			return CLI_UNKNOWN;
		}
	}
	if (content_view_init(&view, cli_has(args, "json"),
			      verb->what == CONTENT_DO_SHOW,
			      verb->records) < 0) {
		cli_error("out of memory; try again");
		return CLI_UNKNOWN;
	}
	request = content_request(verb, args);
	if (!request) {
		return CLI_UNKNOWN;
	}
	r = content_begin(args, request, passed, content_waits(verb) &&
			  !asked_time ? PEER_FOREVER : peer_timeout_ms(args),
			  &call);
	json_decref(request);
	if (r < 0) {
		return CLI_UNKNOWN;
	}
	r = content_records(&call, &view);
	return content_finish(verb, &call, &view, r);
}

static int content_run(const struct cli_args *args)
{
	const struct content_verb *verb = content_verbs;

	while (strcmp(verb->name, args->operand[0]) != 0) {
		verb++;                 /* it is one of cmd_content.words */
	}
	if (content_check(verb, args) < 0) {
		return CLI_UNKNOWN;
	}
	if (verb->operands[0] == 'B') {
		return content_bundle(args, verb->name);
	}
	return content_exchange(verb, args);
}

#define VERB_WORD(name, ...) name,
static const char *const content_words[] = {
	CONTENT_VERB_TABLE(VERB_WORD) NULL
};

static const struct cli_option content_options[] = {
	CLI_OPTION_JSON,
	{ "reason", CLI_TEXT, false, "TEXT",
	  "why, for the journal and for `why`" },
	{ "for", CLI_DURATION, false, "T", "how long to pause" },
	{ "product", CLI_PRODUCT, false, "PRODUCT",
	  "submit, export: whose content it is" },
	{ "from", CLI_DIRECTORY, false, "DIR",
	  "export: a publisher's or a site's folder in place of staging" },
	{ "etc", CLI_DIRECTORY, false, "DIR",
	  "import: where the configuration is (default /etc/bailey, or etc "
	  "below --state)" },
	{ NULL, CLI_FLAG, false, NULL, NULL }
};

#define VERB_HELP(name, what, operands, least, most, records, with, synopsis, \
		  help)                                                       \
	"  " name " " synopsis "\n      " help "\n"

const struct cli_command cmd_content = {
	.name = "content",
	.synopsis = "VERB [OPERAND]... [OPTION]...",
	.summary = "versions of the products' content: what runs, what comes, "
		   "and why not",
	.help = "\n" CONTENT_VERB_TABLE(VERB_HELP) "\nA VERSION is its number, "
		"its name, or 8 or more digits of its hash.\n"
		"list, show and why are for anyone, the rest is for root.\n"
		"Exit code: 0 done, or there are some; 1 refused, or there are "
		"none; 2 could not tell.\n",
	.page = "bailey-content",
	.options = content_options,
	.words = content_words,
	.operand = CLI_WORD,
	.operand_min = 1,
	.operand_max = 3,
	.run = content_run,
};
