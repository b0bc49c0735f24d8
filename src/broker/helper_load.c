/* SPDX-License-Identifier: Apache-2.0 */
/*
 * broker/helper_load.c - manifests: products.d, drop-ins, and named files
 *
 * products.d/FILE.ini is a manifest; products.d/FILE.d/ *.ini are laid over it
 * in order of their names. A manifest given by path (request.text, one a line)
 * gets the drop-ins of products.d/NAME.d. What is malformed or not root's alone
 * becomes a complaint, and the next file is read. A name that was seen before
 * is refused: the first stands.
 */
#include "broker/helper_internal.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#define LOAD_PATH 512u

struct load {
	const struct helper *helper;
	const struct helper_request *request;
	int channel;
	int directory;                  /* products.d, or -1 */
	char names[HANDOFF_PRODUCTS][MANIFEST_NAME];
	uint32_t count;
};

/* Lays one file over *manifest. False after a complaint. */
static bool load_over(const struct load *l, int dir, const char *name,
		      const char *shown, struct manifest *manifest)
{
	cleanup_free char *text = NULL;
	struct manifest_error error;
	size_t length;
	int r = file_read(dir, name, l->helper->strict, &text, &length);

	if (r < 0) {
		job_complain(l->channel, l->request, "%.400s:0: %s", shown,
			     r == -EPERM ? "refused: must belong to root and "
			     "not be writable by others" : strerror(-r));
		return false;
	}
	r = manifest_parse(text, length, shown, manifest, &error);
	if (r < 0) {
		job_complain(l->channel, l->request, "%s", error.text);
	}
	return r == 0;
}

static void load_drop_ins(const struct load *l, const char *base,
			  struct manifest *manifest)
{
	char shown[LOAD_PATH], dir_name[NAME_MAX + 3];
	cleanup_fd int dir = -1;
	char **names;
	size_t count;

	snprintf(dir_name, sizeof(dir_name), "%s.d", base);
	dir = openat(l->directory, dir_name, O_RDONLY | O_DIRECTORY |
		     O_CLOEXEC);
	if (dir < 0 || file_list(dir, ".ini", &names, &count) < 0) {
		return;
	}
	for (size_t i = 0; i < count; i++) {
		struct manifest before = *manifest;

		snprintf(shown, sizeof(shown), "%s/products.d/%s/%s",
			 l->helper->start->etc_dir, dir_name, names[i]);
		if (!load_over(l, dir, names[i], shown, manifest)) {
			*manifest = before;
		}
	}
	file_list_free(names, count);
}

static bool load_is_new(struct load *l, const char *name)
{
	for (uint32_t i = 0; i < l->count; i++) {
		if (strcmp(l->names[i], name) == 0) {
			return false;
		}
	}
	snprintf(l->names[l->count++], MANIFEST_NAME, "%s", name);
	return true;
}

/* base: file name without .ini, or null: the manifest's own name. */
static void load_manifest(struct load *l, int dir, const char *name,
			  const char *shown, const char *base)
{
	struct helper_reply reply = { .type = HELPER_MANIFEST, .more = 1 };
	struct manifest *m = &reply.manifest;
	struct manifest_error error;

	manifest_defaults(m);
	if (!load_over(l, dir, name, shown, m)) {
		return;
	}
	load_drop_ins(l, base ? base : m->name, m);
	m->from_command_line = base == NULL;
	if (manifest_check(m, shown, &error) < 0) {
		job_complain(l->channel, l->request, "%s", error.text);
	} else if (l->count == HANDOFF_PRODUCTS) {
		job_complain(l->channel, l->request,
			     "%.400s:0: refused: at most %u products", shown,
			     HANDOFF_PRODUCTS);
	} else if (!load_is_new(l, m->name)) {
		job_complain(l->channel, l->request,
			     "%.400s:0: refused: product %s was read before",
			     shown, m->name);
	} else {
		job_reply(l->channel, l->request, &reply, NULL, 0);
	}
}

static void load_directory(struct load *l)
{
	char shown[LOAD_PATH];
	char **names;
	size_t count;

	if (l->directory < 0 ||
	    file_list(l->directory, ".ini", &names, &count) < 0) {
		return;
	}
	for (size_t i = 0; i < count; i++) {
		char base[NAME_MAX + 1];

		snprintf(base, sizeof(base), "%.*s",
			 (int)(strlen(names[i]) - 4), names[i]);
		snprintf(shown, sizeof(shown), "%s/products.d/%s",
			 l->helper->start->etc_dir, names[i]);
		load_manifest(l, l->directory, names[i], shown, base);
	}
	file_list_free(names, count);
}

/* Paths in the request, one a line; what has no slash is a product's name and
 * the monitor's business. */
static void load_named(struct load *l)
{
	char text[sizeof(l->request->text)];
	char *rest = text;

	snprintf(text, sizeof(text), "%s", l->request->text);
	for (char *path = strsep(&rest, "\n"); path;
	     path = strsep(&rest, "\n")) {
		if (strchr(path, '/')) {
			load_manifest(l, AT_FDCWD, path, path, NULL);
		}
	}
}

void manifests_send(const struct helper *helper,
		    const struct helper_request *request, int channel)
{
	static struct load l;
	char path[LOAD_PATH];

	l.helper = helper;
	l.request = request;
	l.channel = channel;
	snprintf(path, sizeof(path), "%s/products.d", helper->start->etc_dir);
	l.directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	load_named(&l);         /* the command line comes first */
	load_directory(&l);
	fd_closep(&l.directory);
}

void task_load(const struct helper *helper,
	       const struct helper_request *request, int channel)
{
	int r;

	manifests_send(helper, request, channel);
	r = rules_send(helper, request, channel);
	if (r == 0) {
		r = keep_send(helper, request, channel);
	}
	job_done(channel, request, r, r < 0 ? "rules or keep list" : "");
}
