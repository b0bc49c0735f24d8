/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON to a role: any bytes are refused with a reason, or give metadata in
 * which everything that the client asks for later is there. The first byte says
 * of which kind: r, t, s, g (targets).
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "update/tuf_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int condition)
{
	if (!condition) {
		abort();
	}
}

/* By the keys that it names itself: nothing may break, whatever they are. */
static void use_root(struct tuf *tuf, const struct tuf_meta *meta)
{
	for (int kind = 0; kind < TUF_KINDS; kind++) {
		int r = tuf_verify_top(tuf, "f", meta->tree, meta->tree,
				       (enum tuf_kind)kind);

		require(r == 0 || r == -EKEYREJECTED || r == -ENOMEM);
	}
}

static void use_listing(struct tuf *tuf, const struct tuf_meta *meta,
			const char *role)
{
	struct tuf_listed listed;
	int r = tuf_listed_read(tuf, meta->tree, role, &listed);

	require(r == 0 || r == -EBADMSG);
	if (r == 0) {
		require(listed.version >= 1 && listed.length != 0);
		(void)tuf_listed_fits(&listed, meta);
	}
}

static void use_targets(struct tuf *tuf, const struct tuf_meta *meta)
{
	const json_t *body = tuf_signed(meta->tree);
	const json_t *delegations = json_object_get(body, "delegations");
	const json_t *roles = json_object_get(delegations, "roles");

	require(json_is_object(json_object_get(body, "targets")));
	for (size_t i = 0; i < json_array_size(roles); i++) {
		const json_t *one = json_array_get(roles, i);
		char stored[TUF_FILE];

		(void)tuf_pattern_trusted(one, "a/path.txt");
		require(json_is_string(json_object_get(one, "name")));
		if (tuf_store_name(json_string_value(json_object_get(
					   one, "name")), stored) == 0) {
			require(!strchr(stored, '/') && stored[0]);
		}
		(void)!tuf_verify(tuf, "f", meta->tree,
				  json_object_get(delegations, "keys"), one);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char kinds[] = "rtsg";
	static struct tuf tuf;
	cleanup_meta struct tuf_meta meta = { .tree = NULL };
	const char *kind = size ? strchr(kinds, data[0]) : NULL;
	int r;

	if (!kind || !*kind) {
		return 0;
	}
	tuf.why[0] = '\0';
	r = tuf_meta_read(&tuf, (enum tuf_kind)(kind - kinds), "f", data + 1,
			  size - 1, &meta);
	require(!r == !!meta.tree && (r == 0 || tuf.why[0]));
	if (r < 0) {
		require(r == -EBADMSG || r == -EFBIG || r == -ENOMEM);
		return 0;
	}
	require(meta.version >= 1 && meta.length == size - 1);
	switch (*kind) {
	case 'r': use_root(&tuf, &meta); break;
	case 't': use_listing(&tuf, &meta, "snapshot"); break;
	case 's': use_listing(&tuf, &meta, "targets"); break;
	default: use_targets(&tuf, &meta);
	}
	return 0;
}
