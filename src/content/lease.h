/* SPDX-License-Identifier: Apache-2.0 */
/*
 * content/lease.h - gate/P.json: who may activate which version, until when
 *
 * A lease is under LEASE_BYTES, signed by the `gate` role (or a site's key),
 * and short-lived. It may only name versions that `content` lists: that is
 * the caller's to check, as are signatures. Here: one strict parser into a
 * struct without pointers, the host's bucket, and the rule that a lease may
 * not jump over a ring.
 *
 * Unknown members, a wrong order of rings, a bound over 2^48, a hash that is
 * named twice: refused. Members that may be left out: dwell_s (then 0),
 * halted, quarantined, roll_back_to, passes, passes_needed, poll_s (60),
 * jitter_s (0), issued.
 */
#ifndef CONTENT_LEASE_H
#define CONTENT_LEASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/result.h"
#include "content/version.h"

#define LEASE_BYTES 2047u
#define LEASE_CLASSES 2u                /* enum version_class */
#define LEASE_SALT 32u
#define LEASE_STRATA 16u
#define LEASE_STRATUM 32
#define LEASE_HASHES 24u                /* of each list */
#define LEASE_BUCKETS (1ull << 48)
#define LEASE_LIFE_MOST_S (90u * 86400u)
#define LEASE_DWELL_MOST_S (365u * 86400u)
#define LEASE_POLL_LEAST_S 10u
#define LEASE_POLL_MOST_S 86400u
#define LEASE_POLL_S 60u
#define LEASE_HOST 256u                 /* bytes of a host's id */
#define LEASE_REASON 192

/* Rings, in the order in which a version reaches them. */
#define LEASE_RING_TABLE(X)                                                   \
	X(EARLY, 0, "early")                                                  \
	X(GENERAL, 1, "general")                                              \
	X(LATE, 2, "late")

enum lease_ring {
#define LEASE_ENUM(sym, num, name) LEASE_##sym = num,
	LEASE_RING_TABLE(LEASE_ENUM)
#undef LEASE_ENUM
	LEASE_RINGS
};

struct lease_stratum {
	char name[LEASE_STRATUM];       /* "*": every other one */
	uint64_t bound[LEASE_RINGS];  /* buckets below are admitted; 0 none */
	uint32_t listed;                /* bit per ring that names it */
	uint32_t passes_listed;         /* 1: passes names it */
	uint32_t passes;                /* preflights that passed there */
};

struct lease_hashes {
	uint32_t count;
	uint8_t hash[LEASE_HASHES][VERSION_HASH];
};

struct lease {
	char product[VERSION_NAME];
	uint32_t class;                 /* enum version_class */
	uint32_t salt_length;
	uint64_t number;                /* of the release */
	uint8_t hash[VERSION_HASH];     /* of the release */
	uint8_t salt[LEASE_SALT];
	uint32_t rings;                 /* bit per ring that takes part */
	uint32_t strata;
	struct lease_stratum stratum[LEASE_STRATA];
	uint32_t dwell_s[LEASE_RINGS];
	uint32_t poll_s, jitter_s;
	uint32_t passes_needed;
	int64_t valid_until_s;          /* since 1970 */
	int64_t issued_s;               /* since 1970; 0: not said */
	uint32_t roll_back;             /* 1: roll_back_to is given */
	uint8_t roll_back_to[VERSION_HASH];
	struct lease_hashes halted, quarantined;
};

/* Why a lease was refused: "halted[3]: not a hash". */
struct lease_error {
	char text[LEASE_REASON];
};

/* product: the one that it must be for. 0, -EBADMSG, -EFBIG, -ENOMEM. */
int lease_parse(const void *bytes, size_t length, const char *product,
		struct lease *ret_lease, struct lease_error *ret_error)
	must_use;
/* A time that has passed if the lease is genuine: issued, or as long before
 * its end as a lease may last. For clock_floor_raise. */
int64_t lease_signed_s(const struct lease *lease);

/* Top 48 bits of SHA-256(salt, host id). host: bytes of /etc/machine-id
 * without its newline, or the fleet's id of this host. 0, -EINVAL, -EIO. */
int lease_bucket(const struct lease *lease, const void *host, size_t length,
		 uint64_t *ret_bucket) must_use;

/* The bound for a ring: the stratum's, or else that of "*", or else 0. */
uint64_t lease_bound(const struct lease *lease, const char *stratum,
		     enum lease_ring ring);
/* Preflights that passed in the stratum, or else in "*". */
uint32_t lease_passes(const struct lease *lease, const char *stratum);
bool lease_names(const struct lease_hashes *list,
		 const uint8_t hash[VERSION_HASH]);
/* 1 + the last ring in which anybody of the stratum is admitted; 0: none. */
uint32_t lease_reach(const struct lease *lease, const char *stratum);

/* What a host keeps of the last lease that it accepted. Zero: of none. */
struct lease_prior {
	uint32_t known;                 /* 1: there was one */
	uint32_t reach;                 /* lease_reach of it */
	uint32_t rings;                 /* that took part */
	uint8_t hash[VERSION_HASH];
	uint32_t dwell_s[LEASE_RINGS];
};

void lease_remember(const struct lease *lease, const char *stratum,
		    struct lease_prior *ret_prior);

/*
 * Seconds that must pass since a prior lease was accepted before one that
 * reaches as far as `to` may be. from: the prior one's reach for the same
 * release, 0 if it named another. 0, unless rings are jumped over. Then the sum
 * of the dwell of those, by the longer word of the two leases, and at least
 * bake_s each: a gate that opens every ring at once is followed only after the
 * time in which somebody could have stopped it. rings: that take part in one
 * of the two. urgent: bake_s alone, as the publisher signed it.
 */
struct lease_jump {
	uint32_t from, to;
	uint32_t rings;
	const uint32_t *before_s, *dwell_s;     /* LEASE_RINGS each, borrowed */
	uint32_t bake_s;
	bool urgent;
};

uint64_t lease_jump_s(const struct lease_jump *jump);

#endif
