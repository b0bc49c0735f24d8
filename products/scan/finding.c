/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "finding.h"
#include "limits.h"

static uint16_t percent(int64_t value)
{
	if (value < 0) {
		return 0;
	}
	return value > 100 ? 100 : (uint16_t)value;
}

static void copy(char *ret_text, size_t size, const char *text)
{
	snprintf(ret_text, size, "%s", text);
}

/* What a meta key fills: a number or a text of the finding. */
static const struct meta_key {
	const char *name;
	int is_text;
	size_t offset, size;
} meta_keys[] = {
#define NUMBER(name, field) \
	{ name, 0, offsetof(struct bailey_finding, field), 0 }
#define TEXT(name, field) \
	{ name, 1, offsetof(struct bailey_finding, field), \
	  sizeof(((struct bailey_finding *)0)->field) }
	TEXT("title", title),
	NUMBER("severity", severity),
	NUMBER("confidence", confidence),
	TEXT("technique", technique),
};

static void apply(const YR_META *meta, const struct meta_key *key,
		  struct bailey_finding *finding)
{
	char *field = (char *)finding + key->offset;
	uint16_t number;

	if (key->is_text && meta->type == META_TYPE_STRING) {
		copy(field, key->size, meta->string);
	}
	if (!key->is_text && meta->type == META_TYPE_INTEGER) {
		number = percent(meta->integer);
		memcpy(field, &number, sizeof(number));
	}
}

void finding_from_rule(const YR_RULE *rule, struct bailey_finding *ret_finding)
{
	struct bailey_finding finding = {
		.size = sizeof(finding),
		.severity = FINDING_SEVERITY,
		.confidence = FINDING_CONFIDENCE,
	};
	const YR_META *meta;

	copy(finding.rule, sizeof(finding.rule), rule->identifier);
	copy(finding.title, sizeof(finding.title), rule->identifier);
	yr_rule_metas_foreach(rule, meta) {
		for (size_t i = 0; i < sizeof(meta_keys) / sizeof(*meta_keys);
		     i++) {
			if (strcmp(meta->identifier, meta_keys[i].name) == 0) {
				apply(meta, &meta_keys[i], &finding);
			}
		}
	}
	*ret_finding = finding;
}

int finding_denies(const struct bailey_finding *finding)
{
	return finding->severity >= SCAN_DENY_SEVERITY;
}
