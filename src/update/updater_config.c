/* SPDX-License-Identifier: Apache-2.0 */
/*
 * updater_config.c - which products, from where
 *
 * The broker enables products; what it would not start is not fetched for
 * either: a manifest that was dropped in makes no host call anywhere. Files
 * are read as they are found; one that others could have written is refused,
 * because what stands in it decides whom this host talks to.
 */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/text.h"
#include "config/config.h"
#include "update/tuf.h"
#include "update/updater.h"
#include "update/updater_file.h"

#define CONFIG_FILE_MOST (64u * 1024)
#define CONFIG_SHOWN 512u

struct reading {
	struct updater_config *config;
	struct config conf;             /* bailey.conf */
	const char *const *named;       /* --product */
	size_t names;
	void (*complain)(const char *text);
};

static void reading_bad(struct reading *r, const char *shown, const char *why)
{
	char text[MANIFEST_ERROR_TEXT + CONFIG_SHOWN];

	text_format(text, sizeof(text), "%s:0: refused: %s", shown, why);
	r->config->bad++;
	r->complain(text);
}

static void reading_bad_text(struct reading *r, const char *text)
{
	r->config->bad++;
	r->complain(text);
}

/* A text of root's or this user's alone. Complains; -ENOENT does not. */
static int reading_file(struct reading *r, const char *path, uint8_t **ret_text,
			size_t *ret_length)
{
	struct stat st;
	int error;

	if (stat(path, &st) < 0) {
		error = result_errno();
		if (error != -ENOENT) {
			reading_bad(r, path, strerror(-error));
		}
		return error;
	}
	if ((st.st_uid != 0 && st.st_uid != geteuid()) || st.st_mode & 022) {
		reading_bad(r, path, "it must be root's, and writable by "
			    "nobody else");
		return -EPERM;
	}
	error = file_read(AT_FDCWD, path, CONFIG_FILE_MOST, ret_text,
			  ret_length);
	if (error < 0) {
		reading_bad(r, path, strerror(-error));
	}
	return error;
}

/* Calls take for each file of a folder that ends so, in order of names. */
static void reading_folder(struct reading *r, const char *folder,
			   const char *ending, void *context,
			   void (*take)(struct reading *r, const char *path,
					void *context))
{
	struct dirent **list = NULL;
	int count = scandir(folder, &list, NULL, alphasort), i;

	for (i = 0; i < count; i++) {
		const char *name = list[i]->d_name;
		size_t n = strlen(name), e = strlen(ending);
		char path[CONFIG_SHOWN];

		if (*name != '.' && n > e &&
		    strcmp(name + n - e, ending) == 0 &&
		    snprintf(path, sizeof(path), "%s/%s", folder, name) <
		    (int)sizeof(path)) {
			take(r, path, context);
		}
		free(list[i]);
	}
	free(list);
}

/* ---- bailey.conf ---- */

static void reading_conf(struct reading *r, const char *path, void *context)
{
	cleanup_free uint8_t *text = NULL;
	struct manifest_error error;
	size_t length;

	if (reading_file(r, path, &text, &length) == 0 &&
	    config_parse((const char *)text, length, path, &r->conf,
			 &error) < 0) {
		reading_bad_text(r, error.text);
	}
}

static bool reading_wants(const struct reading *r, const char *name)
{
	size_t i;

	/* As for the broker: the command line says which, or else
	 * bailey.conf. */
	for (i = 0; r->names == 0 && i < r->conf.enable.count; i++) {
		if (strcmp(r->conf.enable.entry[i], name) == 0) {
			return true;
		}
	}
	for (i = 0; i < r->names; i++) {
		if (strcmp(r->named[i], name) == 0) {
			return true;
		}
	}
	return false;
}

/* ---- manifests ---- */

static int reading_over(struct reading *r, const char *path,
			struct manifest *manifest)
{
	cleanup_free uint8_t *text = NULL;
	struct manifest_error error;
	size_t length;
	int e = reading_file(r, path, &text, &length);

	if (e == 0) {
		e = manifest_parse((const char *)text, length, path, manifest,
				   &error);
		if (e < 0) {
			reading_bad_text(r, error.text);
		}
	}
	return e;
}

static void reading_drop_in(struct reading *r, const char *path, void *context)
{
	struct manifest before = *(struct manifest *)context;

	if (reading_over(r, path, context) < 0) {
		*(struct manifest *)context = before;
	}
}

/* The root of trust comes with the product, not from the network. */
static int reading_root(struct reading *r, const struct manifest *m,
			struct updater_product *product)
{
	struct stat st;
	char why[CONFIG_SHOWN];
	int e = stat(m->content_root, &st) < 0 ? result_errno() : 0;

	if (e == 0 && ((st.st_uid != 0 && st.st_uid != geteuid()) ||
		       st.st_mode & 022)) {
		e = -EPERM;
	}
	e = e < 0 ? e : file_read(AT_FDCWD, m->content_root, TUF_ROOT_MAX,
				  &product->root, &product->root_length);
	if (e < 0) {
		text_format(why, sizeof(why), "[content] root = %s: %s",
			    m->content_root,
			    e == -EPERM ? "it must be root's, and writable by "
					  "nobody else"
					: strerror(-e));
		reading_bad(r, product->file, why);
	}
	return e;
}

static bool reading_is_new(const struct updater_config *config,
			   const char *name)
{
	uint32_t i;

	for (i = 0; i < config->count; i++) {
		if (strcmp(config->product[i].name, name) == 0) {
			return false;
		}
	}
	return true;
}

static void reading_take(struct reading *r, const char *path,
			 const struct manifest *m)
{
	struct updater_config *config = r->config;
	struct updater_product *product = &config->product[config->count];

	if (!m->content_root[0] || !reading_is_new(config, m->name)) {
		return;
	}
	if (config->count == UPDATER_PRODUCTS) {
		reading_bad(r, path, "more products than this version takes");
		return;
	}
	memset(product, 0, sizeof(*product));
	text_format(product->name, sizeof(product->name), "%s", m->name);
	text_format(product->url, sizeof(product->url), "%s", m->content_url);
	text_format(product->file, sizeof(product->file), "%s", path);
	if (reading_root(r, m, product) == 0) {
		config->count++;
	}
}

/* context: null: it was given by its path. */
static void reading_manifest(struct reading *r, const char *path,
			     void *context)
{
	struct manifest *m = malloc(sizeof(*m));
	struct manifest_error error;
	char drop_ins[CONFIG_SHOWN];
	const char *etc = context;

	if (!m) {
		return;
	}
	manifest_defaults(m);
	if (reading_over(r, path, m) < 0) {
		free(m);
		return;
	}
	text_format(drop_ins, sizeof(drop_ins), "%.*s.d",
		    (int)(strlen(path) - strlen(".ini")), path);
	reading_folder(r, drop_ins, ".ini", m, reading_drop_in);
	if (manifest_check(m, path, &error) < 0) {
		reading_bad_text(r, error.text);
	} else if (!etc || reading_wants(r, m->name)) {
		reading_take(r, path, m);
	}
	free(m);
}

void updater_config_read(const char *etc, const char *const *named,
			 size_t count, struct updater_config *ret_config,
			 void (*complain)(const char *text))
{
	struct reading r = { .config = ret_config, .named = named,
			     .names = count, .complain = complain };
	char path[CONFIG_SHOWN];
	size_t i, n;

	memset(ret_config, 0, sizeof(*ret_config));
	config_defaults(&r.conf);
	text_format(path, sizeof(path), "%.400s/bailey.conf", etc);
	reading_conf(&r, path, NULL);
	text_format(path, sizeof(path), "%.400s/bailey.conf.d", etc);
	reading_folder(&r, path, ".conf", NULL, reading_conf);
	for (i = 0; i < count; i++) {
		n = strlen(named[i]);
		if (strchr(named[i], '/') && n > 4 &&
		    strcmp(named[i] + n - 4, ".ini") == 0) {
			reading_manifest(&r, named[i], NULL);
		}
	}
	text_format(path, sizeof(path), "%.400s/products.d", etc);
	reading_folder(&r, path, ".ini", (void *)etc, reading_manifest);
}

void updater_config_fini(struct updater_config *config)
{
	uint32_t i;

	for (i = 0; i < config->count; i++) {
		free(config->product[i].root);
	}
	memset(config, 0, sizeof(*config));
}
