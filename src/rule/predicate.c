/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The predicates of the rule grammar: one row of predicate_table each. A row's
 * function gets the token after its word and fills one leaf.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "rule/glob.h"
#include "rule/parse.h"

struct predicate {
	const char *name;
	int (*parse)(struct lexer *lexer, const struct predicate *self,
		     const struct rule_limits *limits,
		     struct parse_buffer *text, struct block_leaf *leaf);
	uint8_t op, flags;
	uint32_t fact;
	const char *want;               /* for messages */
};

/* Decimal, all of the text, below 2^63. */
static int number_of(const char *text, uint64_t *ret_value,
		     const char **ret_end)
{
	unsigned long long value;
	char *end;

	if (*text < '0' || *text > '9') {
		return -EINVAL;
	}
	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno || value > INT64_MAX) {
		return -ERANGE;
	}
	*ret_value = value;
	*ret_end = end;
	return 0;
}

static int store(struct parse_buffer *text, struct block_leaf *leaf,
		 const void *bytes, size_t n)
{
	int64_t at = parse_append(text, bytes, n);

	if (at < 0) {
		return (int)at;
	}
	leaf->a = (uint64_t)at;
	return 0;
}

/* ---- paths ---- */

/* A component `.`, `..` or empty: the kernel never shows one. */
static bool path_is_plain(const char *path)
{
	size_t length = strlen(path);

	if (length > 1 && path[length - 1] == '/') {
		length--;
	}
	for (const char *p = path, *end = path + length; p < end; ) {
		const char *slash = memchr(p + 1, '/', (size_t)(end - p - 1));
		size_t n = (size_t)((slash ? slash : end) - p);

		if ((n == 1 && path[1]) || (n == 2 && p[1] == '.') ||
		    (n == 3 && p[1] == '.' && p[2] == '.')) {
			return false;
		}
		p += n;
	}
	return true;
}

static int path_token(struct lexer *lexer, const struct predicate *self)
{
	const struct lex_token *t = &lexer->token;

	if (t->type != LEX_STRING_TOKEN) {
		return lex_fail(lexer, "%s needs %s in \"quotes\"", self->name,
				self->want);
	}
	if (t->text[0] != '/') {
		return lex_fail(lexer, "%s is not absolute: begin it with '/'",
				self->name);
	}
	if (!path_is_plain(t->text)) {
		return lex_fail(lexer, "%s holds an empty component, `.' or "
				"`..': write the path as the kernel shows it",
				self->name);
	}
	return 0;
}

/* The optional word after a path. */
static int path_scope(struct lexer *lexer, struct block_leaf *leaf)
{
	int r = lex_next(lexer);

	if (!r && lex_is(lexer, "any-namespace")) {
		leaf->flags |= BLOCK_ANY_NAMESPACE;
		r = lex_next(lexer);
	}
	return r;
}

static int store_glob(struct lexer *lexer, struct parse_buffer *text,
		      struct block_leaf *leaf)
{
	const struct lex_token *t = &lexer->token;
	struct glob_token mid[GLOB_TOKENS];
	size_t prefix, suffix;
	int n = glob_cut(t->text, t->wild, t->length, &prefix, mid, &suffix);
	int r;

	if (n < 0) {
		return lex_fail(lexer, "pattern too long between its first "
				"and last wildcard: at most %u bytes",
				GLOB_TOKENS);
	}
	leaf->op = BLOCK_OP_GLOB;
	leaf->prefix = (uint16_t)prefix;
	leaf->mid = (uint16_t)n;
	leaf->suffix = (uint16_t)suffix;
	r = store(text, leaf, t->text, prefix);
	if (!r && parse_append(text, mid, (size_t)n * sizeof(mid[0])) < 0) {
		r = -ENOMEM;
	}
	if (!r && parse_append(text, t->text + t->length - suffix,
			       suffix) < 0) {
		r = -ENOMEM;
	}
	return r;
}

static int predicate_path(struct lexer *lexer, const struct predicate *self,
			  const struct rule_limits *limits,
			  struct parse_buffer *text, struct block_leaf *leaf)
{
	const struct lex_token *t = &lexer->token;
	int r = path_token(lexer, self);

	if (r) {
		return r;
	}
	if (t->length > 1 && t->text[t->length - 1] == '/') {
		return lex_fail(lexer, "%s ends with '/' and never matches: "
				"leave it out, or write %s-prefix", self->name,
				self->name);
	}
	if (t->has_wild) {
		r = store_glob(lexer, text, leaf);
	} else {
		leaf->prefix = (uint16_t)t->length;
		r = store(text, leaf, t->text, t->length);
	}
	return r ? r : path_scope(lexer, leaf);
}

static int predicate_prefix(struct lexer *lexer, const struct predicate *self,
			    const struct rule_limits *limits,
			    struct parse_buffer *text, struct block_leaf *leaf)
{
	const struct lex_token *t = &lexer->token;
	size_t n = t->length;
	int r = path_token(lexer, self);

	if (r) {
		return r;
	}
	if (t->has_wild) {
		return lex_fail(lexer, "%s holds a wildcard: write `path' for "
				"a pattern, or \\* \\? for the byte",
				self->name);
	}
	if (t->text[n - 1] == '/') {
		n--;
	}
	leaf->prefix = (uint16_t)n;
	r = store(text, leaf, t->text, n);
	return r ? r : path_scope(lexer, leaf);
}

/* ---- identities ---- */

static int predicate_object(struct lexer *lexer, const struct predicate *self,
			    const struct rule_limits *limits,
			    struct parse_buffer *text, struct block_leaf *leaf)
{
	uint64_t major_number, minor_number, inode;
	const char *end;
	int r;

	if (lexer->token.type != LEX_WORD ||
	    number_of(lexer->token.text, &major_number, &end) || *end != ':' ||
	    number_of(end + 1, &minor_number, &end) || *end ||
	    major_number > 0xfff || minor_number > 0xfffff) {
		return lex_fail(lexer, "%s needs the device as MAJOR:MINOR, "
				"then the inode (see stat -c '%%Hd:%%Ld %%i')",
				self->name);
	}
	r = lex_next(lexer);
	if (r) {
		return r;
	}
	if (lexer->token.type != LEX_WORD ||
	    number_of(lexer->token.text, &inode, &end) || *end) {
		return lex_fail(lexer, "%s needs an inode number after the "
				"device", self->name);
	}
	leaf->a = makedev((unsigned)major_number, (unsigned)minor_number);
	leaf->b = inode;
	return lex_next(lexer);
}

/* `in collection NAME`; the current token is `in`. */
static int take_set(struct lexer *lexer, const struct rule_limits *limits,
		    struct block_leaf *leaf)
{
	char shown[40];
	int index, r = lex_next(lexer);

	if (!r && !lex_is(lexer, "collection")) {
		return lex_fail(lexer, "`in' needs `collection NAME'");
	}
	r = r ? r : lex_next(lexer);
	if (r) {
		return r;
	}
	if (lexer->token.type != LEX_WORD) {
		return lex_fail(lexer, "`in collection' needs a name");
	}
	index = limits && limits->set_index ?
		limits->set_index(limits->set_context, lexer->token.text) : -1;
	if (index < 0) {
		return lex_fail(lexer, "no collection `%s' here: fill it "
				"before the rules that name it",
				lex_shown(lexer, shown));
	}
	leaf->op = BLOCK_OP_SET;
	leaf->a = (uint64_t)index;
	return lex_next(lexer);
}

static int predicate_sha256(struct lexer *lexer, const struct predicate *self,
			    const struct rule_limits *limits,
			    struct parse_buffer *text, struct block_leaf *leaf)
{
	const char *p = lexer->token.text;
	uint8_t hash[32];
	int r;

	if (lex_is(lexer, "in")) {
		return take_set(lexer, limits, leaf);
	}
	if (lexer->token.type != LEX_WORD || lexer->token.length != 64 ||
	    strspn(p, "0123456789abcdefABCDEF") != 64) {
		return lex_fail(lexer, "sha256 needs 64 hexadecimal digits or "
				"`in collection NAME'");
	}
	for (size_t i = 0; i < 32; i++) {
		char pair[3] = { p[2 * i], p[2 * i + 1], '\0' };

		hash[i] = (uint8_t)strtoul(pair, NULL, 16);
	}
	r = store(text, leaf, hash, sizeof(hash));
	return r ? r : lex_next(lexer);
}

/* ---- numbers ---- */

static int take_compare(struct lexer *lexer, struct block_leaf *leaf)
{
	static const struct {
		const char *text;
		uint8_t compare, flags;
	} table[] = {
		{ "=", BLOCK_EQ, 0 }, { "!=", BLOCK_EQ, BLOCK_NOT },
		{ "<", BLOCK_LT, 0 }, { "<=", BLOCK_LE, 0 },
		{ ">", BLOCK_GT, 0 }, { ">=", BLOCK_GE, 0 }
	};

	if (lexer->token.type != LEX_COMPARE) {
		return 0;
	}
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (!strcmp(lexer->token.text, table[i].text)) {
			leaf->compare = table[i].compare;
			leaf->flags |= table[i].flags;
		}
	}
	return lex_next(lexer);
}

/* Bytes may have a unit: K, M, G (powers of 1024). */
static bool take_unit(const char *end, uint64_t *value)
{
	static const char units[] = "KMG";
	const char *p = *end ? strchr(units, *end) : NULL;
	unsigned shift = p ? 10u * (unsigned)(p - units + 1) : 0;

	if ((*end && !p) || (p && end[1]) ||
	    *value > (uint64_t)INT64_MAX >> shift) {
		return false;
	}
	*value <<= shift;
	return true;
}

static int predicate_number(struct lexer *lexer, const struct predicate *self,
			    const struct rule_limits *limits,
			    struct parse_buffer *text, struct block_leaf *leaf)
{
	bool bytes = self->fact == RULE_FACT_SIZE;
	bool id = self->fact == RULE_FACT_UID || self->fact == RULE_FACT_OWNER;
	const char *end = "";
	int r;

	if (id && lex_is(lexer, "in")) {
		return take_set(lexer, limits, leaf);
	}
	r = take_compare(lexer, leaf);
	if (r) {
		return r;
	}
	if (lexer->token.type != LEX_WORD ||
	    number_of(lexer->token.text, &leaf->a, &end) ||
	    (bytes ? !take_unit(end, &leaf->a) : *end != '\0') ||
	    (id && leaf->a > UINT32_MAX)) {
		return lex_fail(lexer, "%s needs %s", self->name, self->want);
	}
	return lex_next(lexer);
}

/* X("word", mask, value) */
static const struct {
	const char *name;
	uint32_t mask, value;
} mode_table[] = {
	{ "file", S_IFMT, S_IFREG },
	{ "directory", S_IFMT, S_IFDIR },
	{ "setuid", S_ISUID, S_ISUID },
	{ "setgid", S_ISGID, S_ISGID },
	{ "sticky", S_ISVTX, S_ISVTX },
	{ "group-writable", S_IWGRP, S_IWGRP },
	{ "world-writable", S_IWOTH, S_IWOTH },
	{ "owner-executable", S_IXUSR, S_IXUSR },
	{ "world-executable", S_IXOTH, S_IXOTH }
};

static int predicate_mode(struct lexer *lexer, const struct predicate *self,
			  const struct rule_limits *limits,
			  struct parse_buffer *text, struct block_leaf *leaf)
{
	for (size_t i = 0; i < sizeof(mode_table) / sizeof(mode_table[0]);
	     i++) {
		if (lex_is(lexer, mode_table[i].name)) {
			leaf->a = mode_table[i].mask;
			leaf->b = mode_table[i].value;
			return lex_next(lexer);
		}
	}
	return lex_fail(lexer, "mode needs one of file, directory, setuid, "
			"setgid, sticky, group-writable, world-writable, "
			"owner-executable, world-executable");
}

static const struct predicate predicate_table[] = {
	{ "path", predicate_path, BLOCK_OP_PATH, 0, RULE_FACT_PATH,
	  "a path or pattern" },
	{ "path-prefix", predicate_prefix, BLOCK_OP_PREFIX, 0, RULE_FACT_PATH,
	  "a directory" },
	{ "exe", predicate_path, BLOCK_OP_PATH, BLOCK_EXE, RULE_FACT_EXE,
	  "a path or pattern" },
	{ "exe-prefix", predicate_prefix, BLOCK_OP_PREFIX, BLOCK_EXE,
	  RULE_FACT_EXE, "a directory" },
	{ "exe-object", predicate_object, BLOCK_OP_OBJECT, BLOCK_EXE,
	  RULE_FACT_EXE, NULL },
	{ "object", predicate_object, BLOCK_OP_OBJECT, 0, RULE_FACT_OBJECT,
	  NULL },
	{ "uid", predicate_number, BLOCK_OP_NUMBER, 0, RULE_FACT_UID,
	  "a user id as a number, or `in collection NAME'" },
	{ "owner", predicate_number, BLOCK_OP_NUMBER, 0, RULE_FACT_OWNER,
	  "a user id as a number, or `in collection NAME'" },
	{ "cgroup", predicate_number, BLOCK_OP_NUMBER, 0, RULE_FACT_CGROUP,
	  "a cgroup id as a number (the inode of its directory)" },
	{ "size", predicate_number, BLOCK_OP_NUMBER, 0, RULE_FACT_SIZE,
	  "bytes as a number, with K, M or G if you like" },
	{ "mode", predicate_mode, BLOCK_OP_MODE, 0, RULE_FACT_MODE, NULL },
	{ "sha256", predicate_sha256, BLOCK_OP_SHA256, 0, RULE_FACT_SHA256,
	  NULL }
};

int parse_predicate(struct lexer *lexer, const struct rule_limits *limits,
		    struct parse_buffer *text, struct block_leaf *ret_leaf)
{
	size_t count = sizeof(predicate_table) / sizeof(predicate_table[0]);
	char shown[40];

	memset(ret_leaf, 0, sizeof(*ret_leaf));
	for (size_t i = 0; i < count; i++) {
		const struct predicate *p = &predicate_table[i];
		int r;

		if (!lex_is(lexer, p->name)) {
			continue;
		}
		ret_leaf->op = p->op;
		ret_leaf->flags = p->flags;
		ret_leaf->fact = p->fact;
		r = lex_next(lexer);
		return r ? r : p->parse(lexer, p, limits, text, ret_leaf);
	}
	return lex_fail(lexer, "unknown predicate `%s': write path, "
			"path-prefix, exe, exe-prefix, exe-object, object, "
			"uid, owner, cgroup, size, mode or sha256",
			lex_shown(lexer, shown));
}
