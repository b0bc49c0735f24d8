/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scan/finding.h - from a YARA rule to what Bailey records
 *
 * Rules speak through their meta section:
 *
 *   title = "one line for a person"         default: the rule's name
 *   severity = 0..100                       default: 70
 *   confidence = 0..100                     default: 80
 *   technique = "T1059.004"                 MITRE ATT&CK; default: none
 *
 * Numbers outside are clamped, texts cut to their field. A finding of severity
 * below SCAN_DENY_SEVERITY is recorded and the file is allowed.
 */
#ifndef SCAN_FINDING_H
#define SCAN_FINDING_H

#include <yara.h>

#include <bailey/event.h>

#define FINDING_SEVERITY 70
#define FINDING_CONFIDENCE 80

void finding_from_rule(const YR_RULE *rule, struct bailey_finding *ret_finding);

/* 1 if a deny goes with it. */
int finding_denies(const struct bailey_finding *finding);

#endif
