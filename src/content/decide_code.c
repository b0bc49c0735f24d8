/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inputs as bytes. One walk over the fields does both ways, so that they
 * cannot differ. Numbers are little-endian groups of seven bits, the shortest
 * form only; an index is one more than it is, 0 for none.
 */
#include <string.h>

#include "content/decide.h"

struct code {
	uint8_t *at, *end;
	bool writing, failed;
};

static void code_u64(struct code *c, uint64_t *value)
{
	uint64_t v = c->writing ? *value : 0;

	for (unsigned shift = 0; shift < 64; shift += 7) {
		if (c->at == c->end) {
			break;
		}
		if (c->writing) {
			*c->at = (uint8_t)(v >> shift & 0x7f);
			if (shift < 63 && v >> shift >> 7) {
				*c->at++ |= 0x80;
				continue;
			}
			c->at++;
			return;
		}
		if (shift == 63 && *c->at > 1) {
			break;
		}
		v |= (uint64_t)(*c->at & 0x7f) << shift;
		if (*c->at++ & 0x80) {
			continue;
		}
		if (shift && !c->at[-1]) {
			break;
		}
		*value = v;
		return;
	}
	c->failed = true;
}

static void code_u32(struct code *c, uint32_t *value)
{
	uint64_t wide = *value;

	code_u64(c, &wide);
	c->failed = c->failed || wide > UINT32_MAX;
	*value = (uint32_t)wide;
}

static void code_time(struct code *c, int64_t *value)
{
	uint64_t wide = (uint64_t)*value;

	code_u64(c, &wide);
	c->failed = c->failed || wide > INT64_MAX;
	*value = (int64_t)wide;
}

static void code_index(struct code *c, uint32_t *value)
{
	uint32_t more = *value + 1;     /* DECIDE_NONE: 0 */

	code_u32(c, &more);
	*value = more - 1;
}

static void code_rings(struct code *c, uint32_t value[LEASE_RINGS])
{
	for (uint32_t i = 0; i < LEASE_RINGS; i++) {
		code_u32(c, &value[i]);
	}
}

static void code_lease(struct code *c, struct decide_lease *lease)
{
	code_u32(c, &lease->given);
	code_index(c, &lease->release);
	code_u32(c, &lease->roll_back);
	code_index(c, &lease->back);
	for (uint32_t i = 0; i < LEASE_RINGS; i++) {
		code_u64(c, &lease->bound[i]);
	}
	code_u32(c, &lease->rings);
	code_rings(c, lease->dwell_s);
	code_u32(c, &lease->poll_s);
	code_u32(c, &lease->jitter_s);
	code_u32(c, &lease->passes);
	code_u32(c, &lease->passes_needed);
	code_time(c, &lease->valid_until_s);
	code_u32(c, &lease->age_s);
	code_u32(c, &lease->life_s);
}

static void code_prior(struct code *c, struct decide_prior *prior)
{
	code_u32(c, &prior->known);
	code_u32(c, &prior->same);
	code_u32(c, &prior->reach);
	code_u32(c, &prior->rings);
	code_rings(c, prior->dwell_s);
	code_u32(c, &prior->age_s);
}

/* Small ones share a number: how many values each has. */
static void code_policy(struct code *c, struct policy *policy)
{
	struct {
		uint32_t *field, values;
	} small[] = {
		{ &policy->ring, LEASE_RINGS }, { &policy->pause, 2 },
		{ &policy->pin, 3 }, { &policy->behind, 3 },
		{ &policy->channel, 2 }, { &policy->override_allow, 2 },
		{ &policy->override_pause, 2 }, { &policy->broken, 2 },
		{ &policy->window.days, 128 },
	};
	uint32_t all = 0, count = sizeof(small) / sizeof(small[0]);

	for (uint32_t i = count; c->writing && i-- > 0; ) {
		all = all * small[i].values + *small[i].field;
	}
	code_u32(c, &all);
	for (uint32_t i = 0; i < count; i++) {
		*small[i].field = all % small[i].values;
		all /= small[i].values;
	}
	c->failed = c->failed || all;
	code_u32(c, &policy->delay_s);
	code_u64(c, &policy->override_revert);
	code_u32(c, &policy->window.from_min);
	code_u32(c, &policy->window.to_min);
}

static void code_version(struct code *c, struct decide_version *v)
{
	uint32_t all = (v->flags * LEASE_CLASSES + v->class) * DECIDE_STATES +
		       v->state;

	code_u64(c, &v->number);
	code_u64(c, &v->floor);
	code_u32(c, &all);
	v->state = all % DECIDE_STATES;
	v->class = all / DECIDE_STATES % LEASE_CLASSES;
	v->flags = all / DECIDE_STATES / LEASE_CLASSES;
	code_u32(c, &v->files);
	code_u64(c, &v->bytes);
	code_u32(c, &v->bake_s);
	code_u32(c, &v->min_events);
	code_u32(c, &v->seen_s);
	code_u32(c, &v->retry_s);
}

static void code_limits(struct code *c, struct decide_limits *limits)
{
	code_u32(c, &limits->given);
	code_u32(c, &limits->max_files);
	code_u64(c, &limits->max_bytes);
	code_u32(c, &limits->min_interval_s);
	code_u32(c, &limits->min_bake_s);
	code_u32(c, &limits->min_events);
}

static void walk(struct code *c, struct decide_inputs *in)
{
	uint32_t format = DECIDE_FORMAT;

	code_u32(c, &format);
	c->failed = c->failed || format != DECIDE_FORMAT;
	code_time(c, &in->now_s);
	code_u32(c, &in->trust);
	code_u32(c, &in->weekday);
	code_u32(c, &in->minute);
	code_lease(c, &in->lease);
	code_prior(c, &in->prior);
	for (uint32_t i = 0; i < LEASE_CLASSES; i++) {
		code_policy(c, &in->policy[i]);
		code_index(c, &in->pinned[i]);
	}
	code_u64(c, &in->bucket);
	code_u32(c, &in->unhealthy);
	code_u32(c, &in->affordable);
	code_u32(c, &in->versions);
	c->failed = c->failed || in->versions > DECIDE_VERSIONS;
	for (uint32_t i = 0; !c->failed && i < in->versions; i++) {
		code_version(c, &in->version[i]);
	}
	code_index(c, &in->running);
	code_u32(c, &in->verdict);
	code_u32(c, &in->trial_s);
	code_limits(c, &in->limits);
	code_u32(c, &in->data_known);
	code_u32(c, &in->data_age_s);
}

int decide_encode(const struct decide_inputs *inputs, void *ret_bytes,
		  size_t size)
{
	struct decide_inputs in = *inputs;
	struct code c = { .at = ret_bytes, .writing = true };

	if (!decide_sound(inputs)) {
		return -EINVAL;
	}
	c.end = c.at + size;
	walk(&c, &in);
	return c.failed ? -ENOSPC : (int)(c.at - (uint8_t *)ret_bytes);
}

int decide_decode(const void *bytes, size_t length,
		  struct decide_inputs *ret_inputs)
{
	struct decide_inputs in;
	uint8_t copy[DECIDE_BYTES];
	struct code c = { .at = copy };

	if (length > sizeof(copy)) {
		return -EBADMSG;
	}
	memcpy(copy, bytes, length);
	c.end = copy + length;
	memset(&in, 0, sizeof(in));
	walk(&c, &in);
	if (c.failed || c.at != c.end || !decide_sound(&in)) {
		return -EBADMSG;
	}
	*ret_inputs = in;
	return 0;
}
