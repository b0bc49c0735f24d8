/* SPDX-License-Identifier: Apache-2.0 */
/*
 * content/policy.h - the customer's word on when a version is activated
 *
 * Two sources: content.d/NAME.conf, and what an administrator did by
 * `bailey content` (acts, kept by the caller). Everything here can only make
 * a host later, but for `ring = early`, which still needs a lease for that
 * ring, and `channel = local`, by which an administrator stands in for the
 * gate.
 *
 *	[*]			; every product
 *	delay = 1d
 *	[scan]			; both classes of one product
 *	ring = late
 *	window = mon-fri 22:00-04:00
 *	[scan data]		; one class
 *	delay = 0s
 *
 * The more specific section wins, key by key: [*], [* CLASS], [PRODUCT],
 * [PRODUCT CLASS]; of two files, the later name. A section with a mistake is
 * reported with file, line and reason, and holds its products where they are
 * (policy.broken): a mistyped pause must not become none. Text that belongs
 * to no section holds them all. The rest goes on.
 *
 * Bounds: POLICY_SECTIONS sections in all files; more: -E2BIG, all held.
 */
#ifndef CONTENT_POLICY_H
#define CONTENT_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/result.h"
#include "config/manifest.h"
#include "content/lease.h"

#define POLICY_SECTIONS 64u
#define POLICY_PIN 65
#define POLICY_DAY_MIN 1440u
#define POLICY_DELAY_MOST_S (365u * 86400u)

enum policy_pin { POLICY_FOLLOW = 0, POLICY_PINNED, POLICY_BEHIND };
enum policy_channel { POLICY_GATE = 0, POLICY_LOCAL };

/* Days: bit 0 is Sunday. From and to in minutes of the local day; to below
 * or equal to from: it ends on the next day. */
struct policy_window {
	uint32_t days;                  /* 0: always */
	uint32_t from_min, to_min;
};

/* Of one product and class, resolved. Without pointers or texts. */
struct policy {
	uint32_t ring;                  /* enum lease_ring; GENERAL */
	uint32_t delay_s;               /* after the host first saw it */
	uint32_t pause;                 /* 1: nothing new */
	uint32_t pin;                   /* enum policy_pin */
	uint32_t behind;                /* BEHIND: 1 or 2 */
	uint32_t channel;               /* enum policy_channel; GATE */
	uint32_t override_allow;        /* 1: ring late, delay, pause, pin,
					 * N-1, N-2 and window do not count */
	uint32_t override_pause;        /* 1: nothing new, no rollback by the
					 * publisher either; overrides allow */
	uint64_t override_revert;       /* this number and above are not run
					 * here; 0 none; overrides allow */
	struct policy_window window;
	uint32_t broken;                /* 1: a mistake concerns it */
};

/* Where a value comes from, and which were given at all. */
struct policy_section {
	char product[MANIFEST_NAME];    /* "*" for all */
	uint32_t class;                 /* LEASE_CLASSES: both */
	uint32_t given;                 /* bit per key */
	struct policy value;
	char version[POLICY_PIN];       /* PINNED: number, name or digits of
					 * the hash */
};

struct policy_set {
	uint32_t count;
	uint32_t broken;                /* a mistake concerns all products */
	struct policy_section section[POLICY_SECTIONS];
};

/* What was done by `bailey content` and holds; zero: nothing. */
struct policy_acts {
	uint32_t pause;                 /* 1: until resumed */
	uint32_t pinned;                /* 1: to version */
	uint64_t revert;                /* as override_revert */
	char version[POLICY_PIN];
};

void policy_defaults(struct policy *ret_policy);

/*
 * Adds one file's sections; call in the order of the files' names. Each
 * mistake is told once by say ("file:line: reason"), one a section. Returns
 * how many there were: what was good is in the set all the same. -ENOMEM.
 */
int policy_read(const char *text, size_t length, const char *file,
		struct policy_set *set,
		void (*say)(void *context, const struct manifest_error *error),
		void *context) must_use;

/* acts may be null. ret_version: to which it is pinned, or "". */
void policy_resolve(const struct policy_set *set, const char *product,
		    enum version_class class, const struct policy_acts *acts,
		    struct policy *ret_policy, char ret_version[POLICY_PIN]);
/* Whether every value is one of those above. */
bool policy_sound(const struct policy *policy);

/* What counts once override_allow is applied. */
void policy_effective(const struct policy *policy, struct policy *ret_policy);

/* Whether the window is open in this minute (weekday 0 is Sunday); else
 * ret_wait_s is how long until it opens, by the same clock. */
bool policy_window_open(const struct policy_window *window, uint32_t weekday,
			uint32_t minute, uint32_t *ret_wait_s);

/* Whether a person means this version: its number, its name, or 8 or more
 * digits of its hash. */
bool policy_means(const char *text, uint64_t number, const char *name,
		  const uint8_t hash[VERSION_HASH]);

#endif
