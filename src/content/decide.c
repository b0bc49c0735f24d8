/* SPDX-License-Identifier: Apache-2.0 */
#include "content/decide.h"

#include <assert.h>
#include <string.h>

/* One decision being made. */
struct deciding {
	const struct decide_inputs *in;
	struct policy policy[LEASE_CLASSES];    /* effective */
	bool live;              /* the lease has not ended */
	uint64_t jump_s;        /* until its jump is none any more */
	struct decision out;
};

static bool is(const struct decide_version *version, enum decide_flag flag)
{
	return version->flags & flag;
}

static bool say(struct deciding *d, enum decide_action action,
		enum decide_reason reason, uint32_t target, uint64_t wait_s)
{
	d->out.action = action;
	d->out.reason = reason;
	d->out.target = target;
	d->out.wait_s = wait_s;
	return true;
}

static bool hold(struct deciding *d, enum decide_reason reason,
		 uint32_t target, uint64_t wait_s)
{
	return say(d, DECIDE_DO_HOLD, reason, target, wait_s);
}

static const struct decide_version *at(const struct deciding *d,
				       uint32_t index)
{
	return index == DECIDE_NONE ? NULL : &d->in->version[index];
}

static const struct policy *policy_of(const struct deciding *d, uint32_t index)
{
	assert(index < DECIDE_VERSIONS);
	return &d->policy[d->in->version[index].class];
}

uint32_t decide_bake_s(const struct decide_version *version,
		       const struct decide_limits *limits)
{
	bool data = version->class == VERSION_DATA && limits->given;

	return data && limits->min_bake_s > version->bake_s
		? limits->min_bake_s : version->bake_s;
}

uint32_t decide_min_events(const struct decide_version *version,
			   const struct decide_limits *limits)
{
	bool data = version->class == VERSION_DATA && limits->given;

	return data && limits->min_events > version->min_events
		? limits->min_events : version->min_events;
}

/* ---- the lease ---- */

static uint32_t reach(const struct decide_lease *lease)
{
	uint32_t ring = LEASE_RINGS;

	while (ring > 0 && !lease->bound[ring - 1]) {
		ring--;
	}
	return ring;
}

/* A release that was admitted here, or is good here, is no new exposure. */
static uint64_t jump(const struct decide_inputs *in)
{
	const struct decide_lease *lease = &in->lease;
	const struct decide_prior *prior = &in->prior;
	struct lease_jump jump = {
		.from = prior->same ? prior->reach : 0, .to = reach(lease),
		.rings = prior->rings | lease->rings,
		.before_s = prior->dwell_s, .dwell_s = lease->dwell_s
	};
	uint64_t wait;

	if (!prior->known) {
		return 0;
	}
	if (lease->release != DECIDE_NONE) {
		const struct decide_version *v = &in->version[lease->release];

		if (is(v, DECIDE_IS_LEASED) || v->state == DECIDE_GOOD) {
			return 0;
		}
		jump.bake_s = decide_bake_s(v, &in->limits);
		jump.urgent = is(v, DECIDE_IS_URGENT);
	}
	wait = lease_jump_s(&jump);
	return wait > prior->age_s ? wait - prior->age_s : 0;
}

/* The ring that a host of this one goes with, if it takes no part: the next
 * later one, or else the last. */
static uint32_t ring_of(const struct decide_lease *lease, uint32_t ring)
{
	uint32_t own = ring;

	while (own < LEASE_RINGS && !(lease->rings & 1u << own)) {
		own++;
	}
	while (own == LEASE_RINGS && ring > 0) {
		ring--;
		if (lease->rings & 1u << ring) {
			return ring;
		}
	}
	return own;
}

static bool admits(const struct decide_inputs *in, uint32_t ring)
{
	ring = ring_of(&in->lease, ring);
	return ring < LEASE_RINGS && in->bucket < in->lease.bound[ring];
}

/* Who chose `late' is not earlier than who chose nothing, whatever a lease
 * says of the rings. */
static bool covers(const struct deciding *d, uint32_t index)
{
	uint32_t ring = policy_of(d, index)->ring;

	return admits(d->in, ring) &&
	       (ring <= LEASE_GENERAL || admits(d->in, LEASE_GENERAL));
}

static void look_at_lease(struct deciding *d)
{
	const struct decide_inputs *in = d->in;
	const struct decide_lease *lease = &in->lease;
	uint32_t spread = DECIDE_POLL_S;

	d->out.poll_s = DECIDE_POLL_S;
	d->live = lease->given && lease->age_s < lease->life_s &&
		  in->now_s < lease->valid_until_s;
	if (d->live) {
		d->out.poll_s = lease->poll_s;
		spread = lease->jitter_s;
		d->jump_s = jump(in);
		d->out.accepted = !d->jump_s;
		d->out.admitted = d->out.accepted &&
				  lease->release != DECIDE_NONE &&
				  covers(d, lease->release);
	}
	d->out.poll_s += (uint32_t)(in->bucket % (spread + 1));
}

/* ---- going back: no lease is needed for that ---- */

/* Good here before, and nobody says that it is not. */
static bool may_go_back_to(const struct deciding *d, uint32_t index,
			   uint64_t most)
{
	const struct decide_version *v = at(d, index);
	const struct decide_version *running = at(d, d->in->running);
	uint64_t cut = policy_of(d, index)->override_revert;

	return index != d->in->running && v->state == DECIDE_GOOD &&
	       !is(v, DECIDE_IS_REVOKED) && !is(v, DECIDE_IS_BARRED) &&
	       !is(v, DECIDE_IS_MISFIT) && v->number <= most &&
	       v->number < running->number && v->number >= running->floor &&
	       (!cut || v->number < cut);
}

/* The newest of them with at most this number, or DECIDE_NONE. */
static uint32_t newest_good(const struct deciding *d, uint64_t most)
{
	uint32_t best = DECIDE_NONE;

	for (uint32_t i = 0; i < d->in->versions; i++) {
		if (may_go_back_to(d, i, most) &&
		    (best == DECIDE_NONE ||
		     at(d, i)->number > at(d, best)->number)) {
			best = i;
		}
	}
	return best;
}

static bool go_back(struct deciding *d, enum decide_reason reason,
		    uint64_t most)
{
	uint32_t target = newest_good(d, most);

	if (target == DECIDE_NONE) {
		return hold(d, DECIDE_BECAUSE_NO_OTHER, d->in->running, 0);
	}
	return say(d, DECIDE_DO_REVERT, reason, target, 0);
}

/* The gate says to go back, and that concerns what runs. Who pinned himself
 * to it knows better; who said that nothing is to change, too. While there is
 * nowhere to go, nothing newer comes either. */
static bool roll_back(struct deciding *d, const struct decide_version *running)
{
	const struct decide_lease *lease = &d->in->lease;
	const struct policy *policy = policy_of(d, d->in->running);
	bool named = d->in->running == lease->release ||
		     is(running, DECIDE_IS_HALTED);
	uint64_t most = UINT64_MAX;

	if (!d->live || !lease->roll_back || policy->override_pause ||
	    (policy->pin == POLICY_PINNED &&
	     d->in->pinned[running->class] == d->in->running)) {
		return false;
	}
	if (lease->back == DECIDE_NONE) {
		return named && go_back(d, DECIDE_BECAUSE_ROLL_BACK, most);
	}
	if (running->number <= at(d, lease->back)->number) {
		return false;
	}
	if (!named ||
	    newest_good(d, at(d, lease->back)->number) != DECIDE_NONE) {
		most = at(d, lease->back)->number;
	}
	return go_back(d, DECIDE_BECAUSE_ROLL_BACK, most);
}

/* Whether what runs must go, whatever else there is. */
static bool must_go(struct deciding *d)
{
	const struct decide_version *running = at(d, d->in->running);
	uint64_t cut;

	if (!running) {
		return false;
	}
	if (is(running, DECIDE_IS_REVOKED)) {
		return go_back(d, DECIDE_BECAUSE_REVOKED, UINT64_MAX);
	}
	if (running->state == DECIDE_QUARANTINED) {
		return go_back(d, DECIDE_BECAUSE_QUARANTINED, UINT64_MAX);
	}
	if (is(running, DECIDE_IS_BARRED)) {
		return go_back(d, DECIDE_BECAUSE_QUARANTINED_THERE,
			       UINT64_MAX);
	}
	if (running->state == DECIDE_TRIAL &&
	    d->in->verdict == HEALTH_REVERT) {
		return go_back(d, DECIDE_BECAUSE_TRIAL_FAULT, UINT64_MAX);
	}
	cut = policy_of(d, d->in->running)->override_revert;
	if (cut && running->number >= cut) {
		return go_back(d, DECIDE_BECAUSE_OVERRIDE_REVERT, cut - 1);
	}
	return roll_back(d, running);
}

/* ---- what runs is on trial ---- */

/* After its bake time a trial that only lacks events may be followed by a
 * newer version: a quiet host would stand still for ever. */
static bool on_trial(struct deciding *d)
{
	const struct decide_version *running = at(d, d->in->running);
	uint32_t bake_s;

	if (!running || running->state != DECIDE_TRIAL) {
		return false;
	}
	bake_s = decide_bake_s(running, &d->in->limits);
	if (d->in->trial_s < bake_s) {
		return hold(d, DECIDE_BECAUSE_ON_TRIAL, d->in->running,
			    bake_s - d->in->trial_s);
	}
	return d->in->verdict == HEALTH_GOOD &&
	       say(d, DECIDE_DO_NONE, DECIDE_BECAUSE_TRIAL_GOOD,
		   d->in->running, 0);
}

/* ---- which version ---- */

struct candidate {
	uint32_t index;
	bool local;             /* without a gate */
};

/* The newest whose class is the administrator's own affair. */
static uint32_t newest_local(const struct deciding *d)
{
	uint32_t best = DECIDE_NONE;

	for (uint32_t i = 0; i < d->in->versions; i++) {
		if (policy_of(d, i)->channel == POLICY_LOCAL &&
		    (best == DECIDE_NONE ||
		     at(d, i)->number > at(d, best)->number)) {
			best = i;
		}
	}
	return best;
}

/* Of its class, the one that is n numbers older. */
static uint32_t behind(const struct deciding *d, uint32_t index, uint32_t n)
{
	for (; n > 0 && index != DECIDE_NONE; n--) {
		uint32_t best = DECIDE_NONE;

		for (uint32_t i = 0; i < d->in->versions; i++) {
			if (at(d, i)->class == at(d, index)->class &&
			    at(d, i)->number < at(d, index)->number &&
			    (best == DECIDE_NONE ||
			     at(d, i)->number > at(d, best)->number)) {
				best = i;
			}
		}
		index = best;
	}
	return index;
}

/* Nothing that could be chosen: why. */
static void nothing(struct deciding *d)
{
	bool gate = false;

	for (uint32_t i = 0; i < LEASE_CLASSES; i++) {
		gate = gate || d->policy[i].channel == POLICY_GATE;
	}
	if (!gate) {
		(void)say(d, DECIDE_DO_NONE, DECIDE_BECAUSE_NOTHING,
			  DECIDE_NONE, 0);
	} else if (!d->in->lease.given) {
		(void)hold(d, DECIDE_BECAUSE_NO_LEASE, DECIDE_NONE, 0);
	} else if (!d->live) {
		(void)hold(d, DECIDE_BECAUSE_LEASE_EXPIRED, DECIDE_NONE, 0);
	} else {
		(void)hold(d, DECIDE_BECAUSE_UNKNOWN, DECIDE_NONE,
			   DECIDE_RETRY_S);
	}
}

/* A pin to a version that was good here needs no lease. */
static bool pinned_running(const struct deciding *d)
{
	return d->in->running != DECIDE_NONE &&
	       policy_of(d, d->in->running)->pin == POLICY_PINNED;
}

/* The release, or what the administrator brought; then the customer's pin.
 * True: decided already. */
static bool choose(struct deciding *d, struct candidate *ret_choice)
{
	uint32_t release = d->in->lease.given ? d->in->lease.release
					      : DECIDE_NONE;
	uint32_t local = newest_local(d), index = DECIDE_NONE;
	const struct policy *policy;

	if (release != DECIDE_NONE &&
	    policy_of(d, release)->channel == POLICY_GATE) {
		index = release;
	}
	ret_choice->local = local != DECIDE_NONE &&
		(index == DECIDE_NONE ||
		 at(d, local)->number > at(d, index)->number);
	index = ret_choice->local ? local : index;
	if (index == DECIDE_NONE && pinned_running(d)) {
		index = d->in->running;
	}
	if (index == DECIDE_NONE) {
		nothing(d);
		return true;
	}
	policy = policy_of(d, index);
	if (policy->pin == POLICY_PINNED) {
		index = d->in->pinned[at(d, index)->class];
	} else if (policy->pin == POLICY_BEHIND) {
		index = behind(d, index, policy->behind);
	}
	if (index == DECIDE_NONE) {
		(void)hold(d, policy->pin == POLICY_PINNED
			   ? DECIDE_BECAUSE_PIN_UNKNOWN
			   : DECIDE_BECAUSE_BEHIND, DECIDE_NONE, 0);
		return true;
	}
	ret_choice->index = index;
	return false;
}

/* How the choice stands to what runs. */
static bool compare(struct deciding *d, const struct candidate *choice)
{
	const struct decide_version *v = at(d, choice->index);
	const struct decide_version *running = at(d, d->in->running);
	const struct policy *policy = policy_of(d, choice->index);
	bool pinned = policy->pin == POLICY_PINNED;

	if (choice->index == d->in->running) {
		if (running->state == DECIDE_TRIAL) {
			return hold(d, DECIDE_BECAUSE_ON_TRIAL,
				    choice->index, 0);
		}
		return say(d, DECIDE_DO_NONE, pinned ? DECIDE_BECAUSE_PINNED
			   : DECIDE_BECAUSE_CURRENT, choice->index, 0);
	}
	if (policy->broken) {
		return hold(d, DECIDE_BECAUSE_POLICY_BROKEN, choice->index,
			    0);
	}
	if (policy->override_pause) {
		return hold(d, DECIDE_BECAUSE_OVERRIDE_PAUSE, choice->index,
			    0);
	}
	if (policy->override_revert &&
	    v->number >= policy->override_revert) {
		return hold(d, DECIDE_BECAUSE_OVERRIDE_REVERT, choice->index,
			    0);
	}
	if (running && v->number < running->floor &&
	    (pinned || v->number > running->number)) {
		return hold(d, DECIDE_BECAUSE_BELOW_FLOOR, choice->index, 0);
	}
	if (!running || v->number > running->number) {
		return false;
	}
	if (!pinned || v->number == running->number) {
		return say(d, DECIDE_DO_NONE, DECIDE_BECAUSE_NEWER_RUNS,
			   choice->index, 0);
	}
	return may_go_back_to(d, choice->index, UINT64_MAX) &&
	       say(d, DECIDE_DO_REVERT, DECIDE_BECAUSE_PINNED, choice->index,
		   0);
}

/* ---- what stands against it ---- */

/* Policy.json's bounds of data. The administrator's own is not bounded by a
 * publisher that he may not have. */
static bool beyond_limits(struct deciding *d, const struct candidate *choice)
{
	const struct decide_version *v = at(d, choice->index);
	const struct decide_limits *limits = &d->in->limits;

	if (v->class != VERSION_DATA || (choice->local && !limits->given)) {
		return false;
	}
	if (!limits->given) {
		return hold(d, DECIDE_BECAUSE_NO_LIMITS, choice->index, 0);
	}
	return (is(v, DECIDE_IS_FOREIGN) || v->bytes > limits->max_bytes ||
		v->files > limits->max_files ||
		v->bake_s < limits->min_bake_s ||
		v->min_events < limits->min_events) &&
	       hold(d, DECIDE_BECAUSE_LIMITS, choice->index, 0);
}

static bool refused(struct deciding *d, const struct candidate *choice)
{
	static const struct {
		enum decide_flag flag;
		enum decide_reason reason;
	} table[] = {
		{ DECIDE_IS_REVOKED, DECIDE_BECAUSE_REVOKED },
		{ DECIDE_IS_BARRED, DECIDE_BECAUSE_QUARANTINED_THERE },
		{ DECIDE_IS_HALTED, DECIDE_BECAUSE_HALTED },
		{ DECIDE_IS_EXPIRED, DECIDE_BECAUSE_EXPIRED },
		{ DECIDE_IS_MISFIT, DECIDE_BECAUSE_SCHEMA },
	};
	const struct decide_version *v = at(d, choice->index);

	if (v->state == DECIDE_QUARANTINED) {
		return hold(d, DECIDE_BECAUSE_QUARANTINED, choice->index, 0);
	}
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (is(v, table[i].flag)) {
			return hold(d, table[i].reason, choice->index, 0);
		}
	}
	return beyond_limits(d, choice);
}

/* The gate. One that is not the release (pinned, or behind) must have been
 * this host's turn when it was. */
static bool not_leased(struct deciding *d, const struct candidate *choice)
{
	const struct decide_inputs *in = d->in;

	if (choice->local) {
		return false;
	}
	if (!in->lease.given) {
		return hold(d, DECIDE_BECAUSE_NO_LEASE, choice->index, 0);
	}
	if (!d->live) {
		return hold(d, DECIDE_BECAUSE_LEASE_EXPIRED, choice->index,
			    0);
	}
	if (choice->index != in->lease.release) {
		return !is(at(d, choice->index), DECIDE_IS_LEASED) &&
		       hold(d, DECIDE_BECAUSE_NOT_ADMITTED, choice->index, 0);
	}
	if (d->jump_s) {
		return hold(d, DECIDE_BECAUSE_LEASE_JUMP, choice->index,
			    d->jump_s);
	}
	return !covers(d, choice->index) &&
	       hold(d, DECIDE_BECAUSE_NOT_ADMITTED, choice->index, 0);
}

/* Steps before its activation: these may be taken while the customer's delay
 * or window is waited for. ret_go: the reason to go on. */
static bool prepare(struct deciding *d, const struct candidate *choice,
		    enum decide_reason *ret_go)
{
	const struct decide_version *v = at(d, choice->index);
	const struct decide_lease *lease = &d->in->lease;
	enum decide_reason go = choice->local ? DECIDE_BECAUSE_LOCAL_GO
					      : DECIDE_BECAUSE_GO;

	if (v->retry_s) {
		return hold(d, DECIDE_BECAUSE_RETRY, choice->index,
			    v->retry_s);
	}
	if (policy_of(d, choice->index)->pause) {
		return hold(d, DECIDE_BECAUSE_PAUSED, choice->index, 0);
	}
	if (v->state <= DECIDE_FETCHED) {
		return say(d, DECIDE_DO_FETCH, go, choice->index, 0);
	}
	if (d->in->unhealthy) {
		return hold(d, DECIDE_BECAUSE_UNHEALTHY, choice->index,
			    DECIDE_RETRY_S);
	}
	*ret_go = go;
	if (v->state != DECIDE_VERIFIED) {
		return false;
	}
	if (d->in->affordable) {
		return say(d, DECIDE_DO_PREFLIGHT, go, choice->index, 0);
	}
	*ret_go = DECIDE_BECAUSE_PASSED_ELSEWHERE;
	return (choice->local || choice->index != lease->release ||
		!lease->passes_needed ||
		lease->passes < lease->passes_needed) &&
	       hold(d, DECIDE_BECAUSE_UNAFFORDABLE, choice->index,
		    DECIDE_RETRY_S);
}

static bool not_now(struct deciding *d, uint32_t index)
{
	const struct decide_inputs *in = d->in;
	const struct decide_version *v = at(d, index);
	const struct policy *policy = policy_of(d, index);
	uint32_t wait_s;

	if (v->seen_s < policy->delay_s) {
		return hold(d, DECIDE_BECAUSE_DELAYED, index,
			    policy->delay_s - v->seen_s);
	}
	if (v->class == VERSION_DATA && in->data_known && in->limits.given &&
	    in->data_age_s < in->limits.min_interval_s) {
		return hold(d, DECIDE_BECAUSE_INTERVAL, index,
			    in->limits.min_interval_s - in->data_age_s);
	}
	return !policy_window_open(&policy->window, in->weekday, in->minute,
				   &wait_s) &&
	       hold(d, DECIDE_BECAUSE_WINDOW, index, wait_s);
}

struct decision decide(const struct decide_inputs *inputs)
{
	struct deciding d = {
		.in = inputs,
		.out = { .action = DECIDE_DO_HOLD, .target = DECIDE_NONE,
			 .reason = DECIDE_BECAUSE_INPUT,
			 .poll_s = DECIDE_POLL_S }
	};
	struct candidate choice = { .index = 0 };
	enum decide_reason go = DECIDE_BECAUSE_GO;

	if (!decide_sound(inputs)) {
		return d.out;
	}
	for (uint32_t i = 0; i < LEASE_CLASSES; i++) {
		policy_effective(&inputs->policy[i], &d.policy[i]);
	}
	look_at_lease(&d);
	if (must_go(&d) || on_trial(&d) || choose(&d, &choice) ||
	    compare(&d, &choice) || refused(&d, &choice) ||
	    not_leased(&d, &choice) || prepare(&d, &choice, &go) ||
	    not_now(&d, choice.index)) {
		return d.out;
	}
	(void)say(&d, DECIDE_DO_ACTIVATE, go, choice.index, 0);
	return d.out;
}
