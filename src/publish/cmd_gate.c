/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_gate.c - the lease: which version may start, on how many hosts, until
 * when. Options change the lease that stands; without one it is renewed.
 */
#include "publish/publish.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include <openssl/rand.h>

#include "base/text.h"
#include "config/conf.h"
#include "content/lease.h"

#define SALT 16
#define VALID_S 300u

#define RING_NAME(sym, num, name) name,
static const char *const ring_names[] = { LEASE_RING_TABLE(RING_NAME) NULL };

static json_t *lease_new(const struct publish *p)
{
	return json_pack("{s:i,s:s,s:{},s:[s,s,s],s:{},s:i,s:i,s:[],s:[],s:n,"
			 "s:{},s:i}", "format", 1, "product", p->product,
			 "admitted", "rings", ring_names[0], ring_names[1],
			 ring_names[2], "dwell_s", "poll_s", 60, "jitter_s",
			 30, "halted", "quarantined", "roll_back_to",
			 "passes", "passes_needed", 0);
}

static bool ring_good(const char *ring)
{
	for (size_t i = 0; ring_names[i]; i++) {
		if (strcmp(ring_names[i], ring) == 0) {
			return true;
		}
	}
	pub_error("there is no ring \"%s\"; rings are early, general, late",
		  ring);
	return false;
}

/* A new release: other hosts come first, and nobody is admitted yet. */
static int take_release(struct publish *p, const struct pub_args *args,
			json_t *lease)
{
	const char *word = pub_value(args, "release", 0);
	char hash[VERSION_HEX], target[VERSION_TARGET], salt[2 * SALT + 1];
	const char *old = json_string_value(json_object_get(lease, "hash"));
	enum version_class kind;
	uint8_t bytes[SALT];
	uint64_t number;

	if (!word) {
		return 0;
	}
	if (pub_find_version(p, word, hash, &kind, &number) < 0) {
		return -ENOENT;
	}
	if (old && strcmp(old, hash) == 0) {
		return 0;
	}
	if (RAND_bytes(bytes, SALT) <= 0) {
		return -EIO;
	}
	for (size_t i = 0; i < SALT; i++) {
		snprintf(salt + 2 * i, 3, "%02x", bytes[i]);
	}
	version_target(p->product, kind, number, target);
	if (json_object_set_new(lease, "release", json_string(target)) < 0 ||
	    json_object_set_new(lease, "hash", json_string(hash)) < 0 ||
	    json_object_set_new(lease, "salt", json_string(salt)) < 0 ||
	    json_object_set_new(lease, "roll_back_to", json_null()) < 0) {
		return -ENOMEM;
	}
	json_object_clear(json_object_get(lease, "admitted"));
	json_object_clear(json_object_get(lease, "passes"));
	return 0;
}

/* "12.5%" or "all" or a number of buckets. */
static int take_share(const char *text, uint64_t *ret_bound)
{
	const char *rest = "";
	char *end;
	double share;

	if (strcmp(text, "all") == 0) {
		*ret_bound = LEASE_BUCKETS;
		return 0;
	}
	if (conf_number(text, ret_bound, &rest) == 0 && !*rest &&
	    *ret_bound <= LEASE_BUCKETS) {
		return 0;
	}
	share = strtod(text, &end);
	if (end == text || strcmp(end, "%") != 0 ||
	    !(share >= 0 && share <= 100)) {
		pub_error("\"%s\" is no share of hosts: write 12.5%%, all, or "
			  "a number of buckets up to 2^48", text);
		return -EINVAL;
	}
	*ret_bound = (uint64_t)llround(share / 100 * (double)LEASE_BUCKETS);
	return 0;
}

static bool stratum_good(const char *name)
{
	return strcmp(name, "*") == 0 ||
	       (strlen(name) < LEASE_STRATUM && version_path_good(name) &&
		!strchr(name, '/'));
}

/* RING=SHARE or RING/STRATUM=SHARE */
static int take_admit(json_t *lease, const char *text)
{
	json_t *admitted = json_object_get(lease, "admitted"), *strata;
	const char *equals = strchr(text, '=');
	char left[2 * LEASE_STRATUM];
	const char *stratum = "*";
	char *slash;
	uint64_t bound;

	if (!equals || equals - text >= (ptrdiff_t)sizeof(left)) {
		pub_error("--admit %s: write RING=SHARE or RING/STRATUM=SHARE",
			  text);
		return -EINVAL;
	}
	text_format(left, sizeof(left), "%.*s", (int)(equals - text), text);
	slash = strchr(left, '/');
	if (slash) {
		*slash = '\0';
		stratum = slash + 1;
	}
	if (!ring_good(left) || take_share(equals + 1, &bound) < 0) {
		return -EINVAL;
	}
	if (!stratum_good(stratum)) {
		pub_error("\"%s\" is no stratum", stratum);
		return -EINVAL;
	}
	strata = json_object_get(admitted, left);
	if (!strata) {
		strata = json_object();
		if (json_object_set_new(admitted, left, strata) < 0) {
			return -ENOMEM;
		}
	}
	return json_object_set_new(strata, stratum,
				   json_integer((json_int_t)bound));
}

/* RING=T */
static int take_dwell(json_t *lease, const char *text)
{
	const char *equals = strchr(text, '=');
	char ring[16] = "";
	uint64_t seconds;

	if (equals) {
		text_format(ring, sizeof(ring), "%.*s",
			    (int)(equals - text), text);
	}
	if (!equals || conf_seconds(equals + 1, &seconds) ||
	    seconds > LEASE_DWELL_MOST_S) {
		pub_error("--dwell %s: write RING=T, T as 30s, 5m, 2h or 1d",
			  text);
		return -EINVAL;
	}
	if (!ring_good(ring)) {
		return -EINVAL;
	}
	return json_object_set_new(json_object_get(lease, "dwell_s"), ring,
				   json_integer((json_int_t)seconds));
}

/* STRATUM=N */
static int take_passes(json_t *lease, const char *text)
{
	const char *equals = strchr(text, '='), *rest = "";
	char stratum[LEASE_STRATUM] = "";
	uint64_t n;

	if (equals) {
		text_format(stratum, sizeof(stratum), "%.*s",
			    (int)(equals - text), text);
	}
	if (!equals || !stratum_good(stratum) ||
	    conf_number(equals + 1, &n, &rest) || *rest || n > UINT32_MAX) {
		pub_error("--passes %s: write STRATUM=N", text);
		return -EINVAL;
	}
	return json_object_set_new(json_object_get(lease, "passes"), stratum,
				   json_integer((json_int_t)n));
}

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

/* --halt, --quarantine add to their lists; --forgive takes from both. */
static int take_lists(struct publish *p, const struct pub_args *args,
		      json_t *lease)
{
	static const struct {
		const char *option, *list;
		bool add;
	} table[] = {
		{ "halt", "halted", true },
		{ "quarantine", "quarantined", true },
		{ "forgive", "halted", false },
		{ "forgive", "quarantined", false },
	};

	for (size_t t = 0; t < 4; t++) {
		json_t *list = json_object_get(lease, table[t].list);
		const char *word;

		for (unsigned i = 0;
		     (word = pub_value(args, table[t].option, i)); i++) {
			char hash[VERSION_HEX];
			enum version_class kind;
			uint64_t number;
			size_t at;

			if (pub_find_version(p, word, hash, &kind,
					     &number) < 0) {
				return -ENOENT;
			}
			at = find(list, hash);
			if (table[t].add && !at) {
				json_array_append_new(list,
						      json_string(hash));
			} else if (!table[t].add && at) {
				json_array_remove(list, at - 1);
			}
		}
	}
	return 0;
}

static int take_roll_back(struct publish *p, const struct pub_args *args,
			  json_t *lease)
{
	const char *word = pub_value(args, "roll-back-to", 0);
	char hash[VERSION_HEX];
	enum version_class kind;
	uint64_t number;

	if (!word) {
		return 0;
	}
	if (strcmp(word, "none") == 0) {
		return json_object_set_new(lease, "roll_back_to",
					   json_null());
	}
	if (pub_find_version(p, word, hash, &kind, &number) < 0) {
		return -ENOENT;
	}
	return json_object_set_new(lease, "roll_back_to", json_string(hash));
}

static int take_numbers(struct publish *p, const struct pub_args *args,
			json_t *lease)
{
	uint64_t poll = (uint64_t)json_integer_value(
		json_object_get(lease, "poll_s"));
	uint64_t jitter = (uint64_t)json_integer_value(
		json_object_get(lease, "jitter_s"));
	uint64_t needed = (uint64_t)json_integer_value(
		json_object_get(lease, "passes_needed"));
	uint64_t valid = VALID_S;
	char until[PUB_TIME];
	char issued[PUB_TIME];
	int r = pub_duration(args, "poll", LEASE_POLL_LEAST_S,
			     LEASE_POLL_MOST_S, &poll);

	r = r ? r : pub_duration(args, "jitter", 0, LEASE_POLL_MOST_S,
				 &jitter);
	r = r ? r : pub_duration(args, "valid", 1, LEASE_LIFE_MOST_S, &valid);
	r = r ? r : pub_number(args, "passes-needed", 0, UINT32_MAX, &needed);
	pub_time(p->now, issued);
	pub_time(p->now + (int64_t)valid, until);
	if (r == 0 &&
	    (json_object_set_new(lease, "poll_s",
				 json_integer((json_int_t)poll)) < 0 ||
	     json_object_set_new(lease, "jitter_s",
				 json_integer((json_int_t)jitter)) < 0 ||
	     json_object_set_new(lease, "passes_needed",
				 json_integer((json_int_t)needed)) < 0 ||
	     json_object_set_new(lease, "issued", json_string(issued)) < 0 ||
	     json_object_set_new(lease, "valid_until",
				 json_string(until)) < 0)) {
		r = -ENOMEM;
	}
	return r;
}

typedef int taker(json_t *lease, const char *text);

static int take_each(const struct pub_args *args, const char *option,
		     taker *take, json_t *lease)
{
	const char *text;
	int r = 0;

	for (unsigned i = 0; r == 0 && (text = pub_value(args, option, i));
	     i++) {
		r = take(lease, text);
	}
	return r;
}

/* It may only name what hosts can find, and has to be one for them. */
static int check_lease(const struct publish *p, const json_t *lease)
{
	const char *release = json_string_value(json_object_get(lease,
								"release"));
	cleanup_free char *text = json_dumps(lease, JSON_COMPACT);
	struct lease_error error = { "" };
	struct lease parsed;
	bool there = false;
	int r;

	if (!release) {
		pub_error("say which version it is for: gate --release "
			  "code/17");
		return -EINVAL;
	}
	for (int role = PUB_CONTENT; role <= PUB_DATA; role++) {
		there |= json_object_get(json_object_get(json_object_get(
			p->doc[role].released, "signed"), "targets"),
			release) != NULL;
	}
	if (!there) {
		pub_error("%s is not released yet; bailey publish release",
			  release);
		return -ENOENT;
	}
	r = text ? lease_parse(text, strlen(text), p->product, &parsed,
			       &error) : -ENOMEM;
	if (r < 0) {
		pub_error("hosts would refuse the lease: %s",
			  error.text[0] ? error.text : strerror(-r));
	}
	return r;
}

static int gate_run(struct publish *p, const struct pub_args *args)
{
	struct release_options options = { .roles = PUB_BIT(PUB_GATE) };
	const json_t *old = json_object_get(p->state, "lease");
	json_t *lease = old ? json_deep_copy(old) : lease_new(p);
	int r = lease ? draft_refresh(p, 0, 0) : -ENOMEM;

	r = r ? r : take_release(p, args, lease);
	r = r ? r : take_each(args, "admit", take_admit, lease);
	r = r ? r : take_each(args, "dwell", take_dwell, lease);
	r = r ? r : take_each(args, "passes", take_passes, lease);
	r = r ? r : take_lists(p, args, lease);
	r = r ? r : take_roll_back(p, args, lease);
	r = r ? r : take_numbers(p, args, lease);
	r = r ? r : check_lease(p, lease);
	if (r < 0) {
		json_decref(lease);
		return PUB_UNKNOWN;
	}
	if (!body_wanted(p, PUB_GATE)) {
		json_decref(lease);
		pub_error("the role gate has no key: bailey publish key assign "
			  "NAME gate, then sign and release");
		return PUB_UNKNOWN;
	}
	r = json_object_set_new(p->state, "lease", lease);
	r = r ? r : pub_save(p);
	r = r ? r : draft_refresh(p, 0, 0);
	return r ? PUB_UNKNOWN : release_run(p, &options);
}

static const struct pub_option options[] = {
	{ "release", "VERSION", false,
	  "the version that it is about; a new one starts with nobody" },
	{ "admit", "RING[/STRATUM]=SHARE", true,
	  "hosts that may: 12.5%, all, or a number of buckets" },
	{ "dwell", "RING=T", true, "least time before the next ring" },
	{ "valid", "T", false, "how long it holds (default 5m)" },
	{ "poll", "T", false, "how often hosts look (60s)" },
	{ "jitter", "T", false, "and how far apart (30s)" },
	{ "halt", "VERSION", true, "no host starts it any more" },
	{ "quarantine", "VERSION", true, "hosts put it away" },
	{ "forgive", "VERSION", true, "neither any more" },
	{ "roll-back-to", "VERSION|none", false, "hosts go back to it" },
	{ "passes", "STRATUM=N", true, "preflights that passed there" },
	{ "passes-needed", "N", false,
	  "so many spare a small host its own preflight" },
	{ NULL, NULL, false, NULL }
};

const struct pub_command pub_cmd_gate = {
	.name = "gate",
	.synopsis = "[--release VERSION] [--admit RING=SHARE]... [OPTION]...",
	.summary = "write the lease: which version, for whom, until when",
	.help = "Changes the lease that stands, renews it, and releases it at "
		"once with the online\nkey. VERSION: code/17, data/17 or a "
		"hash. Rings: early, general, late.\n"
		"Exit code: 0 released, 1 refused, 2 could not tell.\n",
	.options = options,
	.run = gate_run,
};
