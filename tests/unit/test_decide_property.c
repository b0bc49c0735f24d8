/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What holds of every decision, over random inputs. A case that does not is
 * made smaller as long as it still fails, then printed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "content/decide.h"

#define CASES 300000u
#define NOW 1795348800ll

static uint64_t seed;

static uint32_t any(uint32_t below)
{
	return (uint32_t)(hash_mix(++seed) % below);
}

static bool one_in(uint32_t n)
{
	return any(n) == 0;
}

static uint32_t any_index(uint32_t versions)
{
	return !versions || one_in(4) ? DECIDE_NONE : any(versions);
}

static void any_policy(struct policy *policy)
{
	policy_defaults(policy);
	if (one_in(2)) {
		return;
	}
	policy->ring = any(3);
	policy->delay_s = one_in(2) ? any(200) : 0;
	policy->pause = one_in(6);
	policy->pin = any(3);
	policy->behind = policy->pin == POLICY_BEHIND ? 1 + any(2) : 0;
	policy->channel = one_in(4);
	policy->override_allow = one_in(4);
	policy->override_pause = one_in(8);
	policy->override_revert = one_in(6) ? any(12) : 0;
	policy->broken = one_in(10);
	if (one_in(3)) {
		policy->window = (struct policy_window){
			any(128), any(1440), any(1441)
		};
	}
}

static void any_version(struct decide_version *v, const struct decide_limits
			*limits)
{
	*v = (struct decide_version){
		.number = 1 + any(10), .floor = any(6),
		.class = one_in(3), .state = any(DECIDE_STATES),
		.files = any(4), .bytes = any(4), .bake_s = any(100),
		.min_events = any(100), .seen_s = any(200),
		.retry_s = one_in(6) ? any(50) : 0
	};
	for (uint32_t bit = 0; bit < 8; bit++) {
		v->flags |= one_in(bit == 3 ? 2 : 8) ? 1u << bit : 0;
	}
	if (one_in(2)) {
		v->bake_s += limits->min_bake_s;
		v->min_events += limits->min_events;
	}
}

static void any_lease(struct decide_inputs *in)
{
	struct decide_lease *lease = &in->lease;

	lease->given = !one_in(6);
	lease->release = any_index(in->versions);
	lease->roll_back = one_in(6);
	lease->back = lease->roll_back ? any_index(in->versions)
				       : DECIDE_NONE;
	lease->rings = any(8);
	in->prior.known = one_in(2);
	in->prior.same = in->prior.known && one_in(2);
	in->prior.reach = any(4);
	in->prior.rings = any(8);
	in->prior.age_s = any(300);
	for (uint32_t i = 0; i < LEASE_RINGS; i++) {
		lease->bound[i] = one_in(3) ? 0 : any(20);
		lease->dwell_s[i] = any(200);
		in->prior.dwell_s[i] = any(200);
	}
	lease->poll_s = 10 + any(100);
	lease->jitter_s = any(50);
	lease->passes = any(5);
	lease->passes_needed = any(5);
	lease->valid_until_s = NOW + 200 - any(300);
	lease->age_s = any(300);
	lease->life_s = any(400);
}

static void any_inputs(struct decide_inputs *in)
{
	decide_begin(in);
	in->now_s = NOW;
	in->weekday = any(7);
	in->minute = any(1440);
	in->bucket = any(10);
	in->unhealthy = one_in(8);
	in->affordable = !one_in(3);
	in->limits = (struct decide_limits){
		.given = !one_in(4), .max_files = any(6),
		.max_bytes = any(6), .min_interval_s = any(100),
		.min_bake_s = any(50), .min_events = any(50)
	};
	in->data_known = one_in(2);
	in->data_age_s = any(200);
	in->versions = any(DECIDE_VERSIONS + 1);
	for (uint32_t i = 0; i < in->versions; i++) {
		any_version(&in->version[i], &in->limits);
	}
	for (uint32_t i = 0; i < LEASE_CLASSES; i++) {
		any_policy(&in->policy[i]);
		in->pinned[i] = any_index(in->versions);
	}
	in->running = any_index(in->versions);
	in->verdict = any(3);
	in->trial_s = any(150);
	any_lease(in);
}

/* ---- properties ---- */

static bool forward(const struct decision *d)
{
	return d->action == DECIDE_DO_FETCH ||
	       d->action == DECIDE_DO_PREFLIGHT ||
	       d->action == DECIDE_DO_ACTIVATE;
}

static bool activates(const struct decide_inputs *in)
{
	return decide(in).action == DECIDE_DO_ACTIVATE;
}

static bool same(struct decision a, struct decision b)
{
	return !memcmp(&a, &b, sizeof(a));
}

/* Total: every sound input has a decision within bounds. */
static bool total(const struct decide_inputs *in)
{
	struct decision d = decide(in);
	bool target = d.target == DECIDE_NONE || d.target < in->versions;

	if (!decide_sound(in) || d.action >= DECIDE_ACTIONS ||
	    d.reason == DECIDE_BECAUSE_INPUT || d.reason >= DECIDE_REASONS ||
	    !target || !d.poll_s) {
		return false;
	}
	if (forward(&d) || d.action == DECIDE_DO_REVERT) {
		return d.target != DECIDE_NONE && d.target != in->running;
	}
	return true;
}

static bool replays(const struct decide_inputs *in)
{
	uint8_t bytes[DECIDE_BYTES], more[DECIDE_BYTES];
	struct decide_inputs again;
	int n = decide_encode(in, bytes, sizeof(bytes));

	memset(&again, 0x55, sizeof(again));
	return n > 0 && !decide_decode(bytes, (size_t)n, &again) &&
	       same(decide(in), decide(&again)) &&
	       decide_encode(&again, more, sizeof(more)) == n &&
	       !memcmp(bytes, more, (size_t)n);
}

/* The lease is the only way forward, but for the administrator's own. */
static bool leased(const struct decide_inputs *in)
{
	struct decision d = decide(in);
	const struct decide_lease *lease = &in->lease;
	struct policy policy;

	if (!forward(&d)) {
		return true;
	}
	policy_effective(&in->policy[in->version[d.target].class], &policy);
	if (policy.channel == POLICY_LOCAL) {
		return true;
	}
	if (!lease->given || lease->age_s >= lease->life_s ||
	    in->now_s >= lease->valid_until_s) {
		return d.reason == DECIDE_BECAUSE_LOCAL_GO;
	}
	if (d.reason == DECIDE_BECAUSE_LOCAL_GO) {
		return true;
	}
	if (d.target != lease->release) {
		return in->version[d.target].flags & DECIDE_IS_LEASED;
	}
	for (uint32_t i = 0; i < LEASE_RINGS; i++) {
		bool mine = i == policy.ring ||
			    !(lease->rings & 1u << policy.ring);

		if (mine && lease->rings & 1u << i &&
		    in->bucket < lease->bound[i]) {
			return true;
		}
	}
	return false;
}

/* A lease that is missing or has ended changes nothing of what runs. */
static bool no_lease_takes_nothing(const struct decide_inputs *in)
{
	struct decide_inputs without = *in;
	struct decision d;

	without.lease.age_s = without.lease.life_s;
	d = decide(&without);
	if (d.action == DECIDE_DO_REVERT &&
	    decide(in).action != DECIDE_DO_REVERT &&
	    d.reason != DECIDE_BECAUSE_PINNED) {
		return false;
	}
	without.lease.given = 0;
	d = decide(&without);
	return d.action != DECIDE_DO_REVERT ||
	       decide(in).action == DECIDE_DO_REVERT ||
	       d.reason == DECIDE_BECAUSE_PINNED;
}

/* With the customer's choices it is never earlier than without: what is
 * activated would be by the defaults too (in the early ring, by those of that
 * ring), or was this host's turn before. */
static bool never_earlier(const struct decide_inputs *in)
{
	struct decide_inputs plain = *in;
	struct decision d = decide(in), without;

	if (!forward(&d)) {
		return true;
	}
	for (uint32_t i = 0; i < LEASE_CLASSES; i++) {
		if (in->policy[i].channel == POLICY_LOCAL) {
			return true;
		}
		policy_defaults(&plain.policy[i]);
		if (in->policy[i].ring == LEASE_EARLY) {
			plain.policy[i].ring = LEASE_EARLY;
		}
	}
	without = decide(&plain);
	if (d.target != in->lease.release) {
		return in->version[d.target].flags & DECIDE_IS_LEASED;
	}
	if (in->running != DECIDE_NONE && in->version[d.target].number <
	    in->version[in->running].number) {
		return true;            /* older than what runs */
	}
	return without.action == d.action && without.target == d.target;
}

/* override-allow is as if the customer had not chosen to be later. */
static bool override_lifts_own_only(const struct decide_inputs *in)
{
	struct decide_inputs lifted = *in, over = *in;

	for (uint32_t i = 0; i < LEASE_CLASSES; i++) {
		struct policy *p = &lifted.policy[i];

		over.policy[i].override_allow = 1;
		p->override_allow = 0;
		if (p->override_pause || p->override_revert) {
			over.policy[i].override_allow = 0;
			continue;
		}
		p->ring = p->ring == LEASE_EARLY ? LEASE_EARLY : LEASE_GENERAL;
		p->delay_s = p->pause = p->behind = 0;
		p->pin = POLICY_FOLLOW;
		memset(&p->window, 0, sizeof(p->window));
	}
	return same(decide(&over), decide(&lifted)) && leased(&over);
}

/* More bad news never leads to an activation. */
static bool bad_news(const struct decide_inputs *in)
{
	static const uint32_t flags[] = {
		DECIDE_IS_REVOKED, DECIDE_IS_EXPIRED, DECIDE_IS_HALTED,
		DECIDE_IS_BARRED, DECIDE_IS_MISFIT, DECIDE_IS_FOREIGN
	};

	if (activates(in)) {
		return true;
	}
	for (uint32_t i = 0; i < in->versions; i++) {
		struct decide_inputs worse = *in;

		worse.version[i].state = DECIDE_QUARANTINED;
		if (activates(&worse)) {
			return false;
		}
		for (size_t f = 0; f < sizeof(flags) / sizeof(flags[0]);
		     f++) {
			worse = *in;
			worse.version[i].flags |= flags[f];
			if (activates(&worse)) {
				return false;
			}
		}
	}
	return true;
}

/* That others went well before makes nothing sooner (C18). */
static bool past_success(const struct decide_inputs *in)
{
	struct decision d = decide(in);

	if (d.action == DECIDE_DO_ACTIVATE) {
		return true;
	}
	for (uint32_t i = 0; i < in->versions; i++) {
		struct decide_inputs better = *in;
		struct decision after;

		if (i == in->running) {
			continue;
		}
		better.version[i].state = DECIDE_GOOD;
		better.version[i].flags |= DECIDE_IS_LEASED;
		better.version[i].seen_s = DECIDE_AGE_MOST_S;
		after = decide(&better);
		if (after.action == DECIDE_DO_ACTIVATE && after.target != i) {
			return false;
		}
	}
	return true;
}

/* Time alone: a lease that has ended stays so, a wait that is over was one. */
static bool waits(const struct decide_inputs *in)
{
	struct decide_inputs later = *in;
	struct decision d = decide(in);
	uint32_t wait = (uint32_t)d.wait_s;

	for (uint32_t i = 0; i < in->versions; i++) {
		later.version[i].seen_s += wait;
	}
	later.prior.age_s += wait;
	later.data_age_s += wait;
	switch (d.reason) {
	case DECIDE_BECAUSE_DELAYED:
	case DECIDE_BECAUSE_LEASE_JUMP:
	case DECIDE_BECAUSE_INTERVAL:
		return wait && decide(&later).reason != d.reason;
	case DECIDE_BECAUSE_WINDOW:
		later.minute = in->minute + wait / 60;
		later.weekday = (in->weekday + later.minute / 1440) % 7;
		later.minute %= 1440;
		return wait && decide(&later).reason != d.reason;
	default:
		return true;
	}
}

/* Never activates what somebody took back, or what does not fit. */
static bool never_bad(const struct decide_inputs *in)
{
	struct decision d = decide(in);
	const struct decide_version *v = &in->version[d.target];

	if (!forward(&d) && d.action != DECIDE_DO_REVERT) {
		return true;
	}
	if (v->state == DECIDE_QUARANTINED ||
	    v->flags & (DECIDE_IS_REVOKED | DECIDE_IS_BARRED |
			DECIDE_IS_MISFIT)) {
		return false;
	}
	if (in->running != DECIDE_NONE &&
	    v->number < in->version[in->running].floor) {
		return false;
	}
	if (d.action == DECIDE_DO_REVERT) {
		return v->state == DECIDE_GOOD &&
		       v->number < in->version[in->running].number;
	}
	return !(v->flags & (DECIDE_IS_HALTED | DECIDE_IS_EXPIRED));
}

/* ---- cases ---- */

static void drop_version(struct decide_inputs *in, uint32_t index)
{
	uint32_t *all[] = { &in->running, &in->lease.release,
			    &in->lease.back, &in->pinned[0], &in->pinned[1] };

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (*all[i] == index) {
			*all[i] = DECIDE_NONE;
		} else if (*all[i] != DECIDE_NONE && *all[i] > index) {
			--*all[i];
		}
	}
	for (uint32_t i = index; i + 1 < in->versions; i++) {
		in->version[i] = in->version[i + 1];
	}
	in->versions--;
}

/* The n-th thing that could be simpler. False: there is no such. */
static bool simpler(struct decide_inputs *in, unsigned n)
{
	struct decide_inputs plain;

	decide_begin(&plain);
	if (n < DECIDE_VERSIONS) {
		if (n < in->versions) {
			drop_version(in, n);
		}
		return true;
	}
	n -= DECIDE_VERSIONS;
	if (n < DECIDE_VERSIONS * 8) {
		in->version[n / 8].flags &= ~(1u << n % 8);
		return true;
	}
	switch (n - DECIDE_VERSIONS * 8) {
	case 0:
		in->policy[0] = plain.policy[0];
		return true;
	case 1:
		in->policy[1] = plain.policy[1];
		return true;
	case 2:
		in->limits = plain.limits;
		return true;
	case 3:
		in->prior = plain.prior;
		return true;
	case 4:
		in->lease.roll_back = 0;
		in->lease.back = DECIDE_NONE;
		return true;
	case 5:
		in->unhealthy = in->data_known = 0;
		return true;
	}
	return false;
}

static void shrink(struct decide_inputs *in,
		   bool (*holds)(const struct decide_inputs *in))
{
	for (int round = 0; round < 4; round++) {
		for (unsigned n = 0; ; n++) {
			struct decide_inputs less = *in;

			if (!simpler(&less, n)) {
				break;
			}
			if (decide_sound(&less) && !holds(&less)) {
				*in = less;
			}
		}
	}
}

static void show(const struct decide_inputs *in)
{
	struct decision d = decide(in);

	print_message("%s: %s, target %d\n", decide_action_name(d.action),
		      decide_reason_name(d.reason), (int)d.target);
	for (uint32_t i = 0; i < in->versions; i++) {
		const struct decide_version *v = &in->version[i];

		print_message("  %u: number %llu floor %llu class %u %s flags "
			      "%#x bake %u seen %u\n", i,
			      (unsigned long long)v->number,
			      (unsigned long long)v->floor, v->class,
			      decide_state_name(v->state), v->flags,
			      v->bake_s, v->seen_s);
	}
	for (uint32_t i = 0; i < LEASE_CLASSES; i++) {
		const struct policy *p = &in->policy[i];

		print_message("  policy %u: ring %u delay %u pause %u pin %u "
			      "behind %u channel %u allow %u stop %u revert "
			      "%llu pinned %d\n", i, p->ring, p->delay_s,
			      p->pause, p->pin, p->behind, p->channel,
			      p->override_allow, p->override_pause,
			      (unsigned long long)p->override_revert,
			      (int)in->pinned[i]);
	}
	print_message("  running %d release %d back %d (%u) given %u bucket "
		      "%llu of %llu %llu %llu verdict %u trial %u\n",
		      (int)in->running, (int)in->lease.release,
		      (int)in->lease.back, in->lease.roll_back,
		      in->lease.given, (unsigned long long)in->bucket,
		      (unsigned long long)in->lease.bound[0],
		      (unsigned long long)in->lease.bound[1],
		      (unsigned long long)in->lease.bound[2], in->verdict,
		      in->trial_s);
}

static void check(bool (*holds)(const struct decide_inputs *in), uint64_t from)
{
	for (uint64_t i = 0; i < CASES; i++) {
		struct decide_inputs in;

		seed = hash_pair(from, i);
		any_inputs(&in);
		if (!holds(&in)) {
			shrink(&in, holds);
			show(&in);
			fail_msg("case %llu of %llu", (unsigned long long)i,
				 (unsigned long long)from);
		}
	}
}

/* The cases are of every kind, or they would show little. */
static void test_cases(void **state)
{
	unsigned action[DECIDE_ACTIONS] = { 0 }, reason[DECIDE_REASONS] = { 0 };

	for (uint64_t i = 0; i < CASES; i++) {
		struct decide_inputs in;
		struct decision d;

		seed = hash_pair(1, i);
		any_inputs(&in);
		d = decide(&in);
		action[d.action]++;
		reason[d.reason]++;
	}
	for (unsigned i = 0; i < DECIDE_ACTIONS; i++) {
		print_message("%s %u\n", decide_action_name(i), action[i]);
		assert_true(action[i] > CASES / 1000);
	}
	for (unsigned i = 1; i < DECIDE_REASONS; i++) {
		if (reason[i] < 10) {
			fail_msg("%s: %u", decide_reason_name(i), reason[i]);
		}
	}
}

#define PROPERTY(name)                                                        \
	static void test_##name(void **state)                                 \
	{                                                                     \
		check(name, 1);                                               \
	}

PROPERTY(total)
PROPERTY(replays)
PROPERTY(leased)
PROPERTY(no_lease_takes_nothing)
PROPERTY(never_earlier)
PROPERTY(override_lifts_own_only)
PROPERTY(bad_news)
PROPERTY(past_success)
PROPERTY(waits)
PROPERTY(never_bad)

/* Bytes of any kind: a decision, and none that moves anything unless they are
 * sound. Flipped bits of sound ones, too. */
static void test_noise(void **state)
{
	seed = 3;
	for (unsigned i = 0; i < CASES; i++) {
		struct decide_inputs in;
		uint8_t *bytes = (uint8_t *)&in;
		struct decision d;

		any_inputs(&in);
		for (unsigned n = 1 + any(i % 2 ? 3 : sizeof(in)); n > 0; n--) {
			bytes[any(sizeof(in))] ^= (uint8_t)(1u << any(8));
		}
		d = decide(&in);
		if (!decide_sound(&in)) {
			assert_int_equal(d.reason, DECIDE_BECAUSE_INPUT);
			assert_int_equal(d.action, DECIDE_DO_HOLD);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_total),
		cmocka_unit_test(test_replays),
		cmocka_unit_test(test_leased),
		cmocka_unit_test(test_no_lease_takes_nothing),
		cmocka_unit_test(test_never_earlier),
		cmocka_unit_test(test_override_lifts_own_only),
		cmocka_unit_test(test_bad_news),
		cmocka_unit_test(test_past_success),
		cmocka_unit_test(test_waits),
		cmocka_unit_test(test_never_bad),
		cmocka_unit_test(test_noise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
