/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scan/limits.h - every bound of the scanner, in one place
 */
#ifndef SCAN_LIMITS_H
#define SCAN_LIMITS_H

#define SCAN_WORKERS 2u                 /* threads that answer questions */
#define SCAN_BUFFER (8u << 20)          /* bytes a thread reads at once; a file
					 * up to this size is scanned whole */
#define SCAN_EDGE (SCAN_BUFFER / 2)     /* of a larger one: first, last part */
#define SCAN_OVERLAP (64u << 10)        /* windows of a thorough scan share it:
					 * longest match that cannot be cut */
#define SCAN_CHUNK (256u << 10)         /* one read; the clock is looked at
					 * between two */
#define SCAN_THOROUGH_MS 30000u         /* limit of one thorough scan */
#define SCAN_QUEUE 16u                  /* events that wait for one; when it is
					 * full the edges must do */
#define SCAN_QUEUE_UID 4u               /* of them, from one asking user */
#define SCAN_SEEN 1024u                 /* verdicts of thorough scans kept; the
					 * oldest of a set of four goes */
#define SCAN_SEEN_SOFT_MS 5000u         /* how long one stands about a file that
					 * somebody else than root can write */
#define SCAN_RULE_FILES 256u            /* in the content folder */
#define SCAN_RULE_BYTES (16u << 20)     /* of one rule file */
#define SCAN_DENY_SEVERITY 50u          /* below: reported, allowed */

#endif
