/* SPDX-License-Identifier: Apache-2.0 */
/**
 * bailey/event.h - what an event is: types, fields, verdicts, findings
 *
 * Shared by products and by the broker. Plain C11; compiles alone and as C++.
 */
#ifndef BAILEY_EVENT_H
#define BAILEY_EVENT_H

#include <stddef.h>
#include <stdint.h>

#include <bailey/tables.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BAILEY_ENUM_EVENT(sym, num, name, class, help) BAILEY_EVENT_##sym = num,
#define BAILEY_ENUM_FIELD(sym, num, name, help) BAILEY_FIELD_##sym = num,
#define BAILEY_ENUM_KNOWN(sym, num, name, help) BAILEY_KNOWN_##sym = num,
#define BAILEY_ENUM_VERDICT(sym, num, name, help) BAILEY_VERDICT_##sym = num,
#define BAILEY_ENUM_SCOPE(sym, num, name, help) BAILEY_SCOPE_##sym = num,
#define BAILEY_ENUM_MODE(sym, num, name, help) BAILEY_MODE_##sym = num,
#define BAILEY_ENUM_ERROR(sym, num, text) BAILEY_E_##sym = num,

/** Type of an event; see BAILEY_EVENT_TABLE. */
enum bailey_event_kind { BAILEY_EVENT_TABLE(BAILEY_ENUM_EVENT) };

/** Field of an event; numbers are 1-39, strings 40-63. */
enum bailey_field {
	BAILEY_NUMBER_FIELD_TABLE(BAILEY_ENUM_FIELD)
	BAILEY_STRING_FIELD_TABLE(BAILEY_ENUM_FIELD)
};

enum bailey_known { BAILEY_KNOWN_TABLE(BAILEY_ENUM_KNOWN) };
enum bailey_verdict { BAILEY_VERDICT_TABLE(BAILEY_ENUM_VERDICT) };
enum bailey_scope { BAILEY_SCOPE_TABLE(BAILEY_ENUM_SCOPE) };
enum bailey_mode { BAILEY_MODE_TABLE(BAILEY_ENUM_MODE) };

/** Returned negated, like errno values. */
enum bailey_error { BAILEY_ERROR_TABLE(BAILEY_ENUM_ERROR) };

#undef BAILEY_ENUM_EVENT
#undef BAILEY_ENUM_FIELD
#undef BAILEY_ENUM_KNOWN
#undef BAILEY_ENUM_VERDICT
#undef BAILEY_ENUM_SCOPE
#undef BAILEY_ENUM_MODE
#undef BAILEY_ENUM_ERROR

/** Bytes inside an event; valid until the event's last unref. By contract not
 *  NUL-terminated (use length), though a NUL does follow. */
struct bailey_string {
	const char *bytes;
	size_t length;
};

/** Identity of an object: valid as long as the broker runs. */
struct bailey_object {
	uint64_t device;        /**< BAILEY_FIELD_DEVICE */
	uint64_t inode;         /**< BAILEY_FIELD_INODE */
	uint64_t generation;    /**< BAILEY_FIELD_OBJECT_GENERATION */
};

/**
 * What was recognised. Fixed, bounded texts: something that a SIEM can key on.
 * Each text ends with a NUL; the broker replaces control characters by '?'.
 * Set size to sizeof(struct bailey_finding).
 */
struct bailey_finding {
	uint32_t size;
	uint16_t severity;      /**< 0 information .. 100 critical */
	uint16_t confidence;    /**< 0 .. 100 */
	char rule[64];          /**< stable name of the rule that matched */
	char title[104];        /**< one line for a person */
	char technique[16];     /**< MITRE ATT&CK id or empty */
};

#ifdef __cplusplus
}
#endif

#endif
