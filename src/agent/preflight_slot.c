/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/preflight_slot.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include <bailey/client.h>

#include "base/text.h"
#include "content/slot.h"
#include "proto/slot.h"

/* The description's bytes, the caller's. */
static int description_read(int directory, char **ret_bytes,
			    size_t *ret_length)
{
	cleanup_fd int fd = openat(directory, SLOT_VERSION,
				   O_RDONLY | O_CLOEXEC | O_NOFOLLOW |
				   O_NONBLOCK);
	cleanup_free char *bytes = NULL;
	size_t length = 0;
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0) {
		return result_errno();
	}
	if (!S_ISREG(st.st_mode) || st.st_size > (off_t)VERSION_BYTES) {
		return -EFBIG;
	}
	bytes = malloc((size_t)st.st_size + 1);
	if (!bytes) {
		return -ENOMEM;
	}
	while (length < (size_t)st.st_size &&
	       (n = read(fd, bytes + length, (size_t)st.st_size - length)) >
		       0) {
		length += (size_t)n;
	}
	*ret_bytes = bytes;
	*ret_length = length;
	bytes = NULL;
	return 0;
}

static int cases_make(struct preflight_slot *slot)
{
	const struct version *v = slot->version;

	slot->cases = calloc(v->cases ? v->cases : 1, sizeof(*slot->cases));
	if (!slot->cases) {
		return -ENOMEM;
	}
	for (size_t i = 0; i < v->cases; i++) {
		struct preflight_case *c = &slot->cases[i];

		text_format(c->name, sizeof(c->name), "%s",
			    v->corpus[i].file.path);
		text_format(c->label, sizeof(c->label), "%s",
			    v->corpus[i].as);
		c->fd = -1;
		c->kind = v->corpus[i].event;
		c->expect = v->corpus[i].expect;
		c->repeat = v->corpus[i].repeat;
	}
	slot->count = v->cases;
	return 0;
}

/* What is listed must be there; what is not, need not. */
static int slot_parts(int directory, struct preflight_slot *slot,
		      char ret_text[PREFLIGHT_TEXT])
{
	const int how = O_RDONLY | O_CLOEXEC | O_NOFOLLOW;
	const struct version *v = slot->version;

	slot->files = openat(directory, SLOT_FILES, how | O_DIRECTORY);
	slot->corpus = v->cases ? openat(directory, SLOT_CORPUS,
					 how | O_DIRECTORY) : -1;
	slot->events = v->has_events ? openat(directory, SLOT_EVENTS,
					      how | O_NONBLOCK) : -1;
	if (slot->files < 0 || (v->cases && slot->corpus < 0) ||
	    (v->has_events && slot->events < 0)) {
		text_format(ret_text, PREFLIGHT_TEXT, "%s: %s",
			    slot->files < 0 ? SLOT_FILES
			    : v->cases && slot->corpus < 0 ? SLOT_CORPUS
							   : SLOT_EVENTS,
			    strerror(errno));
		return result_errno();
	}
	return cases_make(slot);
}

int preflight_slot_open(int directory, struct preflight_slot *ret_slot,
			char ret_text[PREFLIGHT_TEXT])
{
	struct preflight_slot slot = { .files = -1, .corpus = -1,
				       .events = -1 };
	cleanup_free char *bytes = NULL;
	struct json_fault fault = { "" };
	size_t length;
	int r = description_read(directory, &bytes, &length);

	if (r < 0) {
		text_format(ret_text, PREFLIGHT_TEXT, "%s: %s", SLOT_VERSION,
			    strerror(-r));
		return r;
	}
	r = version_parse(bytes, length, &slot.version, &fault);
	if (r < 0) {
		text_format(ret_text, PREFLIGHT_TEXT, "%s: %s", SLOT_VERSION,
			    fault.text);
		return r;
	}
	version_hash(bytes, length, slot.hash);
	r = slot_parts(directory, &slot, ret_text);
	if (r < 0) {
		preflight_slot_close(&slot);
		return r;
	}
	*ret_slot = slot;
	return 0;
}

void preflight_slot_close(struct preflight_slot *slot)
{
	version_free(slot->version);
	fd_closep(&slot->files);
	fd_closep(&slot->corpus);
	fd_closep(&slot->events);
	free(slot->cases);
	*slot = (struct preflight_slot){ .files = -1, .corpus = -1,
					 .events = -1 };
}

void preflight_slot_plan(const struct preflight_slot *loaded,
			 const struct preflight_slot *asked,
			 const struct manifest *manifest,
			 struct preflight_plan *ret_plan)
{
	struct preflight_plan plan = {
		.manifest = manifest, .check_schema = true,
		.fields = loaded->version->fields,
		.directory = { -1, -1, -1, -1 }, .corpus = asked->corpus,
		.events = asked->events, .cases = asked->cases,
		.count = asked->count,
	};

	text_format(plan.schema, sizeof(plan.schema), "%s",
		    loaded->version->schema);
	plan.directory[BAILEY_DIRECTORY_CONTENT] = loaded->files;
	*ret_plan = plan;
}
