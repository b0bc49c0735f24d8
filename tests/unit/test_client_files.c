/* SPDX-License-Identifier: Apache-2.0 */
/* Do descriptors reach their events, and does none stay anywhere? */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <bailey/client.h>

#include "lib/fake_broker.h"

#define FLAGS (WIRE_EVENT_QUESTION | WIRE_EVENT_FILE)

struct pair {
	struct fake *fake;
	struct bailey_client *client;
	int object;
	unsigned open_before;
};

static unsigned open_descriptors(void)
{
	unsigned n = 0;

	for (int fd = 0; fd < 512; fd++) {
		n += fcntl(fd, F_GETFD) >= 0;
	}
	return n;
}

static int setup(void **state)
{
	struct pair *pair = calloc(1, sizeof(*pair));

	assert_non_null(pair);
	pair->open_before = open_descriptors();
	pair->fake = fake_start(NULL);
	assert_int_equal(bailey_client_connect(&pair->client, BAILEY_API, "",
					       0), 0);
	fake_seen(pair->fake);
	pair->object = memfd_create("object", MFD_CLOEXEC);
	assert_int_equal(write(pair->object, "contents", 8), 8);
	*state = pair;
	return 0;
}

static int teardown(void **state)
{
	struct pair *pair = *state;

	bailey_client_close(pair->client);
	fake_stop(pair->fake);
	close(pair->object);
	assert_int_equal(open_descriptors(), pair->open_before);
	free(pair);
	return 0;
}

static void publish(struct pair *pair, uint32_t slot, uint64_t id)
{
	fake_event(pair->fake, slot, id, BAILEY_EVENT_FILE_OPEN, FLAGS);
	fake_publish(pair->fake, slot);
}

static struct bailey_event *next(struct pair *pair)
{
	struct bailey_event *event = NULL;

	assert_int_equal(bailey_next(pair->client, 5000, &event), 1);
	return event;
}

/* Messages that nobody received yet, in the product's end. */
static bool anything_in_flight(struct fake *fake)
{
	int bytes = 0;

	assert_int_equal(ioctl(fake->files, TIOCOUTQ, &bytes), 0);
	return bytes != 0;
}

static void does_file_read_read_at_an_offset(void **state)
{
	struct pair *pair = *state;
	struct bailey_event *event;
	char buffer[32] = "";

	fake_send_file(pair->fake, 1, 0, pair->object);
	publish(pair, 0, 1);
	event = next(pair);
	assert_int_equal(lseek(pair->object, 3, SEEK_SET), 3);
	assert_int_equal(bailey_file_read(event, 4, buffer, sizeof(buffer)), 4);
	assert_string_equal(buffer, "ents");
	assert_int_equal(bailey_file_read(event, 8, buffer, 1), 0);
	assert_int_equal(bailey_file_read(event, UINT64_MAX, buffer, 1),
			 -EINVAL);
	assert_int_equal(lseek(pair->object, 0, SEEK_CUR), 3);
	assert_true(bailey_event_file(event) >= 0);
	assert_int_equal(bailey_event_file(event), bailey_event_file(event));
	bailey_event_unref(event);
}

static void is_a_file_absent_where_none_was_sent(void **state)
{
	struct pair *pair = *state;
	struct bailey_event *plain, *lied;
	char byte;

	fake_event(pair->fake, 0, 1, BAILEY_EVENT_FILE_OPEN,
		   WIRE_EVENT_QUESTION);
	fake_publish(pair->fake, 0);
	publish(pair, 1, 2);
	plain = next(pair);
	lied = next(pair);
	assert_int_equal(bailey_event_file(plain), -ENODATA);
	assert_int_equal(bailey_file_read(plain, 0, &byte, 1), -ENODATA);
	assert_int_equal(bailey_event_file(lied), -ENODATA);
	bailey_event_unref(plain);
	bailey_event_unref(lied);
}

static void do_descriptors_find_their_events_in_any_order(void **state)
{
	struct pair *pair = *state;
	struct bailey_event *events[8];
	char byte;

	for (uint32_t i = 0; i < 8; i++) {
		int fd = memfd_create("one", MFD_CLOEXEC);

		assert_int_equal(write(fd, &"abcdefgh"[i], 1), 1);
		fake_send_file(pair->fake, 100 + i, i, fd);
		close(fd);
		publish(pair, i, 100 + i);
	}
	for (uint32_t i = 0; i < 8; i++) {
		events[i] = next(pair);
	}
	for (uint32_t i = 8; i-- > 0;) {
		assert_int_equal(bailey_file_read(events[i], 0, &byte, 1), 1);
		assert_int_equal(byte, "abcdefgh"[i]);
	}
	for (uint32_t i = 0; i < 8; i++) {
		bailey_event_unref(events[i]);
	}
}

static void does_a_release_leave_nothing_in_flight_or_open(void **state)
{
	struct pair *pair = *state;
	unsigned before = open_descriptors();

	for (uint64_t i = 0; i < 200; i++) {
		struct wire_answer answer;

		fake_send_file(pair->fake, i, 5, pair->object);
		publish(pair, 5, i);
		bailey_event_unref(next(pair));
		assert_true(fake_take(pair->fake, &answer));
		assert_int_equal(answer.type, WIRE_ANSWER_RELEASE);
		assert_false(anything_in_flight(pair->fake));
		assert_int_equal(open_descriptors(), before);
	}
}

/* Descriptors for no slot, for a past event, two for one event. */
static void are_descriptors_that_nobody_claims_closed(void **state)
{
	struct pair *pair = *state;
	struct bailey_event *event;

	fake_send_file(pair->fake, 1, 4096, pair->object);
	fake_send_file(pair->fake, 99, 3, pair->object);
	fake_send_file(pair->fake, 1, 3, pair->object);
	fake_send_file(pair->fake, 1, 3, pair->object);
	assert_int_equal(send(pair->fake->files, "short", 5, 0), 5);
	publish(pair, 3, 1);
	event = next(pair);
	assert_true(bailey_event_file(event) >= 0);
	bailey_event_unref(event);
}

static void are_files_of_held_events_readable_after_close(void **state)
{
	struct pair *pair = *state;
	struct bailey_event *event;
	char buffer[8];

	fake_send_file(pair->fake, 1, 0, pair->object);
	publish(pair, 0, 1);
	event = next(pair);
	fake_send_file(pair->fake, 2, 1, pair->object);
	publish(pair, 1, 2);
	bailey_client_close(pair->client);
	pair->client = NULL;
	assert_int_equal(bailey_file_read(event, 0, buffer, 8), 8);
	assert_memory_equal(buffer, "contents", 8);
	bailey_event_unref(event);
}

static void content(struct pair *pair, uint32_t slot, uint64_t id, int sent)
{
	if (sent >= 0) {
		fake_send_file(pair->fake, id, slot, sent);
	}
	fake_event(pair->fake, slot, id, BAILEY_EVENT_CONTENT,
		   WIRE_EVENT_FILE);
	fake_publish_slot(pair->fake, false, slot);
}

static bool is_same_file(int a, int b)
{
	struct stat x, y;

	return fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_ino == y.st_ino;
}

static void is_new_content_there_once_its_event_was_taken(void **state)
{
	struct pair *pair = *state;
	struct bailey_event *first, *second;
	int other = memfd_create("other", MFD_CLOEXEC), former;

	content(pair, 0, 1, pair->object);
	assert_int_equal(bailey_directory(pair->client,
					  BAILEY_DIRECTORY_CONTENT), -ENOENT);
	first = next(pair);
	former = bailey_directory(pair->client, BAILEY_DIRECTORY_CONTENT);
	assert_true(is_same_file(former, pair->object));
	assert_int_equal(bailey_event_file(first), -ENODATA);
	bailey_event_unref(first);
	content(pair, 0, 2, other);
	second = next(pair);
	assert_true(is_same_file(bailey_directory(pair->client,
						  BAILEY_DIRECTORY_CONTENT),
				 other));
	assert_int_equal(bailey_event_file(second), former);
	assert_int_equal(bailey_content_done(pair->client, second, -ENOENT), 0);
	assert_int_equal(fake_requests(pair->fake, WIRE_REQUEST_CONTENT_DONE),
			 1);
	bailey_event_unref(second);
	assert_int_equal(fcntl(former, F_GETFD), -1);
	close(other);
}

static void is_content_that_did_not_come_absent(void **state)
{
	struct pair *pair = *state;
	struct bailey_event *event;

	content(pair, 0, 1, pair->object);
	bailey_event_unref(next(pair));
	content(pair, 1, 2, -1);
	event = next(pair);
	assert_int_equal(bailey_directory(pair->client,
					  BAILEY_DIRECTORY_CONTENT), -ENOENT);
	bailey_event_unref(event);
	publish(pair, 2, 3);
	event = next(pair);
	assert_int_equal(bailey_content_done(pair->client, event, 0), -EINVAL);
	bailey_event_unref(event);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(does_file_read_read_at_an_offset),
		TEST(is_a_file_absent_where_none_was_sent),
		TEST(do_descriptors_find_their_events_in_any_order),
		TEST(does_a_release_leave_nothing_in_flight_or_open),
		TEST(are_descriptors_that_nobody_claims_closed),
		TEST(are_files_of_held_events_readable_after_close),
		TEST(is_new_content_there_once_its_event_was_taken),
		TEST(is_content_that_did_not_come_absent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
