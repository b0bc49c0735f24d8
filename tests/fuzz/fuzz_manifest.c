/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Manifests and bailey.conf: every text is refused with a reason, or gives a
 * struct whose strings end and whose numbers are within their bounds.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "proto/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int condition)
{
	if (!condition) {
		abort();
	}
}

#define ENDS(field) require(memchr(field, '\0', sizeof(field)) != NULL)

static void check_manifest(const struct manifest *m)
{
	ENDS(m->name);
	ENDS(m->title);
	ENDS(m->vendor);
	ENDS(m->exec);
	ENDS(m->content);
	require(!m->exec[0] || m->exec[0] == '/');
	for (unsigned i = 0; i < 4; i++) {
		ENDS(m->argument[i]);
	}
	for (unsigned i = 0; i < MANIFEST_DENY_PREFIXES; i++) {
		ENDS(m->may_deny[i]);
		require(!m->may_deny[i][0] || !m->may_deny_asked);
	}
	for (unsigned i = 0; i < MANIFEST_EVENTS; i++) {
		require(!m->ask[i].kind || (m->ask[i].deadline_ms >= 1 &&
					    m->ask[i].deadline_ms <= 10000));
	}
	require(m->hold >= 1 && m->hold <= WIRE_SLOTS);
	require(m->mode <= BAILEY_MODE_ENFORCE && m->on_miss <= 2);
	require(m->max_denials && m->max_denials_window_s);
}

static void tell(void *context, const struct config_value *value)
{
	require(value->value[0] != '\0');
	require(!value->file == !value->line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct manifest_error error = { "" };
	struct manifest m;
	struct config c;
	int r;

	manifest_defaults(&m);
	r = manifest_parse((const char *)data, size, "f", &m, &error);
	require(!r || ((r == -EBADMSG || r == -E2BIG) && error.text[0]));
	check_manifest(&m);
	r = manifest_check(&m, "f", &error);
	require(!r || r == -EBADMSG);
	config_defaults(&c);
	error.text[0] = '\0';
	r = config_parse((const char *)data, size, "f", &c, &error);
	require(!r || ((r == -EBADMSG || r == -E2BIG) && error.text[0]));
	config_each(&c, tell, NULL);
	return 0;
}
