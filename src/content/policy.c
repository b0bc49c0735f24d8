/* SPDX-License-Identifier: Apache-2.0 */
#include "content/policy.h"

#include <stdio.h>
#include <string.h>

#include "content/policy_key.h"

void policy_defaults(struct policy *ret_policy)
{
	memset(ret_policy, 0, sizeof(*ret_policy));
	ret_policy->ring = LEASE_GENERAL;
}

static void lay_acts(const struct policy_acts *acts,
		     struct policy_section *over)
{
	struct policy *policy = &over->value;

	if (acts->pause) {
		policy->pause = 1;
	}
	if (acts->pinned) {
		policy->pin = POLICY_PINNED;
		policy->behind = 0;
		memcpy(over->version, acts->version, POLICY_PIN);
		over->version[POLICY_PIN - 1] = '\0';
	}
	if (acts->revert && (!policy->override_revert ||
			     acts->revert < policy->override_revert)) {
		policy->override_revert = acts->revert;
	}
}

void policy_resolve(const struct policy_set *set, const char *product,
		    enum version_class class, const struct policy_acts *acts,
		    struct policy *ret_policy, char ret_version[POLICY_PIN])
{
	struct policy_section over = { .class = (uint32_t)class };

	policy_defaults(&over.value);
	for (int level = 0; level < 4; level++) {
		const char *whose = level < 2 ? "*" : product;
		uint32_t of = level % 2 ? (uint32_t)class : LEASE_CLASSES;

		for (uint32_t i = 0; i < set->count; i++) {
			const struct policy_section *s = &set->section[i];

			if (s->class == of && !strcmp(s->product, whose)) {
				policy_lay_over(s, &over);
			}
		}
	}
	if (set->broken) {
		over.value.broken = 1;
	}
	if (acts) {
		lay_acts(acts, &over);
	}
	*ret_policy = over.value;
	memcpy(ret_version, over.version, POLICY_PIN);
}

bool policy_sound(const struct policy *policy)
{
	const struct policy_window *window = &policy->window;

	return policy->ring < LEASE_RINGS &&
	       policy->delay_s <= POLICY_DELAY_MOST_S && policy->pause <= 1 &&
	       policy->pin <= POLICY_BEHIND &&
	       (policy->pin == POLICY_BEHIND
		? policy->behind == 1 || policy->behind == 2
		: !policy->behind) &&
	       policy->channel <= POLICY_LOCAL &&
	       policy->override_allow <= 1 && policy->override_pause <= 1 &&
	       policy->override_revert <= INT64_MAX && policy->broken <= 1 &&
	       window->days < 128 && window->from_min < POLICY_DAY_MIN &&
	       window->to_min <= POLICY_DAY_MIN;
}

void policy_effective(const struct policy *policy, struct policy *ret_policy)
{
	struct policy out = *policy;

	if (out.override_pause || out.override_revert) {
		out.override_allow = 0;
	}
	if (out.override_allow) {
		if (out.ring > LEASE_GENERAL) {
			out.ring = LEASE_GENERAL;
		}
		out.delay_s = 0;
		out.pause = 0;
		out.pin = POLICY_FOLLOW;
		out.behind = 0;
		memset(&out.window, 0, sizeof(out.window));
	}
	*ret_policy = out;
}

/* The window that begins on a day reaches from_min .. length minutes on. */
bool policy_window_open(const struct policy_window *window, uint32_t weekday,
			uint32_t minute, uint32_t *ret_wait_s)
{
	uint32_t week = 7 * POLICY_DAY_MIN, least = week;
	uint32_t now = weekday % 7 * POLICY_DAY_MIN + minute % POLICY_DAY_MIN;
	uint32_t long_min = window->to_min > window->from_min
		? window->to_min - window->from_min
		: window->to_min + POLICY_DAY_MIN - window->from_min;

	if (!(window->days & 0x7f)) {
		return true;
	}
	for (uint32_t day = 0; day < 7; day++) {
		uint32_t start = day * POLICY_DAY_MIN +
				 window->from_min % POLICY_DAY_MIN;
		uint32_t since = (now + week - start) % week;

		if (!(window->days & 1u << day)) {
			continue;
		}
		if (since < long_min) {
			return true;
		}
		if (week - since < least) {
			least = week - since;
		}
	}
	*ret_wait_s = least * 60;
	return false;
}

/* Digits of a hash, at least eight of them. */
static bool means_hash(const char *text, size_t n,
		       const uint8_t hash[VERSION_HASH])
{
	char hex[VERSION_HEX];

	version_hex(hash, hex);
	return n >= 8 && n < sizeof(hex) && !strncmp(hex, text, n);
}

bool policy_means(const char *text, uint64_t number, const char *name,
		  const uint8_t hash[VERSION_HASH])
{
	size_t n = strlen(text);
	char decimal[24];

	snprintf(decimal, sizeof(decimal), "%llu", (unsigned long long)number);
	return n && (!strcmp(text, decimal) || !strcmp(text, name) ||
		     means_hash(text, n, hash));
}
