/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/eng_known.h"

#include <string.h>

const uint32_t eng_kind_event[ENG_KINDS] = {
	[ENG_OPEN] = BAILEY_EVENT_FILE_OPEN,
	[ENG_EXEC] = BAILEY_EVENT_PROCESS_EXEC,
};

/* Which process fields come with any event about a process. `traced`: exact
 * while tracepoints deliver, a hint from /proc. */
#define SUBJECT_FIELDS(X)                                                     \
	X(PID) X(PPID) X(UID) X(GID) X(SESSION) X(START_TIME) X(GENERATION)   \
	X(CGROUP) X(EXE_DEVICE) X(EXE_INODE) X(UNCERTAIN) X(COMM) X(EXE_PATH)

#define OBJECT_FIELDS(X)                                                      \
	X(DEVICE) X(INODE) X(OBJECT_GENERATION) X(SIZE) X(FILE_MODE) X(OWNER) \
	X(LINKS) X(CHANGED) X(PATH) X(PATH_FOREIGN) X(DEADLINE)

#define BIT(sym) (1ull << BAILEY_FIELD_##sym) |
#define COMMON (BIT(SEQUENCE) BIT(TIME) BIT(KIND_SEQUENCE) 0)
#define SUBJECT (SUBJECT_FIELDS(BIT) 0)
#define OBJECT (OBJECT_FIELDS(BIT) 0)
/* Labels, and what setuid(2) without exec(2) changes unseen. */
#define HINTS (BIT(PATH) BIT(EXE_PATH) BIT(COMM) BIT(UID) BIT(GID)            \
	       BIT(ARGUMENTS) 0)
#define ONE(sym) (1ull << BAILEY_FIELD_##sym)

static const struct {
	uint32_t kind;
	enum known_mediation mediation;
	uint32_t needs;         /* HANDOFF_HAS_* without which it is absent */
	uint64_t fields;
} known_table[] = {
	{ BAILEY_EVENT_STOP, KNOWN_NOTIFY, 0, COMMON },
	{ BAILEY_EVENT_PROCESS_EXEC, KNOWN_ASK, HANDOFF_HAS_EXEC,
	  COMMON | SUBJECT | OBJECT },
	{ BAILEY_EVENT_PROCESS_FORK, KNOWN_NOTIFY, HANDOFF_HAS_BPF,
	  COMMON | SUBJECT },
	{ BAILEY_EVENT_PROCESS_EXIT, KNOWN_NOTIFY, HANDOFF_HAS_BPF,
	  COMMON | SUBJECT | ONE(EXIT_STATUS) },
	{ BAILEY_EVENT_PROCESS_STARTED, KNOWN_NOTIFY, HANDOFF_HAS_BPF,
	  COMMON | SUBJECT },
	{ BAILEY_EVENT_FILE_OPEN, KNOWN_ASK, 0, COMMON | SUBJECT | OBJECT },
};

#define KNOWN_ROWS (sizeof(known_table) / sizeof(*known_table))

/* Row order on the wire is that of BAILEY_EVENT_TABLE. */
static const uint32_t wire_row[] = {
#define ROW(sym, num, name, class, help) num,
	BAILEY_EVENT_TABLE(ROW)
#undef ROW
};

static_assert(sizeof(wire_row) / sizeof(*wire_row) <= WIRE_KNOWN_ROWS,
	      "more event types than rows on the wire");

static enum known_mediation known_mediation(const struct engine *e, size_t row)
{
	uint32_t needs = known_table[row].needs;

	return (e->table->features & needs) == needs
		       ? known_table[row].mediation
		       : KNOWN_ABSENT;
}

bool eng_known_event(const struct engine *e, uint32_t kind)
{
	for (size_t i = 0; i < KNOWN_ROWS; i++) {
		if (known_table[i].kind == kind) {
			return known_mediation(e, i) != KNOWN_ABSENT;
		}
	}
	return false;
}

static void known_fields(const struct engine *e, size_t row, bool arguments,
			 uint8_t ret_field[64])
{
	uint64_t fields = known_table[row].fields;
	bool traced = e->table->features & HANDOFF_HAS_BPF;

	memset(ret_field, BAILEY_KNOWN_ABSENT, 64);
	if (known_mediation(e, row) == KNOWN_ABSENT) {
		return;
	}
	if (arguments && (fields & SUBJECT)) {
		fields |= ONE(ARGUMENTS);
	}
	ret_field[0] = BAILEY_KNOWN_EXACT;
	for (uint32_t f = 1; f < 64; f++) {
		if (!(fields >> f & 1)) {
			continue;
		}
		ret_field[f] = (HINTS >> f & 1) ||
					       (!traced && (SUBJECT >> f & 1))
				       ? BAILEY_KNOWN_HINT
				       : BAILEY_KNOWN_EXACT;
	}
}

void eng_known_fill(const struct engine *e, const struct session *s,
		    uint8_t ret_known[WIRE_KNOWN_ROWS][64])
{
	for (size_t w = 0; w < sizeof(wire_row) / sizeof(*wire_row); w++) {
		for (size_t i = 0; i < KNOWN_ROWS; i++) {
			if (known_table[i].kind == wire_row[w]) {
				known_fields(e, i, s->manifest.see_arguments,
					     ret_known[w]);
			}
		}
	}
}

bool eng_known_row(const struct engine *e, uint32_t row,
		   struct view_known *ret_row)
{
	if (row >= KNOWN_ROWS) {
		return false;
	}
	*ret_row = (struct view_known){
		.head = { VIEW_KNOWN_ROW, sizeof(*ret_row) },
		.kind = known_table[row].kind,
		.mediation = known_mediation(e, row),
	};
	known_fields(e, row, true, ret_row->field);
	return true;
}
