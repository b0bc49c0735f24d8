/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A slot of any bytes: every field is absent or inside the slot, and a string
 * ends in a NUL there. The slot stands in memory of exactly its size.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "client/slot.h"
#include "proto/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_string(const struct wire_event *slot,
			 const struct bailey_string *s)
{
	size_t offset = (size_t)(s->bytes - (const char *)slot);

	if (offset < sizeof(*slot) ||
	    offset + s->length >= WIRE_SLOT_SIZE ||
	    s->bytes[s->length] != '\0') {
		abort();
	}
}

static void check_field(const struct wire_event *slot, unsigned field)
{
	struct bailey_string s = { NULL, 0 };
	int64_t n = 0;
	int number = slot_number(slot, field, &n);
	int string = slot_string(slot, field, &s);

	if (number == 0 && string == 0) {
		abort();
	}
	if (string == 0) {
		check_string(slot, &s);
	}
	/* What a record may hold has all the fields that it says. */
	if (record_event_fault(slot, slot->size) == NULL && field > 0 &&
	    field < 64 && (slot->present >> field & 1u) &&
	    number != 0 && string != 0) {
		abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wire_event *slot = calloc(1, WIRE_SLOT_SIZE);

	if (slot == NULL) {
		abort();
	}
	memcpy(slot, data, size < WIRE_SLOT_SIZE ? size : WIRE_SLOT_SIZE);
	for (unsigned field = 0; field < 70; field++) {
		check_field(slot, field);
	}
	check_field(slot, 0u - 1);
	free(slot);
	return 0;
}
