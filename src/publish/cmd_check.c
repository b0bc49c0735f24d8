/* SPDX-License-Identifier: Apache-2.0 */
#include "publish/publish.h"

#include <stdlib.h>
#include <string.h>

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static void say_roles(const json_t *roles)
{
	for (size_t i = 0; i < json_array_size(roles); i++) {
		const json_t *one = json_array_get(roles, i);
		long long left = json_integer_value(
			json_object_get(one, "left_s"));

		pub_say("%-16s %6lld  until %s  %lld %s\n",
			text_of(one, "role"), (long long)json_integer_value(
				json_object_get(one, "version")),
			text_of(one, "expires"),
			left >= 172800 ? left / 86400 : left / 60,
			left >= 172800 ? "days" : "minutes");
	}
}

static void say_findings(const json_t *findings)
{
	for (size_t i = 0; i < json_array_size(findings); i++) {
		const json_t *one = json_array_get(findings, i);

		pub_say("%-5s%s: %s\n", text_of(one, "level"),
			text_of(one, "what"), text_of(one, "text"));
	}
}

static int check_run(struct publish *p, const struct pub_args *args)
{
	cleanup_json_tree json_t *result = NULL;
	bool good;

	if (draft_refresh(p, 0, 0) < 0) {
		return PUB_UNKNOWN;
	}
	result = check_repository(p);
	if (!result || pub_interrupted()) {
		return PUB_UNKNOWN;
	}
	good = json_is_true(json_object_get(result, "good"));
	if (pub_has(args, "json")) {
		cleanup_free char *text = json_dumps(result, JSON_INDENT(2));

		pub_say("%s\n", text ? text : "");
		return text ? good ? PUB_YES : PUB_NO : PUB_UNKNOWN;
	}
	say_roles(json_object_get(result, "roles"));
	say_findings(json_object_get(result, "findings"));
	pub_say("%s, %lld files\n", good ? "good" : "not good",
		(long long)json_integer_value(json_object_get(result,
							      "files")));
	return good ? PUB_YES : PUB_NO;
}

static const struct pub_option options[] = {
	{ "json", NULL, false, "print JSON in place of text" },
	{ NULL, NULL, false, NULL }
};

const struct pub_command pub_cmd_check = {
	.name = "check",
	.synopsis = "[--json]",
	.summary = "look at the repository as a client does",
	.help = "Every signature, length and hash; what ends when; what waits "
		"for whom.\n"
		"Exit code: 0 good, 1 something is wrong, 2 could not tell.\n",
	.options = options,
	.run = check_run,
};
