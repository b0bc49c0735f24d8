/* SPDX-License-Identifier: Apache-2.0 */
/* lease_read.c - a lease from its signed JSON (lease.h); members that are not
 * known are refused */
#include <stdio.h>
#include <string.h>

#include "content/lease.h"

static const char *const members[] = {
	"format", "product", "release", "hash", "salt", "admitted", "rings",
	"dwell_s", "valid_until", "issued", "poll_s", "jitter_s", "halted",
	"quarantined", "roll_back_to", "passes", "passes_needed"
};

static const char *const rings[LEASE_RINGS] = {
#define ROW(sym, num, name) [num] = name,
	LEASE_RING_TABLE(ROW)
#undef ROW
};

static int no_others(const struct json_at *top)
{
	struct json_at member;
	void *iterator = NULL;

	while (json_next(top, &iterator, &member) > 0) {
		size_t i = 0;

		while (i < sizeof(members) / sizeof(members[0]) &&
		       strcmp(members[i], member.key) != 0) {
			i++;
		}
		if (i == sizeof(members) / sizeof(members[0])) {
			return json_refuse(&member, NULL,
					   "no such member in a lease");
		}
	}
	return 0;
}

/* -1: no such ring. */
static int ring_find(const char *name)
{
	for (int i = 0; i < (int)LEASE_RINGS; i++) {
		if (!strcmp(rings[i], name)) {
			return i;
		}
	}
	return -1;
}

static int read_u32(const struct json_at *top, const char *key, int64_t low,
		    int64_t high, uint32_t *ret_number)
{
	int64_t number;
	int r;

	if (!json_has(top, key)) {
		return 0;
	}
	r = json_int(top, key, low, high, &number);
	if (!r) {
		*ret_number = (uint32_t)number;
	}
	return r;
}

/* product, format, release and hash. */
static int read_release(const struct json_at *top, const char *product,
			struct lease *lease)
{
	const char *text = NULL, *release = NULL;
	char whose[VERSION_NAME];
	enum version_class kind;
	int64_t format;
	int r;

	if ((r = json_int(top, "format", 1, 1, &format)) < 0 ||
	    (r = json_text(top, "product", VERSION_NAME - 1, &text)) < 0 ||
	    (r = json_text(top, "release", VERSION_TARGET - 1,
			   &release)) < 0 ||
	    (r = json_hex(top, "hash", lease->hash, VERSION_HASH)) < 0) {
		return r;
	}
	if (strcmp(text, product) != 0) {
		return json_refuse(top, "product", "not %s", product);
	}
	if (version_target_parse(release, whose, &kind, &lease->number)) {
		return json_refuse(top, "release", "not a version's target");
	}
	if (strcmp(whose, product) != 0) {
		return json_refuse(top, "release", "a version of another "
				   "product");
	}
	memcpy(lease->product, whose, sizeof(whose));
	lease->class = (uint32_t)kind;
	return 0;
}

static int digit(char c)
{
	if (c >= '0' && c <= '9') {
		return c - '0';
	}
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int read_salt(const struct json_at *top, struct lease *lease)
{
	const char *text;
	size_t n;
	int r = json_text(top, "salt", 2 * (size_t)LEASE_SALT, &text);

	if (r < 0) {
		return r;
	}
	n = strlen(text);
	if (n < 16 || n % 2 || text[strspn(text, "0123456789abcdef")]) {
		return json_refuse(top, "salt", "not 16 to 64 digits, in "
				   "pairs");
	}
	for (size_t i = 0; i < n / 2; i++) {
		lease->salt[i] = (uint8_t)(digit(text[2 * i]) << 4 |
					   digit(text[2 * i + 1]));
	}
	lease->salt_length = (uint32_t)(n / 2);
	return 0;
}

/* "rings": those that take part, in their order. */
static int read_rings(const struct json_at *top, struct lease *lease)
{
	struct json_at list;
	size_t count;
	int last = -1, r = json_list(top, "rings", LEASE_RINGS, &list, &count);

	for (size_t i = 0; !r && i < count; i++) {
		const char *name;
		int ring;

		r = json_element_text(&list, i, 16, &name);
		if (r) {
			return r;
		}
		ring = ring_find(name);
		if (ring <= last) {
			return json_refuse(top, "rings", "not some of early, "
					   "general, late, in that order");
		}
		lease->rings |= 1u << ring;
		last = ring;
	}
	if (!r && last < 0) {
		return json_refuse(top, "rings", "names none");
	}
	return r;
}

/* A member of an object by ring: its ring, which takes part; or -EBADMSG. */
static int ring_of(const struct json_at *member, const struct lease *lease)
{
	int ring = ring_find(member->key);

	if (ring < 0 || !(lease->rings & 1u << ring)) {
		return json_refuse(member, NULL, "not one of rings");
	}
	return ring;
}

/* The stratum's row, made if need be; null: refused. */
static struct lease_stratum *stratum_of(const struct json_at *member,
					struct lease *lease)
{
	struct lease_stratum *s;
	const char *name = member->key;
	size_t n = strlen(name);

	for (uint32_t i = 0; i < lease->strata; i++) {
		if (!strcmp(lease->stratum[i].name, name)) {
			return &lease->stratum[i];
		}
	}
	if (strcmp(name, "*") != 0 &&
	    (!n || n >= LEASE_STRATUM ||
	     name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789._-")])) {
		(void)json_refuse(member, NULL, "not the name of a stratum: "
				  "a-z 0-9 . _ -");
		return NULL;
	}
	if (lease->strata == LEASE_STRATA) {
		(void)json_refuse(member, NULL, "more than %u strata",
				  LEASE_STRATA);
		return NULL;
	}
	s = &lease->stratum[lease->strata++];
	memcpy(s->name, name, n);
	return s;
}

static int read_bounds(const struct json_at *object, int ring,
		       struct lease *lease)
{
	struct json_at member;
	void *iterator = NULL;

	while (json_next(object, &iterator, &member) > 0) {
		struct lease_stratum *s = stratum_of(&member, lease);
		int64_t bound;
		int r;

		if (!s) {
			return -EBADMSG;
		}
		r = json_int(object, member.key, 0, (int64_t)LEASE_BUCKETS,
			     &bound);
		if (r) {
			return r;
		}
		s->bound[ring] = (uint64_t)bound;
		s->listed |= 1u << ring;
	}
	return 0;
}

/* "admitted": ring, stratum, bound. */
static int read_admitted(const struct json_at *top, struct lease *lease)
{
	struct json_at admitted, member;
	void *iterator = NULL;
	int r = json_member(top, "admitted", &admitted);

	if (r || (r = json_all_objects(&admitted, LEASE_RINGS)) < 0) {
		return r;
	}
	while (json_next(&admitted, &iterator, &member) > 0) {
		int ring = ring_of(&member, lease);

		if (ring < 0) {
			return ring;
		}
		r = read_bounds(&member, ring, lease);
		if (r) {
			return r;
		}
	}
	return 0;
}

static int read_dwell(const struct json_at *top, struct lease *lease)
{
	struct json_at dwell, member;
	void *iterator = NULL;
	int r;

	if (!json_has(top, "dwell_s")) {
		return 0;
	}
	r = json_member(top, "dwell_s", &dwell);
	if (r) {
		return r;
	}
	while (json_next(&dwell, &iterator, &member) > 0) {
		int ring = ring_of(&member, lease);

		if (ring < 0) {
			return ring;
		}
		r = read_u32(&dwell, member.key, 0, LEASE_DWELL_MOST_S,
			     &lease->dwell_s[ring]);
		if (r) {
			return r;
		}
	}
	return 0;
}

static int read_passes(const struct json_at *top, struct lease *lease)
{
	struct json_at passes, member;
	void *iterator = NULL;
	int r;

	if (!json_has(top, "passes")) {
		return 0;
	}
	r = json_member(top, "passes", &passes);
	if (r) {
		return r;
	}
	while (json_next(&passes, &iterator, &member) > 0) {
		struct lease_stratum *s = stratum_of(&member, lease);

		if (!s) {
			return -EBADMSG;
		}
		r = read_u32(&passes, member.key, 0, UINT32_MAX, &s->passes);
		if (r) {
			return r;
		}
		s->passes_listed = 1;
	}
	return 0;
}

static int read_hashes(const struct json_at *top, const char *key,
		       struct lease_hashes *list)
{
	struct json_at array;
	size_t count;
	int r;

	if (!json_has(top, key)) {
		return 0;
	}
	r = json_list(top, key, LEASE_HASHES, &array, &count);
	for (size_t i = 0; !r && i < count; i++) {
		const char *text;
		uint8_t hash[VERSION_HASH];

		r = json_element_text(&array, i, VERSION_HEX, &text);
		if (r) {
			return r;
		}
		if (version_unhex(text, hash)) {
			return json_refuse(top, key, "not a hash, at %zu", i);
		}
		if (lease_names(list, hash)) {
			return json_refuse(top, key, "a hash stands twice");
		}
		memcpy(list->hash[list->count++], hash, sizeof(hash));
	}
	return r;
}

static int read_roll_back(const struct json_at *top, struct lease *lease)
{
	int r;

	if (!json_has(top, "roll_back_to")) {
		return 0;
	}
	r = json_hex(top, "roll_back_to", lease->roll_back_to, VERSION_HASH);
	if (r) {
		return r;
	}
	if (!memcmp(lease->roll_back_to, lease->hash, VERSION_HASH)) {
		return json_refuse(top, "roll_back_to", "is the release "
				   "itself");
	}
	lease->roll_back = 1;
	return 0;
}

static int read_times(const struct json_at *top, struct lease *lease)
{
	int r = json_time(top, "valid_until", &lease->valid_until_s);

	if (!r && json_has(top, "issued")) {
		r = json_time(top, "issued", &lease->issued_s);
		if (!r && (lease->issued_s > lease->valid_until_s ||
			   lease->valid_until_s - lease->issued_s >
			   (int64_t)LEASE_LIFE_MOST_S)) {
			return json_refuse(top, "issued", "not within 90 days "
					   "before valid_until");
		}
	}
	return r;
}

static int read_all(const struct json_at *top, const char *product,
		    struct lease *lease)
{
	int r;

	if ((r = no_others(top)) < 0 ||
	    (r = read_release(top, product, lease)) < 0 ||
	    (r = read_salt(top, lease)) < 0 ||
	    (r = read_rings(top, lease)) < 0 ||
	    (r = read_admitted(top, lease)) < 0 ||
	    (r = read_dwell(top, lease)) < 0 ||
	    (r = read_times(top, lease)) < 0 ||
	    (r = read_u32(top, "poll_s", LEASE_POLL_LEAST_S,
			  LEASE_POLL_MOST_S, &lease->poll_s)) < 0 ||
	    (r = read_u32(top, "jitter_s", 0, LEASE_POLL_MOST_S,
			  &lease->jitter_s)) < 0 ||
	    (r = read_hashes(top, "halted", &lease->halted)) < 0 ||
	    (r = read_hashes(top, "quarantined", &lease->quarantined)) < 0 ||
	    (r = read_roll_back(top, lease)) < 0 ||
	    (r = read_passes(top, lease)) < 0) {
		return r;
	}
	return read_u32(top, "passes_needed", 0, UINT32_MAX,
			&lease->passes_needed);
}

int lease_parse(const void *bytes, size_t length, const char *product,
		struct lease *ret_lease, struct lease_error *ret_error)
{
	cleanup_json_tree json_t *tree = NULL;
	struct json_fault fault = { .text = "" };
	struct lease lease = { .poll_s = LEASE_POLL_S };
	struct json_at top;
	int r = json_read(bytes, length, LEASE_BYTES, &tree, &top, &fault);

	if (!r) {
		r = read_all(&top, product, &lease);
	}
	if (!r) {
		*ret_lease = lease;
		return 0;
	}
	snprintf(ret_error->text, sizeof(ret_error->text), "%s", fault.text);
	return r;
}
