/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent_listed.c - versions that signed metadata list
 *
 * The mirror in staging was verified by the updater; here it is verified
 * again, by trusted metadata that only the agent writes. Of each class the
 * newest versions are taken, and what the lease names. Nothing of it is in a
 * slot before the decision says so.
 */
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "agent/agent.h"
#include "base/sha256.h"
#include "base/json.h"
#include "base/log.h"
#include "base/text.h"
#include "update/tuf.h"

#define REVOKED_BYTES (256u << 10)
#define NEWEST 2u               /* of each class */

struct looking {
	struct agent_product_state *p;
	struct tuf *tuf;
	struct fetch *metadata, *targets;
	int blobs;
	struct tuf_target newest[NEWEST];
	uint64_t number[NEWEST];
	size_t count;
};

/* ---- files ---- */

int agent_open_below(int dir, const char *path, int flags)
{
	struct open_how how = {
		.flags = (uint64_t)(flags | O_CLOEXEC),
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
	};
	int fd = (int)syscall(SYS_openat2, dir, path, &how, sizeof(how));

	return fd < 0 ? result_errno() : fd;
}

int agent_file_read(int dir, const char *path, size_t most, char **ret_bytes,
		    size_t *ret_length)
{
	cleanup_fd int fd = agent_open_below(dir, path,
					     O_RDONLY | O_NONBLOCK);
	cleanup_free char *bytes = NULL;
	size_t length = 0;
	struct stat st;
	ssize_t n;

	if (fd < 0) {
		return fd;
	}
	if (fstat(fd, &st) < 0) {
		return result_errno();
	}
	if (!S_ISREG(st.st_mode)) {
		return -EBADMSG;
	}
	if ((uint64_t)st.st_size > most) {
		return -EFBIG;
	}
	bytes = malloc((size_t)st.st_size + 1);
	if (!bytes) {
		return -ENOMEM;
	}
	while (length < (size_t)st.st_size) {
		n = read(fd, bytes + length, (size_t)st.st_size - length);
		if (n < 0) {
			return result_errno();
		}
		if (n == 0) {
			break;
		}
		length += (size_t)n;
	}
	bytes[length] = '\0';
	*ret_bytes = bytes;
	*ret_length = length;
	bytes = NULL;
	return 0;
}

/* ---- the list ---- */

static void listed_fini(struct agent_listed *l)
{
	l->version = version_free(l->version);
	free(l->description);
	fd_closep(&l->blobs);
	*l = (struct agent_listed){ .blobs = -1 };
}

void agent_listed_clear(struct agent_product_state *p, bool site)
{
	size_t kept = 0;

	for (size_t i = 0; i < p->listed_count; i++) {
		if (p->listed[i].site == site) {
			listed_fini(&p->listed[i]);
		} else {
			p->listed[kept++] = p->listed[i];
		}
	}
	p->listed_count = kept;
}

struct agent_listed *agent_listed_find(struct agent_product_state *p,
				       const uint8_t hash[VERSION_HASH])
{
	for (size_t i = 0; i < p->listed_count; i++) {
		if (agent_hash_same(p->listed[i].hash, hash)) {
			return &p->listed[i];
		}
	}
	return NULL;
}

bool agent_is_revoked(const struct agent_product_state *p,
		      const uint8_t hash[VERSION_HASH])
{
	for (uint32_t i = 0; i < p->revoked.count; i++) {
		if (agent_hash_same(p->revoked.hash[i], hash)) {
			return true;
		}
	}
	return false;
}

int agent_listed_add(struct agent_product_state *p, char *description,
		     size_t length, int blobs, bool site,
		     char ret_why[AGENT_WHY])
{
	struct agent_listed l = { .description = description,
				  .length = length, .blobs = -1,
				  .site = site };
	struct json_fault fault = { "" };
	int r = version_parse(description, length, &l.version, &fault);

	if (r == 0 && strcmp(l.version->product, p->told.name) != 0) {
		text_format(fault.text, sizeof(fault.text),
			    "it is for the product %s", l.version->product);
		r = -EBADMSG;
	}
	version_hash(description, length, l.hash);
	if (r == 0) {
		l.blobs = fcntl(blobs, F_DUPFD_CLOEXEC, 3);
		r = l.blobs < 0 ? result_errno() : 0;
	}
	if (r < 0 || agent_listed_find(p, l.hash)) {
		text_format(ret_why, AGENT_WHY, "%s", fault.text[0]
			    ? fault.text : strerror(-r));
		listed_fini(&l);
		return r;
	}
	if (p->listed_count == AGENT_LISTED) {
		listed_fini(&p->listed[0]);
		memmove(&p->listed[0], &p->listed[1],
			(AGENT_LISTED - 1) * sizeof(p->listed[0]));
		p->listed_count--;
	}
	p->listed[p->listed_count++] = l;
	(void)agent_seen_s(p, l.hash);
	return 0;
}

/* ---- metadata ---- */

static int complain(struct looking *look, const char *what, int r)
{
	text_format(look->p->trouble, sizeof(look->p->trouble), "%s: %s",
		    what, tuf_why(look->tuf));
	return r;
}

static int on_target(void *context, const struct tuf_target *target)
{
	struct looking *look = context;
	char product[VERSION_NAME];
	enum version_class kind;
	uint64_t number;
	size_t at;

	/* A role may list what it likes; what is no version is passed over. */
	if (version_target_parse(target->path, product, &kind, &number) < 0 ||
	    strcmp(product, look->p->told.name) != 0) {
		return 0;
	}
	at = look->count < NEWEST ? look->count : NEWEST - 1;
	if (look->count == NEWEST && number <= look->number[at]) {
		return 0;
	}
	while (at > 0 && look->number[at - 1] < number) {
		look->newest[at] = look->newest[at - 1];
		look->number[at] = look->number[at - 1];
		at--;
	}
	look->newest[at] = *target;
	look->number[at] = number;
	look->count += look->count < NEWEST;
	return 0;
}

static int take_version(struct looking *look, const struct tuf_target *target)
{
	struct version *version;
	struct json_fault fault = { "" };
	char why[AGENT_WHY];
	uint8_t *bytes;
	size_t length;
	int r = tuf_target_bytes(look->tuf, look->targets, target,
				 VERSION_BYTES, &bytes, &length);

	if (r != 0) {
		return complain(look, target->path, r);
	}
	r = version_parse(bytes, length, &version, &fault);
	if (r == 0 && !version_target_agrees(version, target->path)) {
		r = -EBADMSG;
		text_format(fault.text, sizeof(fault.text),
			    "it is not what its path says");
	}
	if (r == 0) {
		version_free(version);
		r = agent_listed_add(look->p, (char *)bytes, length,
				     look->blobs, false, why);
		text_format(fault.text, sizeof(fault.text), "%s",
			    r < 0 ? why : "");
	} else {
		free(bytes);
	}
	if (r < 0) {
		text_format(look->p->trouble, sizeof(look->p->trouble),
			    "%.80s: %s", target->path, fault.text);
	}
	return r;
}

/* The newest of one class. A role that is not delegated lists none. */
static int take_class(struct looking *look, enum version_class kind)
{
	char content[VERSION_NAME + 16], data[VERSION_NAME + 16];
	char prefix[VERSION_TARGET];
	const char *chain[2] = { content, data };
	int r;

	snprintf(content, sizeof(content), "content/%s", look->p->told.name);
	snprintf(data, sizeof(data), "data/%s", look->p->told.name);
	snprintf(prefix, sizeof(prefix), "content/%s/%s/", look->p->told.name,
		 version_class_name(kind));
	look->count = 0;
	r = tuf_each(look->tuf, look->metadata, chain,
		     kind == VERSION_DATA ? 2 : 1, prefix, on_target, look);
	if (r == TUF_NO_TARGET || r == -ENOENT) {
		return 0;
	}
	if (r < 0) {
		return complain(look, prefix, r);
	}
	for (size_t i = look->count; i > 0 && r == 0; i--) {
		r = take_version(look, &look->newest[i - 1]);
	}
	return r;
}

/* Bytes of a target that need not be there: 0, TUF_NO_TARGET, or an errno. */
static int take_bytes(struct looking *look, const char *path, size_t most,
		      uint8_t **ret_bytes, size_t *ret_length)
{
	struct tuf_target target;
	int r = tuf_find(look->tuf, look->metadata, path, &target);

	if (r == 0) {
		r = tuf_target_bytes(look->tuf, look->targets, &target, most,
				     ret_bytes, ret_length);
	}
	return r < 0 ? complain(look, path, r) : r;
}

static int take_limits(struct looking *look)
{
	struct agent_product_state *p = look->p;
	cleanup_free uint8_t *bytes = NULL;
	char path[VERSION_NAME + 32];
	struct lease_error error;
	size_t length;
	int r;

	snprintf(path, sizeof(path), "content/%s/policy.json", p->told.name);
	r = take_bytes(look, path, DECIDE_LIMITS_BYTES, &bytes, &length);
	if (r != 0) {
		return r < 0 ? r : 0;
	}
	r = decide_limits_parse(bytes, length, &p->limits, p->limits_schema,
				&p->limits_schemas, &error);
	if (r < 0) {
		text_format(p->trouble, sizeof(p->trouble), "%s: %s", path,
			    error.text);
	}
	return r;
}

/* What the lease names, though it is none of the newest. */
static int take_leased(struct looking *look, const struct lease *lease)
{
	struct tuf_target target;
	char path[VERSION_TARGET];
	int r;

	if (agent_listed_find(look->p, lease->hash)) {
		return 0;
	}
	version_target(look->p->told.name, lease->class, lease->number, path);
	r = tuf_find(look->tuf, look->metadata, path, &target);
	return r == 0 ? take_version(look, &target) : r < 0 ? r : 0;
}

/* The same bytes again did not come anew. */
int agent_lease_take(struct agent_product_state *p, const struct lease *lease,
		     const void *bytes, size_t length)
{
	uint8_t digest[SHA256_SIZE];
	struct sha256 sha;
	int r;

	sha256_begin(&sha);
	sha256_add(&sha, bytes, length);
	r = sha256_end(&sha, digest);
	if (r < 0 || (p->lease_given &&
		      memcmp(p->lease_digest, digest, sizeof(digest)) == 0)) {
		return r < 0 ? r : 0;
	}
	memcpy(p->lease_digest, digest, sizeof(digest));
	p->lease = *lease;
	p->lease_given = true;
	p->lease_at = agent_reading();
	p->lease_at_s = agent_now_s(p);
	return 0;
}

static int take_lease(struct looking *look)
{
	struct agent_product_state *p = look->p;
	struct clock_reading now = agent_reading();
	cleanup_free uint8_t *bytes = NULL;
	char path[VERSION_NAME + 16];
	struct lease_error error;
	struct lease lease;
	size_t length;
	int r;

	snprintf(path, sizeof(path), "gate/%s.json", p->told.name);
	r = take_bytes(look, path, LEASE_BYTES, &bytes, &length);
	if (r != 0) {
		return r < 0 ? r : 0;
	}
	r = lease_parse(bytes, length, p->told.name, &lease, &error);
	if (r < 0) {
		text_format(p->trouble, sizeof(p->trouble), "%s: %s", path,
			    error.text);
		return r;
	}
	if (p->site_until_s <= agent_now_s(p)) {
		r = agent_lease_take(p, &lease, bytes, length);
		if (r < 0) {
			return r;
		}
	}
	if (clock_floor_raise(&p->memory.floor, lease_signed_s(&lease),
			      &now)) {
		agent_memory_save(p);
	}
	return take_leased(look, &lease);
}

static int hashes_take(const struct json_at *top, const char *key,
		       uint32_t *ret_count, uint8_t (*ret_hash)[VERSION_HASH])
{
	struct json_at list;
	size_t count;
	uint32_t n = 0;
	int r;

	if (!json_has(top, key)) {
		return 0;
	}
	r = json_list(top, key, 4096, &list, &count);
	for (size_t i = 0; i < count && r == 0; i++) {
		const char *hex;

		r = json_element_text(&list, i, VERSION_HEX - 1, &hex);
		/* The newest stand last; the oldest fall out. */
		if (r == 0 && n == 64) {
			memmove(ret_hash[0], ret_hash[1],
				63 * VERSION_HASH);
			n--;
		}
		if (r == 0) {
			r = version_unhex(hex, ret_hash[n++]);
		}
	}
	*ret_count = n;
	return r;
}

static int take_revoked(struct looking *look)
{
	struct agent_product_state *p = look->p;
	cleanup_json_tree json_t *tree = NULL;
	cleanup_free uint8_t *bytes = NULL;
	struct json_fault fault = { "" };
	struct json_at top;
	size_t length;
	int r = take_bytes(look, "revoked.json", REVOKED_BYTES, &bytes,
			   &length);

	if (r != 0) {
		return r < 0 ? r : 0;
	}
	r = json_read(bytes, length, REVOKED_BYTES, &tree, &top, &fault);
	if (r == 0) {
		r = hashes_take(&top, "hashes", &p->revoked.count,
				p->revoked.hash);
	}
	if (r == 0) {
		r = hashes_take(&top, "lifted", &p->lifted.count,
				p->lifted.hash);
	}
	if (r < 0) {
		text_format(p->trouble, sizeof(p->trouble), "revoked.json: %s",
			    fault.text);
	}
	return r;
}

static int take_all(struct looking *look)
{
	int r = tuf_refresh(look->tuf, look->metadata);

	if (r < 0) {
		return complain(look, "metadata", r);
	}
	agent_listed_clear(look->p, false);
	/* Revocations and the lease first: they hold whatever else fails. */
	r = take_revoked(look);
	if (r == 0) {
		r = take_limits(look);
	}
	if (r == 0) {
		r = take_class(look, VERSION_CODE);
	}
	if (r == 0) {
		r = take_class(look, VERSION_DATA);
	}
	return r == 0 ? take_lease(look) : r;
}

static int64_t looking_now(void *context)
{
	return agent_now_s(context);
}

/* The first root comes from the manifest's file. */
static int trust_begin(struct agent_product_state *p, struct tuf *tuf)
{
	cleanup_free char *root = NULL;
	size_t length;
	int fd, r;

	if (tuf_has_root(tuf)) {
		return 0;
	}
	fd = open(p->told.root, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		text_format(p->trouble, sizeof(p->trouble), "%s: %s",
			    p->told.root[0] ? p->told.root : "no root",
			    strerror(errno));
		return result_errno();
	}
	root = malloc(AGENT_ROOT_MOST);
	length = 0;
	for (ssize_t n = 1; root && n > 0 && length < AGENT_ROOT_MOST;) {
		n = read(fd, root + length, AGENT_ROOT_MOST - length);
		length += n > 0 ? (size_t)n : 0;
	}
	close(fd);
	r = root ? tuf_init(tuf, root, length, false) : -ENOMEM;
	if (r < 0) {
		text_format(p->trouble, sizeof(p->trouble), "%s: %s",
			    p->told.root, tuf_why(tuf));
	}
	return r;
}

int agent_refresh(struct agent_product_state *p, int dir)
{
	cleanup_fd int metadata = agent_open_below(dir, "metadata",
						   O_RDONLY | O_DIRECTORY);
	cleanup_fd int targets = agent_open_below(dir, "targets",
						  O_RDONLY | O_DIRECTORY);
	cleanup_fd int blobs = agent_open_below(dir, "targets/blob",
						O_RDONLY | O_DIRECTORY);
	cleanup_fd int trust = -1;
	cleanup_fetch struct fetch *from = NULL, *files = NULL;
	cleanup_tuf struct tuf *tuf = NULL;
	struct looking look = { .p = p, .blobs = blobs };
	char path[32];
	int r;

	p->trouble[0] = '\0';
	p->checked_s = agent_now_s(p);
	if (metadata < 0 || targets < 0) {
		text_format(p->trouble, sizeof(p->trouble),
			    "nothing was fetched yet");
		return -ENOENT;
	}
	(void)mkdirat(p->dir, "trust", 0700);
	trust = agent_open_below(p->dir, "trust", O_RDONLY | O_DIRECTORY);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", trust);
	r = trust < 0 ? trust : tuf_open(path, &tuf);
	if (r == 0) {
		tuf_clock(tuf, looking_now, p);
		r = trust_begin(p, tuf);
	}
	if (r == 0) {
		r = fetch_folder(metadata, &from);
	}
	if (r == 0) {
		r = fetch_folder(targets, &files);
	}
	if (r == 0) {
		look.tuf = tuf;
		look.metadata = from;
		look.targets = files;
		r = take_all(&look);
	}
	if (r == 0) {
		p->reached_s = p->checked_s;
	} else if (!p->trouble[0]) {
		text_format(p->trouble, sizeof(p->trouble), "metadata: %s",
			    strerror(-r));
	}
	return r < 0 ? r : 0;
}
