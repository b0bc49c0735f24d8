/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check_client.c - the last word: what a host's own client says
 *
 * In a folder of the workspace, from the first root on, as a host that was
 * never online does it.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/text.h"
#include "publish/check.h"
#include "update/tuf.h"

#define FOLDER "client"

struct visit {
	struct check *c;
	struct tuf *tuf;
	struct fetch *metadata, *targets;
};

/* Found by a search and fetched, as a host does it. */
static int fetch_one(struct visit *v, const char *path)
{
	cleanup_free uint8_t *bytes = NULL;
	struct tuf_target target;
	size_t length;
	int r = tuf_find(v->tuf, v->metadata, path, &target);

	if (r == TUF_NO_TARGET) {
		check_find(v->c, "bad", path, "a client does not find it");
		return 0;
	}
	r = r ? r : tuf_target_bytes(v->tuf, v->targets, &target,
				     VERSION_BYTES, &bytes, &length);
	if (r) {
		check_find(v->c, "bad", path, "a client refuses it: %s",
			   tuf_why(v->tuf));
	}
	return r;
}

static int fetch_all(struct visit *v)
{
	int r = 0;

	for (int i = PUB_TARGETS; r == 0 && i < PUB_DRAFTS; i++) {
		json_t *all = json_object_get(json_object_get(
			v->c->p->doc[i].released, "signed"), "targets");
		const char *path;
		json_t *target;

		json_object_foreach(all, path, target) {
			r = r || pub_interrupted() ? r : fetch_one(v, path);
		}
	}
	return r;
}

static int start(struct visit *v)
{
	struct publish *p = v->c->p;
	cleanup_free char *root = NULL;
	size_t length;
	int r = pub_read(p->repository, "metadata/1.root.json", PUB_METADATA,
			 &root, &length);

	r = r ? r : tuf_init(v->tuf, root, length, true);
	r = r ? r : tuf_refresh(v->tuf, v->metadata);
	if (r) {
		check_find(v->c, "bad", "client", "a client refuses the "
			   "repository: %s", tuf_why(v->tuf));
	}
	return r;
}

static int open_fetch(const struct publish *p, const char *name,
		      struct fetch **ret_fetch)
{
	cleanup_fd int fd = openat(p->repository, name, O_RDONLY |
				   O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? result_errno() : fetch_folder(fd, ret_fetch);
}

static int make_folder(const struct publish *p)
{
	int r = pub_remove_tree(p->dir, FOLDER);

	if (r == 0 && mkdirat(p->dir, FOLDER, 0700) < 0) {
		r = result_errno();
	}
	return r;
}

void check_as_client(struct check *c)
{
	cleanup_fetch struct fetch *metadata = NULL, *targets = NULL;
	cleanup_tuf struct tuf *tuf = NULL;
	struct visit v = { c, NULL, NULL, NULL };
	char path[64];
	int r = make_folder(c->p);

	text_format(path, sizeof(path), "/proc/self/fd/%d/" FOLDER, c->p->dir);
	r = r ? r : open_fetch(c->p, "metadata", &metadata);
	r = r ? r : open_fetch(c->p, "targets", &targets);
	r = r ? r : tuf_open(path, &tuf);
	if (r) {
		check_find(c, "bad", "client", "cannot be tried: %s",
			   strerror(-r));
	} else {
		v = (struct visit){ c, tuf, metadata, targets };
		r = start(&v);
		(void)(r ? r : fetch_all(&v));
	}
	if (pub_remove_tree(c->p->dir, FOLDER) < 0) {
		check_find(c, "note", "client", "cannot remove " FOLDER "/ in "
			   "the workspace");
	}
}
