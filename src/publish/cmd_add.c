/* SPDX-License-Identifier: Apache-2.0 */
#include "publish/publish.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

static uint64_t last_number(const struct publish *p, enum version_class kind)
{
	const json_t *list = pub_versions(p, kind);
	size_t n = json_array_size(list);

	return n ? (uint64_t)json_integer_value(json_object_get(
			   json_array_get(list, n - 1), "number")) : 0;
}

/* Numbers grow over both classes: which of two is newer is always plain. */
static uint64_t next_number(const struct publish *p)
{
	uint64_t code = last_number(p, VERSION_CODE);
	uint64_t data = last_number(p, VERSION_DATA);

	return 1 + (code > data ? code : data);
}

static int take_class(const struct pub_args *args, struct version *about)
{
	const char *word = pub_value(args, "class", 0);

	about->kind = VERSION_CODE;
	if (word && version_class_find(word, &about->kind) < 0) {
		pub_error("--class %s: write code or data", word);
		return -EINVAL;
	}
	return 0;
}

static int take_texts(struct publish *p, const struct pub_args *args,
		      struct version *about)
{
	const char *schema = pub_value(args, "schema", 0);
	const char *name = pub_value(args, "version", 0);
	char day[PUB_TIME], made[VERSION_TEXT];

	if (!schema || !version_schema_good(schema) ||
	    !pub_has(args, "fields")) {
		pub_error("say for which code it is: --schema NAME --fields N, "
			  "as the product states them");
		return -EINVAL;
	}
	pub_time(p->now, day);
	text_format(made, sizeof(made), "%.4s.%.2s.%.2s-%llu", day, day + 5,
		    day + 8, (unsigned long long)about->number);
	name = name ? name : made;
	if (!version_text_good(name)) {
		pub_error("--version %s: one printable word, at most 63 bytes",
			  name);
		return -EINVAL;
	}
	text_format(about->product, sizeof(about->product), "%s", p->product);
	text_format(about->schema, sizeof(about->schema), "%s", schema);
	text_format(about->version, sizeof(about->version), "%s", name);
	return 0;
}

static int take_numbers(struct publish *p, const struct pub_args *args,
			struct version *about)
{
	bool code = about->kind == VERSION_CODE;
	uint64_t fields = 0, bake = code ? 3600 : 600;
	int r;

	about->min_events = code ? 1000 : 100;
	about->number = next_number(p);
	r = pub_number(args, "number", last_number(p, about->kind) + 1,
		       INT64_MAX, &about->number);
	r = r ? r : pub_number(args, "fields", 0, VERSION_FIELDS, &fields);
	r = r ? r : pub_duration(args, "bake", 0, VERSION_BAKE_S, &bake);
	r = r ? r : pub_number(args, "min-events", 0, INT64_MAX,
			       &about->min_events);
	r = r ? r : pub_number(args, "floor", 0, about->number,
			       &about->floor);
	about->fields = (uint32_t)fields;
	about->bake_s = (uint32_t)bake;
	about->urgent = pub_has(args, "urgent");
	return r;
}

/* What the offline quorum allowed the online key, or hosts refuse it. */
static int allowed(const struct publish *p, const struct version *about)
{
	const json_t *policy = json_object_get(p->state, "policy");
	const json_t *schemas = json_object_get(policy, "schemas");
	const char *why = NULL;
	bool listed = false;

	if (about->kind == VERSION_CODE) {
		return 0;
	}
	for (size_t i = 0; i < json_array_size(schemas); i++) {
		const char *one = json_string_value(json_array_get(schemas,
								   i));

		listed |= one && strcmp(one, about->schema) == 0;
	}
	if (!policy) {
		why = "there is none yet";
	} else if (!listed) {
		why = "this schema is not in it";
	} else if ((json_int_t)about->bake_s < json_integer_value(
			   json_object_get(policy, "min_bake_s"))) {
		why = "--bake is shorter";
	} else if ((json_int_t)about->min_events < json_integer_value(
			   json_object_get(policy, "min_events"))) {
		why = "--min-events is lower";
	}
	if (why) {
		pub_error("the policy for data does not allow it: %s; see "
			  "bailey publish policy --help", why);
		return -EPERM;
	}
	return 0;
}

static int add_run(struct publish *p, const struct pub_args *args)
{
	struct stage_options options = {
		.folder = args->operand[0],
		.corpus = pub_value(args, "corpus", 0),
		.cases = pub_value(args, "cases", 0),
		.events = pub_value(args, "events", 0),
	};
	int r = take_class(args, &options.about);

	r = r ? r : take_numbers(p, args, &options.about);
	r = r ? r : take_texts(p, args, &options.about);
	r = r ? r : allowed(p, &options.about);
	r = r ? r : stage_add(p, &options);
	r = r ? r : draft_refresh(p, 0, 0);
	return r ? PUB_UNKNOWN : PUB_YES;
}

static const struct pub_option options[] = {
	{ "schema", "NAME", false, "what the product states: scan-rules/1" },
	{ "fields", "N", false, "number of fields that the product states" },
	{ "class", "CLASS", false,
	  "code (default), signed offline; data, signed by an online key" },
	{ "version", "TEXT", false, "name for people (default: the day)" },
	{ "number", "N", false, "default: the next one" },
	{ "corpus", "DIR", false,
	  "files with known verdicts, below allow/, deny/, allow.exec/, "
	  "deny.exec/" },
	{ "cases", "FILE", false, "JSON that says more about the corpus" },
	{ "events", "FILE", false, "recorded events" },
	{ "bake", "T", false, "least time on trial (code 1h, data 10m)" },
	{ "min-events", "N", false,
	  "least events answered on trial (code 1000, data 100)" },
	{ "floor", "N", false, "lowest number a host may go back to" },
	{ "urgent", NULL, false, "an outbreak: rings may be passed faster" },
	{ NULL, NULL, false, NULL }
};

const struct pub_command pub_cmd_add = {
	.name = "add",
	.synopsis = "--schema NAME --fields N [OPTION]... DIR",
	.summary = "describe a folder as a new version",
	.help = "Copies the folder; takes effect with sign and release.\n"
		"Exit code: 0 added, 2 not added.\n",
	.options = options,
	.operand_min = 1,
	.operand_max = 1,
	.run = add_run,
};
