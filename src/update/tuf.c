/* SPDX-License-Identifier: Apache-2.0 */
#include "update/tuf.h"

#include <fcntl.h>
#include <string.h>

#include "base/mono.h"
#include "base/text.h"
#include "update/tuf_internal.h"

static int64_t wall_clock(void *context)
{
	return (int64_t)(wall_now_ns() / MONO_S);
}

int tuf_open(const char *folder, struct tuf **ret_tuf)
{
	struct tuf *tuf = calloc(1, sizeof(*tuf));
	int r;

	if (!tuf) {
		return -ENOMEM;
	}
	tuf->now = wall_clock;
	tuf->folder = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (tuf->folder < 0) {
		r = result_errno();
		free(tuf);
		return r;
	}
	*ret_tuf = tuf;
	return 0;
}

static void forget(struct tuf *tuf)
{
	for (size_t i = 0; i < TUF_TARGETS; i++) {
		tuf_meta_fini(&tuf->meta[i]);
	}
	tuf_kept_fini(&tuf->targets);
	for (size_t i = 0; i < tuf->kept_count; i++) {
		tuf_kept_fini(&tuf->kept[i]);
	}
	tuf->kept_count = 0;
	tuf->fresh = false;
}

void tuf_close(struct tuf *tuf)
{
	if (tuf) {
		forget(tuf);
		close(tuf->folder);
		free(tuf);
	}
}

const char *tuf_why(const struct tuf *tuf)
{
	return tuf->why;
}

void tuf_clock(struct tuf *tuf, int64_t (*now)(void *context), void *context)
{
	tuf->now = now;
	tuf->now_context = context;
}

int tuf_has_root(const struct tuf *tuf)
{
	return faccessat(tuf->folder, "root.json", R_OK, 0) == 0;
}

/* The trusted root is these very bytes. */
static int same_root(struct tuf *tuf, const uint8_t *root, size_t length)
{
	cleanup_free uint8_t *bytes = NULL;
	struct tuf_stamp stamp;
	size_t n;

	return tuf_store_read(tuf, "root.json", TUF_ROOT_MAX, &bytes, &n,
			      &stamp) == 0 &&
	       n == length && memcmp(bytes, root, n) == 0;
}

static int init_locked(struct tuf *tuf, const uint8_t *root, size_t length,
		       bool replace)
{
	cleanup_meta struct tuf_meta meta = { .tree = NULL };
	int r;

	if (same_root(tuf, root, length)) {
		return 0;
	}
	if (tuf_has_root(tuf) && !replace) {
		return tuf_fail(tuf, -EEXIST, "the folder has a trusted root");
	}
	r = tuf_meta_read(tuf, TUF_ROOT, "root", root, length, &meta);
	r = r ? r : tuf_verify_top(tuf, "root", meta.tree, meta.tree,
				   TUF_ROOT);
	/* What the old root vouched for goes first: without it any root is
	 * safe to start from. */
	r = r ? r : tuf_store_remove(tuf, "timestamp.json");
	r = r ? r : tuf_store_remove(tuf, "snapshot.json");
	r = r ? r : tuf_store_remove(tuf, "targets.json");
	r = r ? r : tuf_store_write(tuf, "root.json", root, length,
				    &meta.stamp);
	if (r == 0) {
		forget(tuf);
	}
	return r;
}

int tuf_init(struct tuf *tuf, const void *root, size_t length, bool replace)
{
	int r = tuf_store_lock(tuf);

	if (r == 0) {
		r = init_locked(tuf, root, length, replace);
		tuf_store_unlock(tuf);
	}
	return r;
}

int tuf_refresh(struct tuf *tuf, struct fetch *metadata)
{
	int r = tuf_store_lock(tuf);

	if (r == 0) {
		r = tuf_refresh_locked(tuf, metadata);
		tuf_store_unlock(tuf);
	}
	return r;
}

static void add_fact(struct tuf_fact *facts, size_t size, size_t *count,
		     const char *role, const struct tuf_meta *meta)
{
	if (!meta->tree) {
		return;
	}
	if (*count < size) {
		struct tuf_fact *fact = &facts[*count];

		text_format(fact->role, sizeof(fact->role), "%s", role);
		fact->version = (uint64_t)meta->version;
		fact->expires = meta->expires;
	}
	++*count;
}

size_t tuf_facts(const struct tuf *tuf, struct tuf_fact *ret_facts,
		 size_t size)
{
	size_t count = 0;

	for (int kind = 0; kind < TUF_TARGETS; kind++) {
		add_fact(ret_facts, size, &count,
			 tuf_kind_name((enum tuf_kind)kind), &tuf->meta[kind]);
	}
	add_fact(ret_facts, size, &count, "targets", &tuf->targets.meta);
	for (size_t i = 0; i < tuf->kept_count; i++) {
		add_fact(ret_facts, size, &count, tuf->kept[i].name,
			 &tuf->kept[i].meta);
	}
	return count;
}
