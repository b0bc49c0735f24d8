/* SPDX-License-Identifier: Apache-2.0 */
#include "update/updater_meter.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

struct flow {
	struct meter *meter;
	fetch_sink sink;
	void *context;
	const char *over;       /* which bound ended it; null: none */
};

static int flow_take(void *context, uint64_t offset, const void *bytes,
		     size_t n)
{
	struct flow *flow = context;
	struct meter *meter = flow->meter;

	meter->bytes += n;
	if (n > meter->left) {
		flow->over = "more bytes than a try may fetch";
		return -EFBIG;
	}
	meter->left -= n;
	if (mono_between(mono_now(), meter->end) == 0) {
		flow->over = "it took longer than a try may";
		return -ETIMEDOUT;
	}
	return flow->sink(flow->context, offset, bytes, n);
}

static int meter_get(struct fetch *f, const char *name, uint64_t from,
		     uint64_t maximum, fetch_sink sink, void *context)
{
	struct meter *meter = (struct meter *)f;
	struct flow flow = { .meter = meter, .sink = sink,
			     .context = context };
	int r;

	if (mono_between(mono_now(), meter->end) == 0) {
		text_format(f->why, sizeof(f->why),
			    "it took longer than a try may");
		return -ETIMEDOUT;
	}
	r = meter->inner->get(meter->inner, name, from, maximum, flow_take,
			      &flow);
	if (r != 0) {
		memcpy(f->why, meter->inner->why, sizeof(f->why));
	}
	if (flow.over) {
		text_format(f->why, sizeof(f->why), "%s", flow.over);
	}
	meter->files += r == 0;
	return r;
}

static void meter_free(struct fetch *f)
{
	(void)f;                /* its owner ends with it */
}

void meter_init(struct meter *ret_meter, struct fetch *inner, uint64_t most,
		uint64_t seconds)
{
	*ret_meter = (struct meter){
		.base = { .get = meter_get, .free = meter_free },
		.inner = inner,
		.left = most,
		.end = mono_add(mono_now(), seconds * MONO_S),
	};
}
