/* SPDX-License-Identifier: Apache-2.0 */
/* version_name.c - what a version and its parts are called */
#include <stdio.h>
#include <string.h>

#include <openssl/sha.h>

#include "base/text.h"
#include "content/version.h"

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGIT "0123456789"

#define CLASS_NAME(sym, num, name) [num] = name,
static const char *const class_names[] = { VERSION_CLASS_TABLE(CLASS_NAME) };

#define CLASSES (sizeof(class_names) / sizeof(class_names[0]))

/* Components of [A-Za-z0-9._-]+ joined by '/', none of them `.' or `..'. */
static bool joined(const char *text, size_t size)
{
	if (strlen(text) >= size) {
		return false;
	}
	for (;;) {
		size_t n = strspn(text, LOWER UPPER DIGIT "._-");

		if (n == 0 || (n == 1 && text[0] == '.') ||
		    (n == 2 && text[0] == '.' && text[1] == '.')) {
			return false;
		}
		if (text[n] != '/') {
			return text[n] == '\0';
		}
		text += n + 1;
	}
}

bool version_path_good(const char *path)
{
	return joined(path, VERSION_PATH);
}

bool version_schema_good(const char *schema)
{
	return joined(schema, VERSION_TEXT);
}

bool version_product_good(const char *name)
{
	size_t n = strspn(name, LOWER DIGIT "-_");

	return n > 0 && n < VERSION_NAME && name[n] == '\0';
}

bool version_text_good(const char *text)
{
	size_t n = 0;

	for (; text[n]; n++) {
		if (text[n] <= ' ' || text[n] > '~' ||
		    strchr("\"\\'`", text[n])) {
			return false;
		}
	}
	return n > 0 && n < VERSION_TEXT;
}

void version_hash(const void *bytes, size_t length,
		  uint8_t ret_hash[VERSION_HASH])
{
	SHA256(bytes, length, ret_hash);
}

void version_hex(const uint8_t hash[VERSION_HASH], char ret_hex[VERSION_HEX])
{
	for (size_t i = 0; i < VERSION_HASH; i++) {
		ret_hex[2 * i] = "0123456789abcdef"[hash[i] >> 4];
		ret_hex[2 * i + 1] = "0123456789abcdef"[hash[i] & 15];
	}
	ret_hex[2 * VERSION_HASH] = '\0';
}

static int nibble(char digit)
{
	if (digit >= '0' && digit <= '9') {
		return digit - '0';
	}
	return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

int version_unhex(const char *hex, uint8_t ret_hash[VERSION_HASH])
{
	uint8_t hash[VERSION_HASH];

	if (strnlen(hex, VERSION_HEX) != VERSION_HEX - 1) {
		return -EBADMSG;
	}
	for (size_t i = 0; i < VERSION_HASH; i++) {
		int high = nibble(hex[2 * i]), low = nibble(hex[2 * i + 1]);

		if (high < 0 || low < 0) {
			return -EBADMSG;
		}
		hash[i] = (uint8_t)(high << 4 | low);
	}
	memcpy(ret_hash, hash, VERSION_HASH);
	return 0;
}

const char *version_class_name(enum version_class kind)
{
	return (size_t)kind < CLASSES ? class_names[kind] : "unknown";
}

int version_class_find(const char *name, enum version_class *ret_kind)
{
	for (size_t i = 0; i < CLASSES; i++) {
		if (strcmp(class_names[i], name) == 0) {
			*ret_kind = (enum version_class)i;
			return 0;
		}
	}
	return -ENOENT;
}

void version_target(const char *product, enum version_class kind,
		    uint64_t number, char ret_target[VERSION_TARGET])
{
	text_format(ret_target, VERSION_TARGET, "content/%.31s/%s/%llu.json",
		    product, version_class_name(kind),
		    (unsigned long long)number);
}

int version_target_parse(const char *target, char ret_product[VERSION_NAME],
			 enum version_class *ret_kind, uint64_t *ret_number)
{
	char product[VERSION_NAME], word[8], again[VERSION_TARGET];
	enum version_class kind;
	unsigned long long number;

	if (sscanf(target, "content/%31[a-z0-9_-]/%7[a-z]/%19llu", product,
		   word, &number) != 3 ||
	    number < 1 || number > INT64_MAX ||
	    version_class_find(word, &kind)) {
		return -EBADMSG;
	}
	/* what it would be written as, or it is something else */
	version_target(product, kind, number, again);
	if (strcmp(again, target) != 0) {
		return -EBADMSG;
	}
	memcpy(ret_product, product, sizeof(product));
	*ret_kind = kind;
	*ret_number = number;
	return 0;
}

bool version_target_agrees(const struct version *version, const char *target)
{
	char own[VERSION_TARGET];

	version_target(version->product, version->kind, version->number, own);
	return strcmp(own, target) == 0;
}
