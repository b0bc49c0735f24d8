/* SPDX-License-Identifier: Apache-2.0 */
#include "content/lease.h"

#include <openssl/evp.h>
#include <string.h>

uint64_t lease_bound(const struct lease *lease, const char *stratum,
		     enum lease_ring ring)
{
	uint64_t other = 0;

	if (!(lease->rings & 1u << ring)) {
		return 0;
	}
	for (uint32_t i = 0; i < lease->strata; i++) {
		const struct lease_stratum *s = &lease->stratum[i];

		if (!(s->listed & 1u << ring)) {
			continue;
		}
		if (!strcmp(s->name, stratum)) {
			return s->bound[ring];
		}
		if (!strcmp(s->name, "*")) {
			other = s->bound[ring];
		}
	}
	return other;
}

uint32_t lease_passes(const struct lease *lease, const char *stratum)
{
	uint32_t other = 0;

	for (uint32_t i = 0; i < lease->strata; i++) {
		const struct lease_stratum *s = &lease->stratum[i];

		if (!s->passes_listed) {
			continue;
		}
		if (!strcmp(s->name, stratum)) {
			return s->passes;
		}
		if (!strcmp(s->name, "*")) {
			other = s->passes;
		}
	}
	return other;
}

bool lease_names(const struct lease_hashes *list,
		 const uint8_t hash[VERSION_HASH])
{
	for (uint32_t i = 0; i < list->count; i++) {
		if (!memcmp(list->hash[i], hash, VERSION_HASH)) {
			return true;
		}
	}
	return false;
}

uint32_t lease_reach(const struct lease *lease, const char *stratum)
{
	for (uint32_t ring = LEASE_RINGS; ring > 0; ring--) {
		if (lease_bound(lease, stratum, ring - 1)) {
			return ring;
		}
	}
	return 0;
}

int64_t lease_signed_s(const struct lease *lease)
{
	return lease->issued_s ? lease->issued_s
		: lease->valid_until_s - (int64_t)LEASE_LIFE_MOST_S;
}

int lease_bucket(const struct lease *lease, const void *host, size_t length,
		 uint64_t *ret_bucket)
{
	uint8_t text[LEASE_SALT + LEASE_HOST], digest[VERSION_HASH];
	uint64_t bucket = 0;

	if (!length || length > LEASE_HOST ||
	    lease->salt_length > LEASE_SALT) {
		return -EINVAL;
	}
	memcpy(text, lease->salt, lease->salt_length);
	memcpy(text + lease->salt_length, host, length);
	if (!EVP_Digest(text, lease->salt_length + length, digest, NULL,
			EVP_sha256(), NULL)) {
		return -EIO;
	}
	for (int i = 0; i < 6; i++) {
		bucket = bucket << 8 | digest[i];
	}
	*ret_bucket = bucket;
	return 0;
}

void lease_remember(const struct lease *lease, const char *stratum,
		    struct lease_prior *ret_prior)
{
	memset(ret_prior, 0, sizeof(*ret_prior));
	ret_prior->known = 1;
	ret_prior->rings = lease->rings;
	ret_prior->reach = lease_reach(lease, stratum);
	memcpy(ret_prior->hash, lease->hash, VERSION_HASH);
	memcpy(ret_prior->dwell_s, lease->dwell_s, sizeof(lease->dwell_s));
}

uint64_t lease_jump_s(const struct lease_jump *jump)
{
	uint64_t wait = 0;

	for (uint32_t ring = jump->from;
	     ring + 1 < jump->to && ring < LEASE_RINGS; ring++) {
		uint64_t stay = jump->bake_s;

		if (!(jump->rings & 1u << ring)) {
			continue;
		}
		if (!jump->urgent && jump->before_s[ring] > stay) {
			stay = jump->before_s[ring];
		}
		if (!jump->urgent && jump->dwell_s[ring] > stay) {
			stay = jump->dwell_s[ring];
		}
		wait += stay;
	}
	return wait;
}
