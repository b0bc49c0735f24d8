/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent_host.c - what the host says: policy, time, identity
 *
 * Time is content/clock.h's: a floor that is remembered in the journal, and
 * the boot clock. Read anew for each decision, so a policy file that changed
 * counts at once.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "agent/agent.h"
#include "base/log.h"
#include "base/text.h"

#define MEMORY_MAGIC 0x324d4741u
#define MEMORY_KEPT_S 600u      /* what is remembered lags at most */
#define POLICY_BYTES (64u << 10)
#define POLICY_FILES 256
#define FLOOR_KEPT_S 3600u
/* 2025-01-01: no build of this program is older. */
#define BUILT_S 1735689600ll

/* ---- time ---- */

struct clock_reading agent_reading(void)
{
	static uint8_t boot[CLOCK_BOOT];
	static bool known;
	struct clock_reading r = { 0 };
	struct timespec t;

	if (!known) {
		cleanup_fd int fd = open("/proc/sys/kernel/random/boot_id",
					 O_RDONLY | O_CLOEXEC);
		char text[64] = "";
		ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

		/* Its digits, folded: all that counts is that it differs. */
		for (ssize_t i = 0; i < n; i++) {
			boot[i % CLOCK_BOOT] = (uint8_t)(boot[i % CLOCK_BOOT] *
							 31 + text[i]);
		}
		known = true;
	}
	clock_gettime(CLOCK_REALTIME, &t);
	r.wall_s = t.tv_sec;
	clock_gettime(CLOCK_BOOTTIME, &t);
	r.boot_ms = (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / MONO_MS;
	memcpy(r.boot, boot, sizeof(r.boot));
	return r;
}

int64_t agent_now_s(const struct agent_product_state *p)
{
	struct clock_reading r = agent_reading();

	return clock_now(&p->memory.floor, &r).now_s;
}

/* ---- what is remembered ---- */

void agent_memory_load(struct agent_product_state *p)
{
	const struct state *state = store_state(p->store);
	struct clock_reading r = agent_reading();

	if (state->memory_size == sizeof(p->memory)) {
		memcpy(&p->memory, state->memory, sizeof(p->memory));
	}
	if (p->memory.magic != MEMORY_MAGIC) {
		memset(&p->memory, 0, sizeof(p->memory));
		p->memory.magic = MEMORY_MAGIC;
		clock_floor_init(&p->memory.floor, BUILT_S, &r);
	}
	clock_floor_keep(&p->memory.floor, &r);
	agent_memory_save(p);
}

void agent_memory_save(struct agent_product_state *p)
{
	int r = store_remember(p->store, &p->memory, sizeof(p->memory));

	if (r < 0) {
		log_warning("%s: %s", p->told.name, store_reason(p->store));
	}
	p->memory_kept = mono_now();
}

void agent_memory_keep(struct agent_product_state *p)
{
	struct clock_reading r = agent_reading();
	struct agent_memory kept = { 0 };
	uint64_t s = mono_between(p->memory_kept, mono_now()) / MONO_S;

	if (s < MEMORY_KEPT_S) {
		return;
	}
	memcpy(&kept, store_state(p->store)->memory, sizeof(kept));
	/* Without a lease only the floor moves: once an hour. */
	if (s >= FLOOR_KEPT_S ||
	    kept.prior_at.boot_ms != p->memory.prior_at.boot_ms) {
		clock_floor_keep(&p->memory.floor, &r);
		agent_memory_save(p);
	}
}

static bool has_slot(const struct agent_product_state *p,
		     const uint8_t prefix[12])
{
	const struct state *state = store_state(p->store);

	for (size_t i = 0; i < state->count; i++) {
		if (memcmp(state->version[i].hash, prefix, 12) == 0) {
			return state->version[i].kept;
		}
	}
	return false;
}

bool agent_is_leased(const struct agent_product_state *p,
		     const uint8_t hash[VERSION_HASH])
{
	for (uint32_t i = 0; i < p->memory.leases && i < AGENT_LEASED; i++) {
		if (memcmp(p->memory.leased[i], hash, 12) == 0) {
			return true;
		}
	}
	return false;
}

void agent_leased_add(struct agent_product_state *p,
		      const uint8_t hash[VERSION_HASH])
{
	struct agent_memory *m = &p->memory;
	size_t out = 0;

	if (agent_is_leased(p, hash)) {
		return;
	}
	if (m->leases >= AGENT_LEASED) {
		while (out < AGENT_LEASED - 1 && has_slot(p, m->leased[out])) {
			out++;
		}
		out = has_slot(p, m->leased[out]) ? 0 : out;
		memmove(m->leased[out], m->leased[out + 1],
			(AGENT_LEASED - 1 - out) * sizeof(m->leased[0]));
		m->leases = AGENT_LEASED - 1;
	}
	memcpy(m->leased[m->leases++], hash, sizeof(m->leased[0]));
	agent_memory_save(p);
}

int64_t agent_seen_s(struct agent_product_state *p,
		     const uint8_t hash[VERSION_HASH])
{
	size_t oldest = 0;

	for (size_t i = 0; i < AGENT_SEEN; i++) {
		if (memcmp(p->memory.seen[i].hash, hash, 8) == 0) {
			return p->memory.seen[i].at_s;
		}
		if (p->memory.seen[i].at_s < p->memory.seen[oldest].at_s) {
			oldest = i;
		}
	}
	memcpy(p->memory.seen[oldest].hash, hash, 8);
	p->memory.seen[oldest].at_s = agent_now_s(p);
	agent_memory_save(p);
	return p->memory.seen[oldest].at_s;
}

/* ---- policy ---- */

static void policy_say(void *context, const struct manifest_error *error)
{
	(void)context;
	log_warning("policy: %s", error->text);
}

static void policy_file(struct agent *agent, const char *name)
{
	cleanup_free char *text = NULL;
	size_t length;
	int r = agent_file_read(agent->policy, name, POLICY_BYTES, &text,
				&length);

	if (r == 0) {
		r = policy_read(text, length, name, &agent->policies,
				policy_say, NULL);
	}
	if (r < 0) {            /* held, as a mistake in it would */
		log_warning("policy: %s: %s", name, strerror(-r));
		agent->policies.broken = 1;
	}
}

static int is_conf(const struct dirent *entry)
{
	size_t n = strlen(entry->d_name);

	return n > 5 && entry->d_name[0] != '.' &&
	       strcmp(entry->d_name + n - 5, ".conf") == 0;
}

void agent_policies_read(struct agent *agent)
{
	struct dirent **entry;
	int n = scandirat(agent->policy, ".", &entry, is_conf, alphasort);

	memset(&agent->policies, 0, sizeof(agent->policies));
	if (n < 0) {            /* none is no policy; /dev/null is none */
		agent->policies.broken = errno != ENOTDIR && errno != ENOENT;
		return;
	}
	for (int i = 0; i < n; i++) {
		if (i < POLICY_FILES) {
			policy_file(agent, entry[i]->d_name);
		}
		free(entry[i]);
	}
	agent->policies.broken |= n > POLICY_FILES;
	free(entry);
}

/* ---- identity ---- */

/* "ID-VERSION_ID" of os-release: hosts of one kind are one stratum. */
static void stratum_read(struct agent *agent)
{
	FILE *in = fopen("/etc/os-release", "re");
	char line[256], id[16] = "linux", version[12] = "0";

	while (in && fgets(line, sizeof(line), in)) {
		(void)(sscanf(line, "ID=%15[a-z0-9._-]", id) == 1 ||
		       sscanf(line, "VERSION_ID=\"%11[0-9.]", version) == 1);
	}
	if (in) {
		fclose(in);
	}
	text_format(agent->stratum, sizeof(agent->stratum), "%s-%s", id,
		    version);
}

void agent_host_read(struct agent *agent)
{
	cleanup_fd int fd = open("/etc/machine-id", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, agent->host, sizeof(agent->host));

	while (n > 0 && agent->host[n - 1] == '\n') {
		n--;
	}
	agent->host_length = n > 0 ? (size_t)n : 0;
	stratum_read(agent);
}
