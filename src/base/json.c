/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/text.h"

#define PATH_MAX_SHOWN 112
#define DIGITS_MAX 19           /* of INT64_MAX */

/* Foreign bytes in a message: printable ASCII only. */
static void tame(char *text)
{
	for (; *text; text++) {
		if (*text < 0x20 || *text > 0x7e) {
			*text = '?';
		}
	}
}

static void path_key(char path[PATH_MAX_SHOWN], const char *key)
{
	size_t used = strlen(path);

	snprintf(path + used, PATH_MAX_SHOWN - used, "%s%.64s",
		 used ? "." : "", key);
}

/* "signed.roles[3].name", as far as it fits. */
static void path_of(const struct json_at *at, char path[PATH_MAX_SHOWN],
		    unsigned depth)
{
	size_t used;

	if (!at->parent || depth > JSON_DEPTH) {
		return;
	}
	path_of(at->parent, path, depth + 1);
	if (at->key) {
		path_key(path, at->key);
		return;
	}
	used = strlen(path);
	snprintf(path + used, PATH_MAX_SHOWN - used, "[%zu]", at->index);
}

int json_refuse(const struct json_at *at, const char *key, const char *format,
		...)
{
	char path[PATH_MAX_SHOWN] = "", what[80];
	va_list list;

	va_start(list, format);
	if (vsnprintf(what, sizeof(what), format, list) < 0) {
		what[0] = '\0';
	}
	va_end(list);
	path_of(at, path, 0);
	if (key) {
		path_key(path, key);
	}
	text_format(at->fault->text, sizeof(at->fault->text), "%s%s%s", path,
		    path[0] ? ": " : "", what);
	tame(at->fault->text);
	return -EBADMSG;
}

/* What a number may not be. p stands at its first byte. */
static const char *number_fault(const uint8_t *p, const uint8_t *end,
				const uint8_t **ret_end)
{
	bool minus = *p == '-';
	const uint8_t *first = p + minus;
	const char *fault = NULL;

	for (p = first; p < end && strchr("0123456789+-.eE", *p) && *p; p++) {
		if (*p < '0' || *p > '9') {
			fault = "a number that is not whole";
		}
	}
	if (!fault && p - first > DIGITS_MAX) {
		fault = "a number that is too long";
	}
	if (!fault && minus && first < p && *first == '0') {
		fault = "minus zero";
	}
	*ret_end = p;
	return fault;
}

/* What the parser would take and we do not: looked at before it allocates. */
static const char *text_fault(const uint8_t *p, size_t length)
{
	const uint8_t *end = p + length;
	const char *fault = NULL;
	unsigned depth = 0;
	bool quoted = false;

	while (p < end && !fault) {
		uint8_t byte = *p;

		if (quoted) {
			quoted = byte != '"';
			p += byte == '\\' ? 2 : 1;
		} else if (byte == '-' || (byte >= '0' && byte <= '9')) {
			fault = number_fault(p, end, &p);
		} else {
			quoted = byte == '"';
			depth += byte == '{' || byte == '[';
			depth -= (byte == '}' || byte == ']') && depth > 0;
			fault = depth > JSON_DEPTH ? "nested too deep" : NULL;
			p++;
		}
	}
	return fault;
}

int json_read(const void *bytes, size_t length, size_t maximum,
	      json_t **ret_tree, struct json_at *ret_top,
	      struct json_fault *fault)
{
	struct json_at top = { .fault = fault };
	json_error_t error;
	const char *refused;
	json_t *tree;

	if (length > maximum) {
		text_format(fault->text, sizeof(fault->text),
			    "%zu bytes, at most %zu", length, maximum);
		return -EFBIG;
	}
	refused = text_fault(bytes, length);
	if (refused) {
		return json_refuse(&top, NULL, "%s", refused);
	}
	tree = json_loadb(bytes, length, JSON_REJECT_DUPLICATES, &error);
	if (!tree && json_error_code(&error) == json_error_out_of_memory) {
		text_format(fault->text, sizeof(fault->text), "out of memory");
		return -ENOMEM;
	}
	if (!tree) {
		return json_refuse(&top, NULL, "line %d: %s", error.line,
				   error.text);
	}
	if (!json_is_object(tree)) {
		json_decref(tree);
		return json_refuse(&top, NULL, "not an object");
	}
	top.value = tree;
	*ret_tree = tree;
	*ret_top = top;
	return 0;
}

bool json_has(const struct json_at *object, const char *key)
{
	const json_t *value = json_object_get(object->value, key);

	return value && !json_is_null(value);
}

static const char *type_text(json_type type)
{
	switch (type) {
	case JSON_OBJECT: return "an object";
	case JSON_ARRAY: return "a list";
	case JSON_STRING: return "a text";
	case JSON_INTEGER: return "an integer";
	default: return "true or false";
	}
}

/* The member if it has this type (JSON_TRUE: either flag). */
static int typed(const struct json_at *object, const char *key, json_type type,
		 const json_t **ret_value)
{
	const json_t *value = json_object_get(object->value, key);

	if (!value) {
		json_refuse(object, key, "missing");
		return -EBADMSG;
	}
	if (type == JSON_TRUE ? !json_is_boolean(value) :
				json_typeof(value) != type) {
		json_refuse(object, key, "not %s", type_text(type));
		return -EBADMSG;
	}
	*ret_value = value;
	return 0;
}

int json_int(const struct json_at *object, const char *key, int64_t minimum,
	     int64_t maximum, int64_t *ret_number)
{
	const json_t *value;
	json_int_t number;
	int r = typed(object, key, JSON_INTEGER, &value);

	if (r < 0) {
		return r;
	}
	number = json_integer_value(value);
	if (number < minimum || number > maximum) {
		return json_refuse(object, key, "%lld, not %lld to %lld",
				   (long long)number, (long long)minimum,
				   (long long)maximum);
	}
	*ret_number = number;
	return 0;
}

int json_flag(const struct json_at *object, const char *key, bool *ret_flag)
{
	const json_t *value;
	int r = typed(object, key, JSON_TRUE, &value);

	if (r == 0) {
		*ret_flag = json_is_true(value);
	}
	return r;
}

int json_text(const struct json_at *object, const char *key, size_t maximum,
	      const char **ret_text)
{
	const json_t *value;
	int r = typed(object, key, JSON_STRING, &value);

	if (r < 0) {
		return r;
	}
	if (json_string_length(value) < 1 ||
	    json_string_length(value) > maximum) {
		return json_refuse(object, key, "%zu bytes, not 1 to %zu",
				   json_string_length(value), maximum);
	}
	*ret_text = json_string_value(value);
	return 0;
}

int json_member(const struct json_at *object, const char *key,
		struct json_at *ret_object)
{
	const json_t *value;
	int r = typed(object, key, JSON_OBJECT, &value);

	if (r == 0) {
		*ret_object = (struct json_at){ value, object, key, 0,
						object->fault };
	}
	return r;
}

int json_list(const struct json_at *object, const char *key, size_t maximum,
	      struct json_at *ret_array, size_t *ret_count)
{
	const json_t *value;
	int r = typed(object, key, JSON_ARRAY, &value);

	if (r < 0) {
		return r;
	}
	if (json_array_size(value) > maximum) {
		return json_refuse(object, key, "%zu elements, at most %zu",
				   json_array_size(value), maximum);
	}
	*ret_array = (struct json_at){ value, object, key, 0, object->fault };
	*ret_count = json_array_size(value);
	return 0;
}

int json_element(const struct json_at *array, size_t index,
		 struct json_at *ret_object)
{
	struct json_at at = { json_array_get(array->value, index), array, NULL,
			      index, array->fault };

	if (!json_is_object(at.value)) {
		return json_refuse(&at, NULL, "not an object");
	}
	*ret_object = at;
	return 0;
}

int json_element_text(const struct json_at *array, size_t index,
		      size_t maximum, const char **ret_text)
{
	struct json_at at = { json_array_get(array->value, index), array, NULL,
			      index, array->fault };
	size_t length = json_string_length(at.value);

	if (!json_is_string(at.value)) {
		return json_refuse(&at, NULL, "not a text");
	}
	if (length < 1 || length > maximum) {
		return json_refuse(&at, NULL, "%zu bytes, not 1 to %zu",
				   length, maximum);
	}
	*ret_text = json_string_value(at.value);
	return 0;
}

int json_next(const struct json_at *object, void **iterator,
	      struct json_at *ret_member)
{
	json_t *value = (json_t *)object->value;    /* for its iterator only */

	*iterator = *iterator ? json_object_iter_next(value, *iterator) :
				json_object_iter(value);
	if (!*iterator) {
		return 0;
	}
	*ret_member = (struct json_at){
		json_object_iter_value(*iterator), object,
		json_object_iter_key(*iterator), 0, object->fault
	};
	return 1;
}

int json_all_objects(const struct json_at *object, size_t maximum)
{
	struct json_at member;
	void *iterator = NULL;

	if (json_object_size(object->value) > maximum) {
		return json_refuse(object, NULL, "%zu members, at most %zu",
				   json_object_size(object->value), maximum);
	}
	while (json_next(object, &iterator, &member)) {
		if (!json_is_object(member.value)) {
			return json_refuse(&member, NULL, "not an object");
		}
	}
	return 0;
}

/* YYYY-MM-DDTHH:MM:SSZ, of a day that the calendar has. */
static bool time_read(const char *text, struct tm *ret_time)
{
	static const char form[] = "dddd-dd-ddTdd:dd:ddZ";
	struct tm t = { 0 }, again;
	time_t seconds;

	if (strlen(text) != sizeof(form) - 1) {
		return false;
	}
	for (size_t i = 0; form[i]; i++) {
		if (form[i] == 'd' ? text[i] < '0' || text[i] > '9' :
				     text[i] != form[i]) {
			return false;
		}
	}
	if (sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d", &t.tm_year, &t.tm_mon,
		   &t.tm_mday, &t.tm_hour, &t.tm_min, &t.tm_sec) != 6) {
		return false;
	}
	t.tm_year -= 1900;
	t.tm_mon -= 1;
	*ret_time = t;
	seconds = timegm(&t);
	return gmtime_r(&seconds, &again) &&
	       again.tm_year == ret_time->tm_year &&
	       again.tm_mon == ret_time->tm_mon &&
	       again.tm_mday == ret_time->tm_mday &&
	       again.tm_hour == ret_time->tm_hour &&
	       again.tm_min == ret_time->tm_min &&
	       again.tm_sec == ret_time->tm_sec;
}

int json_time(const struct json_at *object, const char *key,
	      int64_t *ret_seconds)
{
	const char *text;
	struct tm t;
	int r = json_text(object, key, 64, &text);

	if (r < 0) {
		return r;
	}
	if (!time_read(text, &t)) {
		return json_refuse(object, key, "not a time in UTC");
	}
	*ret_seconds = timegm(&t);
	return 0;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9') {
		return c - '0';
	}
	if (c >= 'a' && c <= 'f') {
		return c - 'a' + 10;
	}
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

int json_hex(const struct json_at *object, const char *key, uint8_t *ret_bytes,
	     size_t size)
{
	const char *text;
	int r = json_text(object, key, 2 * size, &text);

	if (r < 0) {
		return r;
	}
	for (size_t i = 0; i < 2 * size; i++) {
		if (hex_digit(text[i]) < 0) {
			return json_refuse(object, key,
					   "not %zu hexadecimal digits",
					   2 * size);
		}
	}
	for (size_t i = 0; i < size; i++) {
		ret_bytes[i] = (uint8_t)(hex_digit(text[2 * i]) * 16 +
					 hex_digit(text[2 * i + 1]));
	}
	return 0;
}
