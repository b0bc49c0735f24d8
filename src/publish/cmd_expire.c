/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_expire.c - new ends for metadata: later, or sooner */
#include "publish/publish.h"

#include <string.h>

/* Roles that end within this time, or are named. */
static int choose(struct publish *p, const struct pub_args *args,
		  uint32_t *ret_roles)
{
	uint64_t within = 0;
	int r = pub_duration(args, "within", 0, INT32_MAX, &within);

	for (int i = 0; r == 0 && i < args->operand_count; i++) {
		enum pub_role role;

		r = pub_role_find(args->operand[i], &role);
		if (r == 0) {
			*ret_roles |= PUB_BIT(role);
		}
	}
	for (int i = 0; r == 0 && !args->operand_count && i < PUB_ROLES;
	     i++) {
		const json_t *tree = p->doc[i].released;
		int64_t life = json_integer_value(json_object_get(
			pub_role_state(p, (enum pub_role)i), "seconds"));
		int64_t limit = pub_has(args, "within") ? (int64_t)within
							: life / 2;

		if (tree && meta_expires(tree) - p->now < limit) {
			*ret_roles |= PUB_BIT(i);
		}
	}
	return r;
}

/* From now on a role lasts this long. */
static int set_life(struct publish *p, const struct pub_args *args,
		    uint32_t roles)
{
	uint64_t seconds = 0;
	int r = pub_duration(args, "life", 60, INT32_MAX, &seconds);

	if (r < 0 || !seconds) {
		return r;
	}
	if (!args->operand_count) {
		pub_error("say whose: expire --life T ROLE...");
		return -EINVAL;
	}
	for (int i = 0; i < PUB_ROLES; i++) {
		if (roles & PUB_BIT(i) &&
		    json_object_set_new(
			    pub_role_state(p, (enum pub_role)i), "seconds",
			    json_integer((json_int_t)seconds)) < 0) {
			return -ENOMEM;
		}
	}
	return pub_save(p);
}

static int expire_run(struct publish *p, const struct pub_args *args)
{
	struct release_options options = { .roles = 0 };
	uint64_t in = 0;
	uint32_t roles = 0;
	int r = pub_duration(args, "in", 1, INT32_MAX, &in);

	r = r ? r : draft_refresh(p, 0, 0);
	r = r ? r : choose(p, args, &roles);
	r = r ? r : set_life(p, args, roles);
	r = r ? r : draft_refresh(p, roles, (int64_t)in);
	if (r < 0) {
		return PUB_UNKNOWN;
	}
	if (!roles) {
		pub_say("nothing ends soon\n");
		return PUB_YES;
	}
	for (int i = 0; i < PUB_DRAFTS; i++) {
		if (roles & PUB_BIT(i) & ~PUB_ONLINE) {
			pub_say("%s waits for sign and release\n",
				pub_role_word((enum pub_role)i));
		}
	}
	options.roles = roles & PUB_ONLINE;
	options.seconds = (int64_t)in;
	return options.roles ? release_run(p, &options) : PUB_YES;
}

static const struct pub_option options[] = {
	{ "within", "T", false,
	  "what ends within T (default: when half of its life is over)" },
	{ "in", "T", false,
	  "the new ones end in T (default: the role's life)" },
	{ "life", "T", false, "from now on these roles last T" },
	{ NULL, NULL, false, NULL }
};

const struct pub_command pub_cmd_expire = {
	.name = "expire",
	.synopsis = "[--within T] [--in T] [--life T] [ROLE]...",
	.summary = "renew metadata that ends soon, or end it sooner",
	.help = "Online roles (data gate revoked snapshot timestamp) are "
		"released at once: what a\ntimer calls each day. Offline ones "
		"wait for sign and release.\n"
		"Exit code: 0 done, 1 refused, 2 could not tell.\n",
	.options = options,
	.operand_max = PUB_ROLES,
	.run = expire_run,
};
