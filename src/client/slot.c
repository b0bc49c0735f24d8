/* SPDX-License-Identifier: Apache-2.0 */
#include "client/slot.h"

#define FIRST_STRING 40u

/* Reads a 32- or 16-bit word of shared memory exactly once. */
#define read_once(word) (*(const volatile __typeof__(word) *)&(word))

static int slot_has(const struct wire_event *slot, unsigned field)
{
	return field > 0 && field < 64 &&
	       (read_once(slot->present) >> field & 1u);
}

int slot_number(const struct wire_event *slot, unsigned field,
		int64_t *ret_value)
{
	if (field >= WIRE_NUMBERS || !slot_has(slot, field)) {
		return -ENODATA;
	}
	*ret_value = read_once(slot->number[field]);
	return 0;
}

int slot_string(const struct wire_event *slot, unsigned field,
		struct bailey_string *ret_value)
{
	const char *bytes = (const char *)slot;
	uint32_t size = read_once(slot->size);
	size_t offset, length;

	if (field < FIRST_STRING || !slot_has(slot, field)) {
		return -ENODATA;
	}
	offset = read_once(slot->string[field - FIRST_STRING].offset);
	length = read_once(slot->string[field - FIRST_STRING].length);
	if (size > WIRE_SLOT_SIZE || offset < sizeof(*slot) ||
	    offset + length >= size || bytes[offset + length] != '\0') {
		return -ENODATA;
	}
	ret_value->bytes = bytes + offset;
	ret_value->length = length;
	return 0;
}
