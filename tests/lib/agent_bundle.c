/* SPDX-License-Identifier: Apache-2.0 */
/* What a site brings to the host of lib/agent_host.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "lib/agent_host.h"
#include "lib/site.h"

void host_file(const char *dir, const char *name, const void *bytes,
		       size_t length)
{
	char path[256];
	FILE *out;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	out = fopen(path, "we");
	assert_non_null(out);
	assert_int_equal(fwrite(bytes, 1, length, out), length);
	fclose(out);
}

void host_dir(const char *dir, const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	assert_true(mkdir(path, 0755) == 0 || errno == EEXIST);
}

void host_key(struct host *host)
{
	char path[256];

	assert_int_equal(key_generate(KEY_ED25519, &host->key), 0);
	snprintf(path, sizeof(path), "%s/etc/site-keys.d/site.json",
		 host->dir);
	site_write_key(path, host->key);
}

void host_bundle(struct host *host, const struct host_version *v,
		 char ret_path[128], uint8_t ret_hash[32])
{
	char version[32];
	struct site_version one = {
		.product = host->options.name, .schema = "test/1",
		.name = version, .rules = v->rules, .number = v->number,
		.fields = v->fields, .bake_s = v->bake_s,
		.min_events = v->min_events,
	};

	memcpy(one.corpus, v->corpus, sizeof(one.corpus));
	snprintf(version, sizeof(version), "v%u", v->number);
	snprintf(ret_path, 128, "%s/bundle%u", host->dir, v->number);
	site_write(ret_path, &one, host->key, ret_hash);
}
