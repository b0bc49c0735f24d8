/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_revoke.c - what no host may run any more, and what it may again */
#include "publish/publish.h"

#include <string.h>

static size_t find(const json_t *list, const char *hash)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *one = json_string_value(json_array_get(list, i));

		if (one && strcmp(one, hash) == 0) {
			return i + 1;
		}
	}
	return 0;
}

/* Moves a hash from one list to the other. */
static int move(json_t *from, json_t *to, const char *hash, bool *changed)
{
	size_t at = find(from, hash);

	if (at) {
		json_array_remove(from, at - 1);
		*changed = true;
	}
	if (find(to, hash)) {
		return 0;
	}
	*changed = true;
	return json_array_append_new(to, json_string(hash));
}

/* A version that was dropped from the list may be named by its hash. */
static int name_hash(struct publish *p, const char *word,
		     char ret_hash[VERSION_HEX])
{
	uint8_t hash[VERSION_HASH];
	enum version_class kind;
	uint64_t number;

	if (version_unhex(word, hash) == 0) {
		memcpy(ret_hash, word, VERSION_HEX);
		return 0;
	}
	return pub_find_version(p, word, ret_hash, &kind, &number);
}

static int revoke_run(struct publish *p, const struct pub_args *args)
{
	struct release_options options = { .roles = PUB_BIT(PUB_REVOKED) };
	json_t *lists = json_object_get(p->state, "revoked");
	json_t *hashes = json_object_get(lists, "hashes");
	json_t *lifted = json_object_get(lists, "lifted");
	bool lift = pub_has(args, "lift"), changed = false;
	char hash[VERSION_HEX];
	int r = 0;

	if (!body_wanted(p, PUB_REVOKED)) {
		pub_error("the role revoked has no key: bailey publish key "
			  "assign NAME revoked, then sign and release");
		return PUB_UNKNOWN;
	}
	for (int i = 0; r == 0 && i < args->operand_count; i++) {
		r = name_hash(p, args->operand[i], hash);
		r = r ? r : move(lift ? hashes : lifted,
				 lift ? lifted : hashes, hash, &changed);
	}
	r = r ? r : pub_save(p);
	r = r ? r : draft_refresh(p, 0, 0);
	if (r < 0) {
		return PUB_UNKNOWN;
	}
	if (!changed && !p->doc[PUB_REVOKED].draft) {
		pub_say("it is so already\n");
		return PUB_YES;
	}
	return release_run(p, &options);
}

static const struct pub_option options[] = {
	{ "lift", NULL, false,
	  "the reverse: these may run again, and leave quarantine" },
	{ NULL, NULL, false, NULL }
};

const struct pub_command pub_cmd_revoke = {
	.name = "revoke",
	.synopsis = "[--lift] VERSION...",
	.summary = "take versions back from every host, at once",
	.help = "VERSION: code/17, data/17 or a hash. Released at once, with "
		"the online key.\n"
		"Exit code: 0 released, 1 refused, 2 could not tell.\n",
	.options = options,
	.operand_min = 1,
	.operand_max = 64,
	.run = revoke_run,
};
