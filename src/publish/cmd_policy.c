/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_policy.c - what the online key of the data class may */
#include "publish/publish.h"

#include <string.h>

struct bound {
	const char *option, *key;
	bool duration;
	uint64_t otherwise, most;
};

static const struct bound bounds[] = {
	{ "max-bytes", "max_bytes", false, 64u << 20, VERSION_TOTAL_BYTES },
	{ "max-files", "max_files", false, 256, VERSION_FILES },
	{ "min-interval", "min_interval_s", true, 300, 366u * 86400u },
	{ "min-bake", "min_bake_s", true, 300, VERSION_BAKE_S },
	{ "min-events", "min_events", false, 100, INT64_MAX },
};

static int take_bounds(const struct pub_args *args, json_t *policy)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof(bounds) / sizeof(bounds[0]);
	     i++) {
		const struct bound *b = &bounds[i];
		const json_t *old = json_object_get(policy, b->key);
		uint64_t value = old ? (uint64_t)json_integer_value(old)
				     : b->otherwise;

		r = b->duration
			? pub_duration(args, b->option, 0, b->most, &value)
			: pub_number(args, b->option, 0, b->most, &value);
		if (r == 0) {
			r = json_object_set_new(
				policy, b->key,
				json_integer((json_int_t)value));
		}
	}
	return r;
}

static int take_schemas(const struct pub_args *args, json_t *policy)
{
	json_t *list = json_object_get(policy, "schemas");
	const char *schema;

	if (pub_has(args, "schema")) {
		json_array_clear(list);
	}
	for (unsigned i = 0; (schema = pub_value(args, "schema", i)); i++) {
		if (!version_schema_good(schema) ||
		    json_array_append_new(list, json_string(schema)) < 0) {
			pub_error("--schema %s: not a schema's name", schema);
			return -EINVAL;
		}
	}
	if (!json_array_size(list)) {
		pub_error("name at least one --schema that data may have");
		return -EINVAL;
	}
	return 0;
}

static int policy_run(struct publish *p, const struct pub_args *args)
{
	const json_t *old = json_object_get(p->state, "policy");
	json_t *policy = old ? json_deep_copy(old)
			     : json_pack("{s:i,s:[]}", "format", 1,
					 "schemas");
	int r = policy ? take_schemas(args, policy) : -ENOMEM;

	r = r ? r : take_bounds(args, policy);
	if (r < 0) {
		json_decref(policy);
		return PUB_UNKNOWN;
	}
	r = json_object_set_new(p->state, "policy", policy);
	r = r ? r : pub_save(p);
	r = r ? r : draft_refresh(p, 0, 0);
	return r ? PUB_UNKNOWN : PUB_YES;
}

static const struct pub_option options[] = {
	{ "schema", "NAME", true, "a schema that data may have" },
	{ "max-bytes", "N", false, "of one version (default 64 MiB)" },
	{ "max-files", "N", false, "of one version (default 256)" },
	{ "min-interval", "T", false,
	  "between two versions on a host (default 5m)" },
	{ "min-bake", "T", false, "least time on trial (default 5m)" },
	{ "min-events", "N", false,
	  "least events answered on trial (default 100)" },
	{ NULL, NULL, false, NULL }
};

const struct pub_command pub_cmd_policy = {
	.name = "policy",
	.synopsis = "[--schema NAME]... [OPTION]...",
	.summary = "bound what the online key of the data class may",
	.help = "Signed by the offline quorum; takes effect with sign and "
		"release.\nExit code: 0 changed, 2 not changed.\n",
	.options = options,
	.run = policy_run,
};
