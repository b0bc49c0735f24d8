/* SPDX-License-Identifier: Apache-2.0 */
#include "update/updater_mirror.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <openssl/evp.h>

#include "update/updater.h"
#include "update/updater_file.h"

#define MIRROR_TIMESTAMP "metadata/timestamp.json"
#define MIRROR_LISTED_MOST ((size_t)UPDATER_NAMES * MIRROR_NAME)

/* ---- names ---- */

static int names_order(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sorts, and keeps each name once: versions share most of their files. */
static void names_sort(struct mirror_names *names)
{
	size_t i, kept = 0;

	if (names->sorted || names->count == 0) {
		return;
	}
	qsort(names->name, names->count, sizeof(*names->name), names_order);
	for (i = 1; i < names->count; i++) {
		if (strcmp(names->name[kept], names->name[i]) == 0) {
			free(names->name[i]);
		} else {
			names->name[++kept] = names->name[i];
		}
	}
	names->count = kept + 1;
	names->sorted = true;
}

static int names_add(struct mirror_names *names, const char *name)
{
	char *copy;

	if (names->count == names->room) {
		names_sort(names);
	}
	if (names->count >= UPDATER_NAMES || strlen(name) >= MIRROR_NAME) {
		return -E2BIG;
	}
	if (names->count == names->room) {
		size_t room = names->room ? names->room * 2 : 64;
		char **more = reallocarray(names->name, room, sizeof(*more));

		if (!more) {
			return -ENOMEM;
		}
		names->name = more;
		names->room = room;
	}
	copy = strdup(name);
	if (!copy) {
		return -ENOMEM;
	}
	names->name[names->count++] = copy;
	names->sorted = false;
	return 0;
}

static bool names_have(struct mirror_names *names, const char *name)
{
	names_sort(names);
	return names->count && bsearch(&name, names->name, names->count,
				       sizeof(*names->name), names_order);
}

void mirror_names_fini(struct mirror_names *names)
{
	size_t i;

	for (i = 0; i < names->count; i++) {
		free(names->name[i]);
	}
	free(names->name);
	*names = (struct mirror_names){ .name = NULL };
}

int mirror_current(int folder, struct mirror_names *ret_names)
{
	struct mirror_names names = { .name = NULL };
	cleanup_free uint8_t *text = NULL;
	char *rest, *line;
	size_t length;
	int r = file_read(folder, MIRROR_LISTED, MIRROR_LISTED_MOST, &text,
			  &length);

	if (r < 0) {
		return r;
	}
	rest = (char *)text;
	while (r == 0 && (line = strsep(&rest, "\n"))) {
		r = *line ? names_add(&names, line) : 0;
	}
	if (r < 0) {
		mirror_names_fini(&names);
		return r;
	}
	*ret_names = names;
	return 0;
}

static int names_write(int folder, const struct mirror_names *names)
{
	size_t length = 1, i;
	char *text, *to;
	int r;

	for (i = 0; i < names->count; i++) {
		length += strlen(names->name[i]) + 1;
	}
	text = to = malloc(length);
	if (!text) {
		return -ENOMEM;
	}
	*to = '\0';
	for (i = 0; i < names->count; i++) {
		to = stpcpy(stpcpy(to, names->name[i]), "\n");
	}
	r = file_write(folder, MIRROR_LISTED, text, (size_t)(to - text));
	free(text);
	return r;
}

/* ---- a generation ---- */

void mirror_init(struct mirror *ret_mirror, int folder)
{
	*ret_mirror = (struct mirror){ .folder = folder };
	/* without it nothing of before is kept: its readers try again */
	(void)!mirror_current(folder, &ret_mirror->before);
}

void mirror_fini(struct mirror *mirror)
{
	mirror_names_fini(&mirror->now);
	mirror_names_fini(&mirror->before);
}

int mirror_list(struct mirror *mirror, const char *name)
{
	return names_add(&mirror->now, name);
}

bool mirror_lists(struct mirror *mirror, const char *name)
{
	return names_have(&mirror->now, name);
}

int mirror_put(struct mirror *mirror, const char *name, const void *bytes,
	       size_t length)
{
	uint8_t sha256[32];
	int r = mirror_list(mirror, name);

	if (r < 0) {
		return r;
	}
	if (!EVP_Digest(bytes, length, sha256, NULL, EVP_sha256(), NULL)) {
		return -EIO;
	}
	if (file_is(mirror->folder, name, length, sha256)) {
		return 0;
	}
	return file_write(mirror->folder, name, bytes, length);
}

static bool mirror_wants(void *context, const char *name)
{
	struct mirror *mirror = context;
	size_t n = strlen(name), part = strlen(MIRROR_PART);
	char whole[MIRROR_NAME];

	if (n > part && n < sizeof(whole) &&
	    strcmp(name + n - part, MIRROR_PART) == 0) {
		snprintf(whole, sizeof(whole), "%.*s", (int)(n - part), name);
		return names_have(&mirror->now, whole);
	}
	return names_have(&mirror->now, name) ||
	       names_have(&mirror->before, name);
}

int mirror_publish(struct mirror *mirror, const void *timestamp,
		   size_t length)
{
	int r = mirror_put(mirror, MIRROR_TIMESTAMP, timestamp, length);

	names_sort(&mirror->now);
	r = r < 0 ? r : names_write(mirror->folder, &mirror->now);
	if (r < 0) {
		return r;
	}
	r = file_sweep(mirror->folder, "metadata", mirror_wants, mirror);
	if (file_sweep(mirror->folder, "targets", mirror_wants, mirror) < 0 ||
	    r < 0) {
		return 1;
	}
	return 0;
}
