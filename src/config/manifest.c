/* SPDX-License-Identifier: Apache-2.0 */
#include "config/manifest.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "config/conf.h"
#include "proto/wire.h"

#define DEADLINE_LIMIT_MS 10000u
#define DEADLINES 2u            /* rows of deadline_table */

#define REASON(...) (snprintf(ret_reason, CONF_REASON, __VA_ARGS__), -EINVAL)

/* What manifest_parse() reads into: deadlines may stand before the events. */
struct reading {
	struct manifest manifest;
	uint32_t deadline_ms[DEADLINES];        /* 0: not given */
};

/* Events that wait: the short name of deadline_ms, and the default. */
static const struct {
	uint32_t kind, default_ms;
	const char *name;
} deadline_table[DEADLINES] = {
	{ BAILEY_EVENT_FILE_OPEN, 100, "open" },
	{ BAILEY_EVENT_PROCESS_EXEC, 500, "exec" }
};

/* Events of later versions, which `ask?' may already name. */
static const char *const later_events[] = {
	"file.create", "file.unlink", "file.rename", "file.link",
	"file.truncate", "file.access", "network.connect", "network.accept",
	"kernel.module"
};

enum event_class { CLASS_AUTH, CLASS_NOTIFY, CLASS_CONTROL };

static const struct {
	const char *name;
	uint32_t kind;
	enum event_class class;
} event_table[] = {
#define ROW(sym, num, name, class, help) { name, num, CLASS_##class },
	BAILEY_EVENT_TABLE(ROW)
#undef ROW
};

/* ---- events ---- */

static bool is_later(const char *name)
{
	for (size_t i = 0; i < sizeof(later_events) / sizeof(later_events[0]);
	     i++) {
		if (!strcmp(later_events[i], name)) {
			return true;
		}
	}
	return false;
}

/* Adds one event by name; `ask': it must be a question. */
static int event_add(struct manifest_event *list, const char *name, bool ask,
		     uint32_t optional, char ret_reason[CONF_REASON])
{
	size_t row = 0, n = 0;

	while (row < sizeof(event_table) / sizeof(event_table[0]) &&
	       strcmp(event_table[row].name, name) != 0) {
		row++;
	}
	if (row == sizeof(event_table) / sizeof(event_table[0])) {
		return optional && is_later(name) ? 0
			: REASON("unknown event `%.40s'", name);
	}
	if (event_table[row].class == CLASS_CONTROL) {
		return REASON("%s comes to every product unasked", name);
	}
	if (ask && event_table[row].class != CLASS_AUTH) {
		return REASON("%s is news: write it under notify", name);
	}
	while (n < MANIFEST_EVENTS && list[n].kind) {
		if (list[n].kind == event_table[row].kind) {
			return REASON("%s stands twice", name);
		}
		n++;
	}
	if (n == MANIFEST_EVENTS) {
		return REASON("more than %d events", MANIFEST_EVENTS);
	}
	list[n].kind = event_table[row].kind;
	list[n].optional = optional;
	for (size_t i = 0; ask && i < DEADLINES; i++) {
		if (deadline_table[i].kind == list[n].kind) {
			list[n].deadline_ms = deadline_table[i].default_ms;
		}
	}
	return 0;
}

/* Removes what the same key of an earlier file said. */
static void events_clear(struct manifest_event *list, uint32_t optional)
{
	size_t kept = 0;

	for (size_t i = 0; i < MANIFEST_EVENTS; i++) {
		if (list[i].kind && list[i].optional != optional) {
			list[kept++] = list[i];
		}
	}
	memset(list + kept, 0, (MANIFEST_EVENTS - kept) * sizeof(*list));
}

static int set_events(const char *value, struct manifest_event *list,
		      bool ask, uint32_t optional, char ret_reason[CONF_REASON])
{
	char name[64];
	int r;

	events_clear(list, optional);
	while ((r = conf_piece(&value, name, sizeof(name))) > 0) {
		r = event_add(list, name, ask, optional, ret_reason);
		if (r) {
			return r;
		}
	}
	return r ? REASON("unknown event `%.40s'", value) : 0;
}

static CONF_SETTER(set_ask)
{
	struct reading *reading = object;

	return set_events(value, reading->manifest.ask, true, 0, ret_reason);
}

static CONF_SETTER(set_ask_optional)
{
	struct reading *reading = object;

	return set_events(value, reading->manifest.ask, true, 1, ret_reason);
}

static CONF_SETTER(set_notify)
{
	struct reading *reading = object;

	return set_events(value, reading->manifest.notify, false, 0,
			  ret_reason);
}

/* ---- policy ---- */

/* One `open:100`. */
static int set_deadline(struct reading *reading, char *piece,
			char ret_reason[CONF_REASON])
{
	char *colon = strchr(piece, ':');
	const char *end = "";
	uint64_t ms;

	if (!colon || conf_number(colon + 1, &ms, &end) || *end) {
		return REASON("`%.40s': write TYPE:MILLISECONDS, like "
			      "open:100", piece);
	}
	if (ms < 1 || ms > DEADLINE_LIMIT_MS) {
		return REASON("`%.40s' is out of range: 1 to %u ms", piece,
			      DEADLINE_LIMIT_MS);
	}
	*colon = '\0';
	for (size_t i = 0; i < DEADLINES; i++) {
		if (strcmp(deadline_table[i].name, piece) != 0) {
			continue;
		}
		if (reading->deadline_ms[i]) {
			return REASON("%s stands twice", piece);
		}
		reading->deadline_ms[i] = (uint32_t)ms;
		return 0;
	}
	return REASON("`%.40s' is neither open nor exec", piece);
}

static CONF_SETTER(set_deadlines)
{
	struct reading *reading = object;
	char piece[64];
	int r;

	memset(reading->deadline_ms, 0, sizeof(reading->deadline_ms));
	while ((r = conf_piece(&value, piece, sizeof(piece))) > 0) {
		r = set_deadline(reading, piece, ret_reason);
		if (r) {
			return r;
		}
	}
	return r ? REASON("write TYPE:MILLISECONDS, like open:100") : 0;
}

static CONF_SETTER(set_may_deny)
{
	struct manifest *m = &((struct reading *)object)->manifest;
	char path[MANIFEST_PATH];
	size_t n = 0;
	int r;

	memset(m->may_deny, 0, sizeof(m->may_deny));
	m->may_deny_asked = !strcmp(value, "asked");
	if (m->may_deny_asked) {
		return 0;
	}
	while ((r = conf_piece(&value, path, sizeof(path))) > 0) {
		const char *fault = conf_path_fault(path);

		if (*fault) {
			return REASON("`%.60s' %s; or write `asked'", path,
				      fault);
		}
		if (n == MANIFEST_DENY_PREFIXES) {
			return REASON("more than %d path prefixes",
				      MANIFEST_DENY_PREFIXES);
		}
		memcpy(m->may_deny[n++], path, sizeof(path));
	}
	if (r || !n) {
		return REASON("write `asked', or absolute paths of at most %d "
			      "bytes separated by spaces", MANIFEST_PATH - 1);
	}
	return 0;
}

/* `50 in 10s' */
static CONF_SETTER(set_max_denials)
{
	struct manifest *m = &((struct reading *)object)->manifest;
	char count[24], in[8], window[24], rest[8];
	const char *end = "";
	uint64_t n, seconds;

	if (conf_piece(&value, count, sizeof(count)) != 1 ||
	    conf_piece(&value, in, sizeof(in)) != 1 ||
	    conf_piece(&value, window, sizeof(window)) != 1 ||
	    conf_piece(&value, rest, sizeof(rest)) != 0 ||
	    strcmp(in, "in") != 0 || conf_number(count, &n, &end) || *end ||
	    conf_seconds(window, &seconds)) {
		return REASON("write a number and a window, like 50 in 10s");
	}
	if (n < 1 || n > 1000000 || seconds < 1 || seconds > 86400) {
		return REASON("out of range: 1 to 1000000 in 1s to 24h");
	}
	m->max_denials = (uint32_t)n;
	m->max_denials_window_s = (uint32_t)seconds;
	return 0;
}

/* ---- product, network ---- */

static CONF_SETTER(set_arguments)
{
	struct manifest *m = &((struct reading *)object)->manifest;
	char piece[sizeof(m->argument[0])];
	size_t n = 0, most = sizeof(m->argument) / sizeof(m->argument[0]);
	int r;

	memset(m->argument, 0, sizeof(m->argument));
	while ((r = conf_piece(&value, piece, sizeof(piece))) > 0) {
		if (n == most) {
			return REASON("more than %zu arguments", most);
		}
		memcpy(m->argument[n++], piece, sizeof(piece));
	}
	return r ? REASON("argument too long: at most %zu bytes",
			  sizeof(piece) - 1) : 0;
}

/* A repository's base: names are put behind it, so that it may have no query,
 * and what it says is shown and logged, so that it may hold no password. */
static CONF_SETTER(set_url)
{
	static const char *const kinds[] = { "https://", "http://", "file://" };
	const size_t count = sizeof(kinds) / sizeof(kinds[0]);
	size_t i = 0;

	while (i < count && strncmp(value, kinds[i], strlen(kinds[i])) != 0) {
		i++;
	}
	if (i == count || !value[strlen(kinds[i])]) {
		return REASON("`%.60s' is not a URL that begins with https://, "
			      "http:// or file://", value);
	}
	if (strpbrk(value, " ?#@\\")) {
		return REASON("a URL of content has no blank, ?, #, @ or "
			      "backslash");
	}
	return conf_set_text(key, value, object, ret_reason);
}

static CONF_SETTER(refuse_network)
{
	return REASON("this version gives no product access to a network: "
		      "remove the line");
}

/* ---- the table ---- */

static const struct conf_word modes[] = {
#define ROW(sym, num, name, help) { name, num },
	BAILEY_MODE_TABLE(ROW)
#undef ROW
	{ NULL, 0 }
};

static const struct conf_word answers[] = {
	{ "rules", MANIFEST_RULES }, { "allow", MANIFEST_ALLOW },
	{ "deny", MANIFEST_DENY }, { NULL, 0 }
};

static const struct conf_word switches[] = {
	{ "yes", 1 }, { "no", 0 }, { NULL, 0 }
};

static const struct conf_word files[] = {
	{ "all", 1 }, { "none", 0 }, { NULL, 0 }
};

static const struct conf_word profiles[] = {
	{ "c", MANIFEST_PROFILE_C }, { "go", MANIFEST_PROFILE_GO },
	{ "rust", MANIFEST_PROFILE_RUST },
	{ "python", MANIFEST_PROFILE_PYTHON },
	{ "jvm", MANIFEST_PROFILE_JVM }, { NULL, 0 }
};

static const struct conf_word reloads[] = {
	{ "parallel", MANIFEST_RELOAD_PARALLEL },
	{ "live", MANIFEST_RELOAD_LIVE },
	{ "restart", MANIFEST_RELOAD_RESTART }, { NULL, 0 }
};

/* X(section, "name", setter, field or name, low, high, words) */
#define MANIFEST_TABLE(X)                                                     \
	X("product", "name", conf_set_name, name, 0, 0, NULL)                  \
	X("product", "title", conf_set_text, title, 0, 0, NULL)                \
	X("product", "vendor", conf_set_text, vendor, 0, 0, NULL)              \
	X("product", "exec", conf_set_path, exec, 0, 0, NULL)                  \
	X("product", "args", set_arguments, argument, 0, 0, NULL)             \
	X("events", "ask", set_ask, ask, 0, 0, NULL)                          \
	X("events", "ask?", set_ask_optional, ask, 0, 0, NULL)                \
	X("events", "notify", set_notify, notify, 0, 0, NULL)                 \
	X("policy", "mode", conf_set_word, mode, 0, 0, modes)                  \
	X("policy", "deadline_ms", set_deadlines, ask, 0, 0, NULL)            \
	X("policy", "deadline_max_ms", conf_set_number, deadline_max_ms,       \
	  1, DEADLINE_LIMIT_MS, NULL)                                         \
	X("policy", "on_miss", conf_set_word, on_miss, 0, 0, answers)          \
	X("policy", "while_loading", conf_set_word, while_loading, 0, 0,       \
	  answers)                                                            \
	X("policy", "on_poison", conf_set_word, on_poison, 0, 0, answers)      \
	X("policy", "start_s", conf_set_number, start_s, 1, 3600, NULL)        \
	X("policy", "may_deny", set_may_deny, may_deny, 0, 0, NULL)           \
	X("policy", "max_denials", set_max_denials, max_denials, 0, 0, NULL)  \
	X("policy", "rules_ttl", conf_set_duration, rules_ttl_s,               \
	  1, 365 * 86400, NULL)                                               \
	X("policy", "hold", conf_set_number, hold, 1, WIRE_SLOTS, NULL)        \
	X("see", "files", conf_set_word, see_files, 0, 0, files)               \
	X("see", "arguments", conf_set_word, see_arguments, 0, 0, switches)    \
	X("see", "environment", conf_set_word, see_environment, 0, 0,          \
	  switches)                                                           \
	X("jail", "profile", conf_set_word, profile, 0, 0, profiles)           \
	X("jail", "memory", conf_set_bytes, memory_bytes,                      \
	  4ull << 20, 1024ull << 30, NULL)                                    \
	X("jail", "tasks", conf_set_number, tasks, 1, 4096, NULL)              \
	X("jail", "files", conf_set_number, files, 16, 65536, NULL)            \
	X("jail", "cpu", conf_set_percent, cpu_percent, 1, 6400, NULL)         \
	X("storage", "state", conf_set_bytes, state_bytes,                     \
	  0, 1024ull << 30, NULL)                                             \
	X("content", "path", conf_set_path, content, 0, 0, NULL)               \
	X("content", "root", conf_set_path, content_root, 0, 0, NULL)          \
	X("content", "url", set_url, content_url, 0, 0, NULL)                  \
	X("content", "reload", conf_set_word, reload, 0, 0, reloads)           \
	X("network", "", refuse_network, name, 0, 0, NULL)

static const struct conf_key keys[] = {
#define ROW(section_, name_, set_, field_, low_, high_, words_)               \
	{ .section = section_, .name = name_, .set = set_,                    \
	  .offset = offsetof(struct reading, manifest.field_),                \
	  .size = sizeof(((struct manifest *)0)->field_),                     \
	  .low = low_, .high = high_, .words = words_ },
	MANIFEST_TABLE(ROW)
#undef ROW
	{ .section = NULL }
};

static_assert(sizeof(keys) / sizeof(keys[0]) <= CONF_KEYS, "CONF_KEYS");

/* ---- whole ---- */

void manifest_defaults(struct manifest *ret_manifest)
{
	struct manifest *m = ret_manifest;

	memset(m, 0, sizeof(*m));
	m->mode = BAILEY_MODE_OBSERVE;
	m->deadline_max_ms = 2000;
	m->on_miss = m->while_loading = MANIFEST_RULES;
	m->on_poison = MANIFEST_ALLOW;
	m->start_s = 120;
	m->may_deny_asked = 1;
	m->max_denials = 50;
	m->max_denials_window_s = 10;
	m->rules_ttl_s = 3600;
	m->hold = 256;
	m->see_files = 1;
	m->profile = MANIFEST_PROFILE_C;
	m->memory_bytes = 256ull << 20;
	m->tasks = 64;
	m->files = 256;
	m->cpu_percent = 80;
	m->reload = MANIFEST_RELOAD_PARALLEL;
}

/* Deadlines of the events asked for: those given now, else those before. */
static void apply_deadlines(struct reading *reading,
			    const struct manifest *before)
{
	for (size_t i = 0; i < MANIFEST_EVENTS; i++) {
		struct manifest_event *e = &reading->manifest.ask[i];

		for (size_t k = 0; k < MANIFEST_EVENTS; k++) {
			if (e->kind && before->ask[k].kind == e->kind) {
				e->deadline_ms = before->ask[k].deadline_ms;
			}
		}
		for (size_t k = 0; k < DEADLINES; k++) {
			if (deadline_table[k].kind == e->kind &&
			    reading->deadline_ms[k]) {
				e->deadline_ms = reading->deadline_ms[k];
			}
		}
	}
}

int manifest_parse(const char *text, size_t length, const char *file,
		   struct manifest *manifest, struct manifest_error *ret_error)
{
	struct reading reading = { .manifest = *manifest };
	int r = conf_read(text, length, file, keys, &reading, NULL, NULL,
			 ret_error);

	if (r) {
		return r;
	}
	apply_deadlines(&reading, manifest);
	*manifest = reading.manifest;
	return 0;
}

int manifest_check(const struct manifest *manifest, const char *file,
		   struct manifest_error *ret_error)
{
	if (!manifest->name[0]) {
		return conf_fail(ret_error, file, 0, "[product] name is "
				"missing");
	}
	if (!manifest->exec[0]) {
		return conf_fail(ret_error, file, 0, "[product] exec is "
				"missing");
	}
	if (!manifest->ask[0].kind && !manifest->notify[0].kind) {
		return conf_fail(ret_error, file, 0, "[events] names no event: "
				"write `ask = file.open', for example");
	}
	if (manifest->content_url[0] && !manifest->content_root[0]) {
		return conf_fail(ret_error, file, 0, "[content] url without "
				"root: nothing says whose content to trust");
	}
	for (size_t i = 0; i < MANIFEST_EVENTS; i++) {
		if (manifest->ask[i].deadline_ms >
		    manifest->deadline_max_ms) {
			return conf_fail(ret_error, file, 0, "deadline_ms of "
					"%u is over deadline_max_ms of %u",
					manifest->ask[i].deadline_ms,
					manifest->deadline_max_ms);
		}
	}
	return 0;
}
