/* SPDX-License-Identifier: Apache-2.0 */
/* Does a recorded file stand in for a broker, and is a damaged one refused? */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include <bailey/client.h>

#include "lib/fake_broker.h"
#include "proto/record.h"

#define EVENTS 40
#define CONTENT "the first bytes"

struct slot {
	_Alignas(8) unsigned char bytes[WIRE_SLOT_SIZE];
};

struct place {
	int fd;
	char path[32];
};

static struct wire_event *event_new(struct slot *slot, uint64_t id,
				    uint32_t kind, uint32_t flags)
{
	struct wire_event *event = (void *)slot->bytes;

	memset(slot, 0, sizeof(*slot));
	event->size = sizeof(*event);
	event->id = id;
	event->kind = kind;
	event->flags = flags;
	fake_number(event, BAILEY_FIELD_UID, (int64_t)id % 2);
	return event;
}

/* Even ids are opens with content, odd ones are exits. */
static void write_record(int fd)
{
	struct record_writer writer;
	struct slot slot;

	assert_int_equal(record_writer_init(&writer, fd), 0);
	for (uint64_t id = 0; id < EVENTS; id++) {
		bool open = id % 2 == 0;
		struct wire_event *event;

		event = event_new(&slot, id, open ? BAILEY_EVENT_FILE_OPEN
						  : BAILEY_EVENT_PROCESS_EXIT,
				  open ? WIRE_EVENT_QUESTION | WIRE_EVENT_FILE
				       : 0);
		if (open) {
			fake_string(event, BAILEY_FIELD_PATH,
				    id % 4 ? "/usr/bin/x" : "/tmp/y");
			fake_number(event, BAILEY_FIELD_SIZE, 1000);
			fake_number(event, BAILEY_FIELD_DEADLINE, 1);
		}
		if (id % 4 == 0) {
			fake_number(event, BAILEY_FIELD_LINKS, 1);
		}
		assert_int_equal(record_write(&writer, event,
					      open ? CONTENT : NULL,
					      open ? sizeof(CONTENT) : 0), 0);
	}
	assert_int_equal(record_writer_end(&writer), 0);
}

static int setup(void **state)
{
	struct place *place = calloc(1, sizeof(*place));

	assert_non_null(place);
	place->fd = memfd_create("record", MFD_CLOEXEC);
	assert_true(place->fd >= 0);
	write_record(place->fd);
	snprintf(place->path, sizeof(place->path), "/proc/self/fd/%d",
		 place->fd);
	*state = place;
	return 0;
}

static int teardown(void **state)
{
	struct place *place = *state;

	close(place->fd);
	free(place);
	return 0;
}

static struct bailey_client *opened(struct place *place)
{
	struct bailey_client *client = NULL;

	assert_int_equal(bailey_client_open_record(&client, place->path), 0);
	return client;
}

static void do_events_come_in_their_recorded_order(void **state)
{
	struct bailey_client *client = opened(*state);
	struct pollfd p = { .fd = bailey_fd(client), .events = POLLIN };
	struct bailey_event *event;

	for (uint64_t id = 0; id < EVENTS; id++) {
		assert_int_equal(poll(&p, 1, 0), 1);
		assert_int_equal(bailey_next(client, -1, &event), 1);
		assert_int_equal(bailey_event_id(event), id);
		bailey_event_unref(event);
	}
	assert_int_equal(bailey_next(client, -1, &event), -EPIPE);
	assert_int_equal(bailey_next(client, -1, &event), -EPIPE);
	bailey_client_close(client);
}

static void are_answers_taken_though_the_deadline_is_long_past(void **state)
{
	struct bailey_client *client = opened(*state);
	struct bailey_event *event;

	assert_int_equal(bailey_next(client, -1, &event), 1);
	assert_int_equal(bailey_extend(client, event, 10), 0);
	assert_int_equal(bailey_answer(client, event, BAILEY_VERDICT_DENY,
				       BAILEY_SCOPE_ONCE, NULL), 0);
	assert_int_equal(bailey_answer(client, event, BAILEY_VERDICT_DENY,
				       BAILEY_SCOPE_ONCE, NULL), -EALREADY);
	bailey_event_unref(event);
	assert_int_equal(bailey_ready(client), 0);
	assert_int_equal(bailey_log(client, 6, "x"), 0);
	assert_int_equal(bailey_directory(client, BAILEY_DIRECTORY_CONTENT),
			 -ENOENT);
	bailey_client_close(client);
}

static void is_recorded_content_read_and_the_rest_absent(void **state)
{
	struct bailey_client *client = opened(*state);
	struct bailey_event *event, *news;
	char buffer[64] = "";

	assert_int_equal(bailey_next(client, -1, &event), 1);
	assert_int_equal(bailey_next(client, -1, &news), 1);
	assert_int_equal(bailey_file_read(event, 4, buffer, sizeof(buffer)),
			 sizeof(CONTENT) - 4);
	assert_string_equal(buffer, &CONTENT[4]);
	assert_int_equal(bailey_file_read(event, sizeof(CONTENT), buffer, 1),
			 -ENODATA);
	assert_int_equal(bailey_file_read(event, 1000, buffer, 1), 0);
	assert_int_equal(pread(bailey_event_file(event), buffer, 64, 0),
			 sizeof(CONTENT));
	assert_true(write(bailey_event_file(event), "x", 1) < 0);
	assert_int_equal(bailey_file_read(news, 0, buffer, 1), -ENODATA);
	assert_int_equal(bailey_event_file(news), -ENODATA);
	bailey_client_close(client);
	assert_int_equal(bailey_file_read(event, 0, buffer, 1), 1);
	bailey_event_unref(event);
	bailey_event_unref(news);
}

static void is_known_what_the_events_contain(void **state)
{
	struct bailey_client *client = opened(*state);
	enum bailey_event_kind open = BAILEY_EVENT_FILE_OPEN;
	enum bailey_field none = (enum bailey_field)0;

	assert_int_equal(bailey_field_known(client, open, none),
			 BAILEY_KNOWN_EXACT);
	assert_int_equal(bailey_field_known(client, open, BAILEY_FIELD_PATH),
			 BAILEY_KNOWN_EXACT);
	assert_int_equal(bailey_field_known(client, open, BAILEY_FIELD_LINKS),
			 BAILEY_KNOWN_HINT);
	assert_int_equal(bailey_field_known(client, open, BAILEY_FIELD_COMM),
			 BAILEY_KNOWN_ABSENT);
	assert_int_equal(bailey_field_known(client, BAILEY_EVENT_PROCESS_EXEC,
					    none), BAILEY_KNOWN_ABSENT);
	bailey_client_close(client);
}

static unsigned count_events(struct bailey_client *client)
{
	struct bailey_event *event;
	unsigned count = 0;

	while (bailey_next(client, -1, &event) == 1) {
		bailey_event_unref(event);
		count++;
	}
	return count;
}

static void do_subscriptions_and_mutes_choose_as_the_engine_does(void **state)
{
	struct bailey_client *client = opened(*state);
	struct bailey_subscription want = {
		sizeof(want), BAILEY_EVENT_PROCESS_EXEC, 0, 0
	};
	struct bailey_mute mute = {
		.size = sizeof(mute),
		.by = BAILEY_MUTE_PATH,
		.path = "/usr/",
	};

	assert_int_equal(bailey_subscribe(client, &want, 1), -ENOTSUP);
	want.kind = BAILEY_EVENT_FILE_OPEN;
	assert_int_equal(bailey_subscribe(client, &want, 1), 0);
	assert_int_equal(bailey_mute(client, &mute, 1), 0);
	assert_int_equal(count_events(client), EVENTS / 4);
	bailey_client_close(client);

	client = opened(*state);
	mute = (struct bailey_mute){ .size = sizeof(mute),
				     .by = BAILEY_MUTE_UID, .number = 1 };
	assert_int_equal(bailey_mute(client, &mute, 1), 0);
	assert_int_equal(count_events(client), EVENTS / 2);
	bailey_client_close(client);
}

static void is_holding_too_many_said_not_waited_for(void **state)
{
	struct place *place = *state;
	struct bailey_event *held[WIRE_SLOTS], *event;
	struct record_writer writer;
	struct bailey_client *client;
	struct slot slot;

	assert_int_equal(ftruncate(place->fd, 0), 0);
	assert_int_equal(lseek(place->fd, 0, SEEK_SET), 0);
	assert_int_equal(record_writer_init(&writer, place->fd), 0);
	for (unsigned i = 0; i <= WIRE_SLOTS; i++) {
		assert_int_equal(record_write(&writer,
			event_new(&slot, i, BAILEY_EVENT_PROCESS_EXIT, 0),
			NULL, 0), 0);
	}
	assert_int_equal(record_writer_end(&writer), 0);
	client = opened(place);
	for (unsigned i = 0; i < WIRE_SLOTS; i++) {
		assert_int_equal(bailey_next(client, -1, &held[i]), 1);
	}
	assert_int_equal(bailey_next(client, -1, &event), -BAILEY_E_FULL);
	bailey_event_unref(held[7]);
	assert_int_equal(bailey_next(client, -1, &held[7]), 1);
	assert_int_equal(bailey_event_id(held[7]), WIRE_SLOTS);
	for (unsigned i = 0; i < WIRE_SLOTS; i++) {
		bailey_event_unref(held[i]);
	}
	bailey_client_close(client);
}

static void are_missing_and_odd_files_refused(void **state)
{
	struct bailey_client *untouched = (void *)8, *client = untouched;

	(void)state;
	assert_int_equal(bailey_client_open_record(&client, "/nowhere/x"),
			 -ENOENT);
	assert_int_equal(bailey_client_open_record(&client, "/"),
			 -BAILEY_E_RECORD);
	assert_int_equal(bailey_client_open_record(&client, "/dev/null"),
			 -BAILEY_E_RECORD);
	assert_ptr_equal(client, untouched);
}

/* Reads a damaged copy to its end: the result, and where the fault is. */
static int damaged(const unsigned char *bytes, size_t size, uint64_t *ret_at)
{
	int fd = memfd_create("damaged", MFD_CLOEXEC);
	struct record_reader reader;
	struct record_content content;
	struct slot slot;
	int r;

	assert_int_equal(write(fd, bytes, size), size);
	r = record_reader_init(&reader, fd);
	while (r >= 0 && (r = record_read(&reader, slot.bytes, &content)) > 0) {
	}
	if (r < 0) {
		assert_non_null(record_fault(&reader, ret_at));
		assert_int_equal(record_read(&reader, slot.bytes, &content), r);
	}
	close(fd);
	return r;
}

static unsigned char *whole(struct place *place, size_t *ret_size)
{
	off_t size = lseek(place->fd, 0, SEEK_END);
	unsigned char *bytes = malloc((size_t)size + 8);

	assert_int_equal(pread(place->fd, bytes, (size_t)size, 0), size);
	*ret_size = (size_t)size;
	return bytes;
}

static void is_every_flipped_byte_found(void **state)
{
	size_t size;
	unsigned char *bytes = whole(*state, &size);
	uint64_t at;

	assert_int_equal(damaged(bytes, size, &at), 0);
	for (size_t i = 0; i < size; i += i < 600 ? 1 : 13) {
		bytes[i] ^= 0x10;
		at = UINT64_MAX;
		assert_int_equal(damaged(bytes, size, &at), -BAILEY_E_RECORD);
		assert_true(at <= size);
		bytes[i] ^= 0x10;
	}
	free(bytes);
}

static void is_every_cut_and_every_extra_byte_found(void **state)
{
	size_t size;
	unsigned char *bytes = whole(*state, &size);
	uint64_t at;

	for (size_t i = 0; i < size; i += i < 600 ? 1 : 13) {
		assert_int_equal(damaged(bytes, i, &at), -BAILEY_E_RECORD);
	}
	bytes[size] = 0;
	assert_int_equal(damaged(bytes, size + 1, &at), -BAILEY_E_RECORD);
	assert_int_equal(at, size);
	free(bytes);
}

static void does_the_writer_refuse_what_the_reader_would(void **state)
{
	struct record_writer writer;
	struct slot slot;
	struct wire_event *event;
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	int fd = memfd_create("w", MFD_CLOEXEC);

	(void)state;
	assert_int_equal(record_writer_init(&writer, fd), 0);
	event = event_new(&slot, 1, BAILEY_EVENT_FILE_OPEN, 0);
	event->size = WIRE_SLOT_SIZE + 1;
	assert_int_equal(record_write(&writer, event, NULL, 0), -EINVAL);
	event = event_new(&slot, 1, BAILEY_EVENT_FILE_OPEN, 0);
	event->present |= 1ull << BAILEY_FIELD_PATH;
	event->string[0].offset = 448;
	assert_int_equal(record_write(&writer, event, NULL, 0), -EINVAL);
	event = event_new(&slot, 1, 0, 0);
	assert_int_equal(record_write(&writer, event, NULL, 0), -EINVAL);
	assert_int_equal(record_writer_end(&writer), 0);
	assert_int_equal(record_writer_init(&writer, full), -ENOSPC);
	event = event_new(&slot, 1, BAILEY_EVENT_FILE_OPEN, 0);
	assert_int_equal(record_write(&writer, event, NULL, 0), -ENOSPC);
	close(full);
	close(fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(do_events_come_in_their_recorded_order),
		TEST(are_answers_taken_though_the_deadline_is_long_past),
		TEST(is_recorded_content_read_and_the_rest_absent),
		TEST(is_known_what_the_events_contain),
		TEST(do_subscriptions_and_mutes_choose_as_the_engine_does),
		TEST(is_holding_too_many_said_not_waited_for),
		TEST(are_missing_and_odd_files_refused),
		TEST(is_every_flipped_byte_found),
		TEST(is_every_cut_and_every_extra_byte_found),
		TEST(does_the_writer_refuse_what_the_reader_would),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
