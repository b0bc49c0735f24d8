/* SPDX-License-Identifier: Apache-2.0 */
/* A client of the simulated repository, with a folder of its own. */
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/tuf_sim.h"

bool sim_one_handle;

static int64_t sim_clock(void *context)
{
	return ((struct sim *)context)->now;
}

static void open_handle(struct sim_client *c)
{
	if (c->tuf && !sim_one_handle) {
		tuf_close(c->tuf);
		c->tuf = NULL;
	}
	if (!c->tuf) {
		assert_int_equal(tuf_open(c->metadata, &c->tuf), 0);
		tuf_clock(c->tuf, sim_clock, c->sim);
	}
}

static int said(struct sim_client *c, int r)
{
	snprintf(c->why, sizeof(c->why), "%s", r ? tuf_why(c->tuf) : "");
	if (r && !c->why[0]) {
		fail_msg("%d without a reason", r);
	}
	return r;
}

void sim_client_init(struct sim_client *c, struct sim *s)
{
	struct sim_bytes root = s->roles[0].published[0];

	*c = (struct sim_client){ .sim = s };
	strcpy(c->folder, "/tmp/bailey-tuf.XXXXXX");
	assert_non_null(mkdtemp(c->folder));
	snprintf(c->metadata, sizeof(c->metadata), "%s/metadata", c->folder);
	snprintf(c->targets, sizeof(c->targets), "%s/targets", c->folder);
	assert_int_equal(mkdir(c->metadata, 0755), 0);
	assert_int_equal(mkdir(c->targets, 0755), 0);
	open_handle(c);
	sim_expect(c, said(c, tuf_init(c->tuf, root.bytes, root.length, true)),
		   0);
}

static void empty(const char *path)
{
	DIR *folder = opendir(path);
	struct dirent *entry;

	while (folder && (entry = readdir(folder))) {
		if (strcmp(entry->d_name, ".") != 0 &&
		    strcmp(entry->d_name, "..") != 0) {
			unlinkat(dirfd(folder), entry->d_name, 0);
		}
	}
	if (folder) {
		closedir(folder);
	}
	rmdir(path);
}

void sim_client_fini(struct sim_client *c)
{
	tuf_close(c->tuf);
	empty(c->metadata);
	empty(c->targets);
	rmdir(c->folder);
}

int sim_refresh(struct sim_client *c)
{
	cleanup_fetch struct fetch *metadata = sim_fetch(c->sim, true);

	open_handle(c);
	return said(c, tuf_refresh(c->tuf, metadata));
}

int sim_download(struct sim_client *c, const char *path)
{
	cleanup_fetch struct fetch *metadata = sim_fetch(c->sim, true);
	cleanup_fetch struct fetch *targets = sim_fetch(c->sim, false);
	cleanup_fd int folder = open(c->targets, O_RDONLY | O_DIRECTORY);
	struct tuf_target target;
	char name[256];
	int r;

	open_handle(c);
	r = tuf_refresh(c->tuf, metadata);
	r = r ? r : tuf_find(c->tuf, metadata, path, &target);
	assert_int_equal(fetch_quote(path, 0, name, sizeof(name)), 0);
	return said(c, r ? r : tuf_target_file(c->tuf, targets, &target,
					       folder, name));
}

struct tuf *sim_handle(struct sim_client *c)
{
	sim_expect(c, sim_refresh(c), 0);
	return c->tuf;
}

static json_t *stored(struct sim_client *c, const char *file)
{
	char path[400];

	snprintf(path, sizeof(path), "%s/%s", c->metadata, file);
	return json_load_file(path, 0, NULL);
}

static int64_t stored_version(struct sim_client *c, const char *file)
{
	json_t *tree = stored(c, file);
	int64_t version = json_integer_value(json_object_get(
		json_object_get(tree, "signed"), "version"));

	json_decref(tree);
	return version;
}

int64_t sim_trusts(struct sim_client *c, const char *role)
{
	char file[300];

	snprintf(file, sizeof(file), "%s.json", role);
	return stored_version(c, file);
}

static int json_only(const struct dirent *entry)
{
	size_t n = strlen(entry->d_name);

	return n > 5 && strcmp(entry->d_name + n - 5, ".json") == 0;
}

const char *sim_folder(struct sim_client *c)
{
	static char text[4096];
	struct dirent **list;
	int n = scandir(c->metadata, &list, json_only, alphasort);

	text[0] = '\0';
	for (int i = 0; i < n; i++) {
		size_t used = strlen(text);
		const char *file = list[i]->d_name;

		snprintf(text + used, sizeof(text) - used, "%s%.*s %lld",
			 used ? " " : "", (int)strlen(file) - 5, file,
			 (long long)stored_version(c, file));
		free(list[i]);
	}
	free(list);
	return text;
}

void sim_stored_is(struct sim_client *c, const char *role,
		   struct sim_bytes bytes)
{
	cleanup_fetch struct fetch *folder = NULL;
	cleanup_fd int fd = open(c->metadata, O_RDONLY | O_DIRECTORY);
	cleanup_free uint8_t *got = NULL;
	char file[300];
	size_t length = 0;

	snprintf(file, sizeof(file), "%s.json", role);
	assert_int_equal(fetch_folder(fd, &folder), 0);
	assert_int_equal(fetch_bytes(folder, file, 1 << 24, &got, &length), 0);
	assert_int_equal(length, bytes.length);
	assert_memory_equal(got, bytes.bytes, length);
}

const char *sim_downloaded(struct sim_client *c, const char *name)
{
	static char text[1 << 16];
	char path[400];
	FILE *file;
	size_t n;

	snprintf(path, sizeof(path), "%s/%s", c->targets, name);
	file = fopen(path, "r");
	if (!file) {
		return NULL;
	}
	n = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[n] = '\0';
	return text;
}

unsigned sim_target_files(struct sim_client *c)
{
	DIR *folder = opendir(c->targets);
	struct dirent *entry;
	unsigned n = 0;

	assert_non_null(folder);
	while ((entry = readdir(folder))) {
		n += strcmp(entry->d_name, ".") != 0 &&
		     strcmp(entry->d_name, "..") != 0;
	}
	closedir(folder);
	return n;
}
