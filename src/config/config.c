/* SPDX-License-Identifier: Apache-2.0 */
#include "config/config.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "config/conf.h"

#define REASON(...) (snprintf(ret_reason, CONF_REASON, __VA_ARGS__), -EINVAL)

/* Adds to a list; one entry twice is once. */
static int list_add(struct config_list *list, const char *value,
		    char ret_reason[CONF_REASON])
{
	size_t n = strlen(value);

	if (n + 1 > sizeof(list->entry[0])) {
		return REASON("too long: at most %zu bytes",
			      sizeof(list->entry[0]) - 1);
	}
	for (uint32_t i = 0; i < list->count; i++) {
		if (!strcmp(list->entry[i], value)) {
			return 0;
		}
	}
	if (list->count == CONFIG_LIST) {
		return REASON("more than %u entries", CONFIG_LIST);
	}
	memset(list->entry[list->count], 0, sizeof(list->entry[0]));
	memcpy(list->entry[list->count++], value, n);
	return 0;
}

static struct config_list *list_of(const struct conf_key *key, void *object)
{
	return (void *)((char *)object + key->offset);
}

static CONF_SETTER(add_path)
{
	const char *fault = conf_path_fault(value);

	if (*fault) {
		return REASON("`%.60s' %s", value, fault);
	}
	return list_add(list_of(key, object), value, ret_reason);
}

static CONF_SETTER(add_filesystem)
{
	if (!strcmp(value, "local")) {
		return list_add(list_of(key, object), value, ret_reason);
	}
	if (value[0] != '/') {
		return REASON("`%.60s': write `local' or an absolute path",
			      value);
	}
	return add_path(key, value, object, ret_reason);
}

static CONF_SETTER(add_names)
{
	char name[MANIFEST_NAME];
	int r;

	while ((r = conf_piece(&value, name, sizeof(name))) > 0) {
		if (name[strspn(name,
				"abcdefghijklmnopqrstuvwxyz0123456789-_")]) {
			return REASON("`%.40s' is not a product's name: it "
				      "has a-z 0-9 - _ only", name);
		}
		r = list_add(list_of(key, object), name, ret_reason);
		if (r) {
			return r;
		}
	}
	return r ? REASON("a product's name has at most %zu bytes",
			  sizeof(name) - 1) : 0;
}

static const struct conf_word modes[] = {
#define ROW(sym, num, name, help) { name, num },
	BAILEY_MODE_TABLE(ROW)
#undef ROW
	{ NULL, 0 }
};

static const struct conf_word overloads[] = {
	{ "allow", CONFIG_OVERLOAD_ALLOW }, { "deny", CONFIG_OVERLOAD_DENY },
	{ NULL, 0 }
};

/* SINGLE(section, field, setter, low, high, words), LIST(section, field,
 * setter) */
#define CONFIG_TABLE(SINGLE, LIST)                                            \
	SINGLE("broker", mode, conf_set_word, 0, 0, modes)                    \
	SINGLE("broker", overload, conf_set_word, 0, 0, overloads)            \
	SINGLE("broker", open_per_uid, conf_set_number, 1, 4096, NULL)        \
	SINGLE("broker", open_total, conf_set_number, 1, 4096, NULL)          \
	LIST("broker", keep, add_path)                                        \
	LIST("scopes", tree, add_path)                                        \
	LIST("scopes", filesystem, add_filesystem)                            \
	LIST("products", enable, add_names)

static const struct conf_key keys[] = {
#define SINGLE(section_, field, set_, low_, high_, words_)                    \
	{ .section = section_, .name = #field, .set = set_,                   \
	  .offset = offsetof(struct config, field),                           \
	  .size = sizeof(((struct config *)0)->field),                        \
	  .low = low_, .high = high_, .words = words_ },
#define LIST(section_, field, set_)                                           \
	{ .section = section_, .name = #field, .set = set_,                   \
	  .offset = offsetof(struct config, field), .repeats = true },
	CONFIG_TABLE(SINGLE, LIST)
#undef SINGLE
#undef LIST
	{ .section = NULL }
};

static_assert(sizeof(keys) / sizeof(keys[0]) <= CONF_KEYS, "CONF_KEYS");

/* Entries of the list without an origin are those just added. */
static void list_stamp(struct config_list *list, struct config_origin origin)
{
	for (uint32_t i = 0; i < list->count; i++) {
		if (!list->origin[i].line) {
			list->origin[i] = origin;
		}
	}
}

/* Notes where a value comes from; config.files is the current file. */
static void heard(void *context, const struct conf_key *key, int line)
{
	struct config *c = context;
	struct config_origin origin = {
		(uint16_t)c->files,
		(uint16_t)(line < UINT16_MAX ? line : UINT16_MAX)
	};

#define SINGLE(section, field, set, low, high, words)                         \
	if (key->offset == offsetof(struct config, field)) {                  \
		c->field##_origin = origin;                                   \
	}
#define LIST(section, field, set) list_stamp(&c->field, origin);
	CONFIG_TABLE(SINGLE, LIST)
#undef SINGLE
#undef LIST
}

void config_defaults(struct config *ret_config)
{
	memset(ret_config, 0, sizeof(*ret_config));
	ret_config->mode = BAILEY_MODE_ENFORCE;
	ret_config->overload = CONFIG_OVERLOAD_ALLOW;
	ret_config->open_per_uid = 64;
	ret_config->open_total = 512;
}

int config_parse(const char *text, size_t length, const char *file,
		 struct config *config, struct manifest_error *ret_error)
{
	struct config next = *config;
	int r;

	if (next.files == CONFIG_FILES) {
		return conf_fail(ret_error, file, 0, "more than %u files of "
				 "configuration", CONFIG_FILES);
	}
	snprintf(next.file[next.files], sizeof(next.file[0]), "%s", file);
	r = conf_read(text, length, file, keys, &next, heard, &next,
		      ret_error);
	if (r) {
		return r;
	}
	if (next.open_per_uid > next.open_total) {
		return conf_fail(ret_error, file, 0, "open_per_uid of %u is "
				 "over open_total of %u", next.open_per_uid,
				 next.open_total);
	}
	next.files++;
	*config = next;
	return 0;
}

/* ---- show ---- */

struct teller {
	const struct config *config;
	void (*tell)(void *context, const struct config_value *value);
	void *context;
};

static void tell_one(const struct teller *t, const char *section,
		     const char *name, const char *value,
		     struct config_origin origin)
{
	struct config_value v = {
		.section = section, .name = name, .value = value,
		.file = origin.line && origin.file < CONFIG_FILES
			? t->config->file[origin.file] : NULL,
		.line = origin.line
	};

	t->tell(t->context, &v);
}

static void tell_number(const struct teller *t, const char *section,
			const char *name, uint32_t number,
			const struct conf_word *words,
			struct config_origin origin)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", number);
	for (; words && words->word; words++) {
		if (words->value == number) {
			snprintf(text, sizeof(text), "%s", words->word);
		}
	}
	tell_one(t, section, name, text, origin);
}

static void tell_list(const struct teller *t, const char *section,
		      const char *name, const struct config_list *list)
{
	for (uint32_t i = 0; i < list->count && i < CONFIG_LIST; i++) {
		tell_one(t, section, name, list->entry[i], list->origin[i]);
	}
}

void config_each(const struct config *config,
		 void (*tell)(void *context, const struct config_value *value),
		 void *context)
{
	struct teller t = { config, tell, context };

#define SINGLE(section, field, set, low, high, words)                         \
	tell_number(&t, section, #field, config->field, words,                \
		    config->field##_origin);
#define LIST(section, field, set)                                             \
	tell_list(&t, section, #field, &config->field);
	CONFIG_TABLE(SINGLE, LIST)
#undef SINGLE
#undef LIST
}
