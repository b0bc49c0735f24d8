/* SPDX-License-Identifier: Apache-2.0 */
/* Do connect and the control requests say what the broker said? */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include <bailey/client.h>

#include "lib/fake_broker.h"

static struct bailey_client *connected(void)
{
	struct bailey_client *client = NULL;

	assert_int_equal(bailey_client_connect(&client, BAILEY_API, "v1", 20),
			 0);
	assert_non_null(client);
	return client;
}

static int connect_result(const struct fake_script *script)
{
	struct bailey_client *untouched = (void *)8, *client = untouched;
	struct fake *fake = fake_start(script);
	int r = bailey_client_connect(&client, BAILEY_API, "", 0);

	assert_ptr_equal(client, untouched);
	fake_stop(fake);
	return r;
}

static unsigned open_descriptors(void)
{
	unsigned n = 0;

	for (int fd = 0; fd < 256; fd++) {
		n += fcntl(fd, F_GETFD) >= 0;
	}
	return n;
}

static void does_connect_without_a_broker_say_so(void **state)
{
	struct bailey_client *client;
	int saved = fcntl(WIRE_SESSION_FD, F_DUPFD_CLOEXEC, 32);
	int null;

	(void)state;
	close(WIRE_SESSION_FD);
	assert_int_equal(bailey_client_connect(&client, BAILEY_API, "", 0),
			 -BAILEY_E_NO_SESSION);
	null = open("/dev/null", O_RDWR);
	assert_int_equal(dup2(null, WIRE_SESSION_FD), WIRE_SESSION_FD);
	assert_int_equal(bailey_client_connect(&client, BAILEY_API, "", 0),
			 -BAILEY_E_NO_SESSION);
	if (null != WIRE_SESSION_FD) {
		close(null);
	}
	close(WIRE_SESSION_FD);
	if (saved >= 0) {
		dup2(saved, WIRE_SESSION_FD);
		close(saved);
	}
}

static void does_hello_carry_schema_and_field_count(void **state)
{
	struct fake *fake = fake_start(NULL);
	struct bailey_client *client = connected();

	(void)state;
	assert_int_equal(fake_seen(fake)->hello.version, WIRE_VERSION);
	assert_int_equal(fake_seen(fake)->hello.field_count, 20);
	assert_string_equal(fake_seen(fake)->hello.schema, "v1");
	bailey_client_close(client);
	fake_stop(fake);
}

static void are_wrong_hello_replies_refused_without_a_leak(void **state)
{
	static const struct {
		struct fake_script script;
		int result;
	} cases[] = {
		{ { .hello_error = BAILEY_E_SCHEMA }, -BAILEY_E_SCHEMA },
		{ { .hello_error = BAILEY_E_VERSION }, -BAILEY_E_VERSION },
		{ { .version = 99 }, -BAILEY_E_VERSION },
		{ { .slots = WIRE_SLOTS + 1 }, -BAILEY_E_VERSION },
		{ { .events_bytes = 4096 }, -BAILEY_E_VERSION },
		{ { .leave_out = 1 }, -EPROTO },
		{ { .leave_out = 5 }, -EPROTO },
		{ { .directories = 1u << 9 }, -EPROTO },
		{ { .reply_bytes = 8 }, -EPROTO },
		{ { .hang_up = true }, -BAILEY_E_NO_SESSION },
	};
	unsigned before = open_descriptors();

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(connect_result(&cases[i].script),
				 cases[i].result);
	}
	assert_int_equal(open_descriptors(), before);
}

static void is_a_second_connect_or_another_api_refused(void **state)
{
	struct fake *fake = fake_start(NULL);
	struct bailey_client *client = connected(), *other;

	(void)state;
	assert_int_equal(bailey_client_connect(&other, BAILEY_API, "", 0),
			 -BAILEY_E_NO_SESSION);
	assert_int_equal(bailey_client_connect(&other, 99, "", 0),
			 -BAILEY_E_VERSION);
	bailey_client_close(client);
	bailey_client_close(NULL);
	fake_stop(fake);
}

static void do_subscribe_and_ready_reach_the_broker(void **state)
{
	struct fake *fake = fake_start(NULL);
	struct bailey_client *client = connected();
	struct bailey_subscription list[] = {
		{ sizeof(list[0]), BAILEY_EVENT_FILE_OPEN, 50,
		  BAILEY_WANT_FILE },
		{ sizeof(list[0]), BAILEY_EVENT_PROCESS_EXEC, 0, 0 },
	};

	(void)state;
	assert_int_equal(bailey_subscribe(client, list, 2), 0);
	assert_int_equal(fake_seen(fake)->last_count[WIRE_REQUEST_SUBSCRIBE],
			 2);
	assert_int_equal(fake_seen(fake)->last_size[WIRE_REQUEST_SUBSCRIBE],
			 sizeof(list));
	assert_memory_equal(fake_seen(fake)->last[WIRE_REQUEST_SUBSCRIBE], list,
			    sizeof(list));
	assert_int_equal(bailey_ready(client), 0);
	assert_int_equal(fake_requests(fake, WIRE_REQUEST_READY), 1);

	fake_refuse(fake, WIRE_REQUEST_SUBSCRIBE, BAILEY_E_NOT_ASKED, 0);
	assert_int_equal(bailey_subscribe(client, list, 1),
			 -BAILEY_E_NOT_ASKED);
	fake_refuse(fake, WIRE_REQUEST_SUBSCRIBE, ENOTSUP, 0);
	assert_int_equal(bailey_subscribe(client, list, 1), -ENOTSUP);
	list[0].size = 4;
	assert_int_equal(bailey_subscribe(client, list, 1), -EINVAL);
	assert_int_equal(bailey_subscribe(client, list,
					  WIRE_SUBSCRIPTIONS + 1), -EINVAL);
	bailey_client_close(client);
	fake_stop(fake);
}

static struct bailey_mute mute_uid(uint64_t uid)
{
	return (struct bailey_mute){
		.size = sizeof(struct bailey_mute),
		.by = BAILEY_MUTE_UID,
		.number = uid,
	};
}

static void is_the_list_of_mutes_kept_and_bounded(void **state)
{
	struct fake *fake = fake_start(NULL);
	struct bailey_client *client = connected();
	struct bailey_mute m, list[WIRE_MUTES + 1];

	(void)state;
	for (unsigned i = 0; i < WIRE_MUTES + 1; i++) {
		list[i] = mute_uid(i);
	}
	assert_int_equal(bailey_mute(client, list, WIRE_MUTES + 1),
			 -BAILEY_E_FULL);
	assert_int_equal(bailey_mute_list(client, &m, 1), 0);
	assert_int_equal(bailey_mute(client, list, WIRE_MUTES), 0);
	assert_int_equal(bailey_mute(client, list, 3), 0);
	assert_int_equal(fake_requests(fake, WIRE_REQUEST_MUTE), 1);
	assert_int_equal(bailey_mute(client, &list[WIRE_MUTES], 1),
			 -BAILEY_E_FULL);
	assert_int_equal(bailey_mute_list(client, list, 2), WIRE_MUTES);
	m = mute_uid(1000);
	assert_int_equal(bailey_unmute(client, &m, 1), -ENOENT);
	fake_refuse(fake, WIRE_REQUEST_UNMUTE, EPERM, 0);
	m = mute_uid(5);
	assert_int_equal(bailey_unmute(client, &m, 1), -EPERM);
	assert_int_equal(bailey_mute_list(client, NULL, 0), WIRE_MUTES);
	assert_int_equal(bailey_unmute(client, &m, 1), 0);
	assert_int_equal(bailey_unmute(client, &m, 1), -ENOENT);
	assert_int_equal(bailey_mute_list(client, NULL, 0), WIRE_MUTES - 1);
	bailey_client_close(client);
	fake_stop(fake);
}

static void are_malformed_mutes_refused_and_paths_made_canonical(void **state)
{
	struct fake *fake = fake_start(NULL);
	struct bailey_client *client = connected();
	struct bailey_mute m = {
		.size = sizeof(m),
		.by = BAILEY_MUTE_PATH,
		.path = "/usr/\0garbage",
	}, bad;

	(void)state;
	assert_int_equal(bailey_mute(client, &m, 1), 0);
	memset(m.path, 0, sizeof(m.path));
	memcpy(m.path, "/usr/", 5);
	assert_int_equal(bailey_unmute(client, &m, 1), 0);
	bad = m;
	bad.path[0] = 'x';
	assert_int_equal(bailey_mute(client, &bad, 1), -EINVAL);
	bad = m;
	memset(bad.path, '/', sizeof(bad.path));
	assert_int_equal(bailey_mute(client, &bad, 1), -EINVAL);
	bad = m;
	bad.by = 9;
	assert_int_equal(bailey_mute(client, &bad, 1), -EINVAL);
	bad = m;
	bad.size--;
	assert_int_equal(bailey_mute(client, &bad, 1), -EINVAL);
	bad = m;
	bad.reserved = 1;
	assert_int_equal(bailey_mute(client, &bad, 1), -EINVAL);
	bailey_client_close(client);
	fake_stop(fake);
}

static void do_rules_go_in_pieces_and_errors_name_the_line(void **state)
{
	struct fake *fake = fake_start(NULL);
	struct bailey_client *client = connected();
	size_t size = 150000;
	char *text = malloc(size);
	int line = -7;

	(void)state;
	memset(text, '#', size);
	assert_int_equal(bailey_rules_replace(client, text, size, &line), 0);
	assert_int_equal(line, -7);
	assert_int_equal(fake_requests(fake, WIRE_REQUEST_TEXT_BEGIN), 1);
	assert_int_equal(fake_requests(fake, WIRE_REQUEST_TEXT_ADD), 3);
	assert_int_equal(fake_requests(fake, WIRE_REQUEST_TEXT_COMMIT), 1);
	assert_int_equal(fake_seen(fake)->text_bytes, size);
	fake_refuse(fake, WIRE_REQUEST_TEXT_COMMIT, BAILEY_E_RULE, 12);
	assert_int_equal(bailey_rules_replace(client, "x", 1, &line),
			 -BAILEY_E_RULE);
	assert_int_equal(line, 12);
	fake_refuse(fake, WIRE_REQUEST_TEXT_ADD, E2BIG, 0);
	assert_int_equal(bailey_rules_replace(client, "x", 1, NULL), -E2BIG);
	free(text);
	bailey_client_close(client);
	fake_stop(fake);
}

static void does_a_collection_go_in_whole_members(void **state)
{
	struct fake *fake = fake_start(NULL);
	struct bailey_client *client = connected();
	unsigned char *hashes = calloc(3000, 32);

	(void)state;
	assert_int_equal(bailey_collection_add(client, hashes, 1), -EINVAL);
	assert_int_equal(bailey_collection_commit(client), -EINVAL);
	assert_int_equal(bailey_collection_begin(client, "", 1), -EINVAL);
	assert_int_equal(bailey_collection_begin(client, "bad",
						 BAILEY_COLLECTION_SHA256), 0);
	assert_int_equal(bailey_collection_begin(client, "bad",
						 BAILEY_COLLECTION_SHA256),
			 -EBUSY);
	assert_int_equal(bailey_collection_add(client, hashes, 3000), 0);
	assert_int_equal(fake_requests(fake, WIRE_REQUEST_SET_ADD), 2);
	assert_int_equal(fake_seen(fake)->last_size[WIRE_REQUEST_SET_ADD] % 32,
			 0);
	assert_int_equal(fake_seen(fake)->last_count[WIRE_REQUEST_SET_ADD],
			 3000 - 65528 / 32);
	assert_int_equal(bailey_collection_remove(client, hashes, 1), 0);
	assert_int_equal(bailey_collection_commit(client), 0);
	assert_int_equal(bailey_collection_commit(client), -EINVAL);
	free(hashes);
	bailey_client_close(client);
	fake_stop(fake);
}

static void are_directories_what_hello_brought(void **state)
{
	struct fake_script script = {
		.directories = 1u << BAILEY_DIRECTORY_CONTENT |
			       1u << BAILEY_DIRECTORY_STATE,
	};
	struct fake *fake = fake_start(&script);
	struct bailey_client *client = connected();

	(void)state;
	assert_true(bailey_directory(client, BAILEY_DIRECTORY_CONTENT) >= 0);
	assert_true(bailey_directory(client, BAILEY_DIRECTORY_STATE) >= 0);
	assert_int_equal(bailey_directory(client, BAILEY_DIRECTORY_CONFIG),
			 -ENOENT);
	assert_int_equal(bailey_directory(client,
					  (enum bailey_directory)77), -ENOENT);
	bailey_client_close(client);
	fake_stop(fake);
}

static void is_known_what_the_broker_says_and_nothing_else(void **state)
{
	struct fake *fake = fake_start(NULL);
	struct bailey_client *client = connected();
	enum bailey_event_kind open = BAILEY_EVENT_FILE_OPEN;

	(void)state;
	assert_int_equal(bailey_field_known(client, open, BAILEY_FIELD_PID),
			 BAILEY_KNOWN_EXACT);
	assert_int_equal(bailey_field_known(client, open, BAILEY_FIELD_COMM),
			 BAILEY_KNOWN_HINT);
	assert_int_equal(bailey_field_known(client, open, BAILEY_FIELD_UID),
			 BAILEY_KNOWN_ABSENT);
	assert_int_equal(bailey_field_known(client, open,
					    (enum bailey_field)64),
			 BAILEY_KNOWN_ABSENT);
	assert_int_equal(bailey_field_known(client, BAILEY_EVENT_STOP,
					    BAILEY_FIELD_PID),
			 BAILEY_KNOWN_ABSENT);
	assert_int_equal(bailey_field_known(client,
					    (enum bailey_event_kind)4242,
					    BAILEY_FIELD_PID),
			 BAILEY_KNOWN_ABSENT);
	bailey_client_close(client);
	fake_stop(fake);
}

static void does_log_never_wait_and_count_what_it_drops(void **state)
{
	struct fake *fake = fake_start(NULL);
	struct bailey_client *client = connected();
	const struct wire_log *line;
	unsigned sent = 0, dropped = 0, before;

	(void)state;
	line = (const void *)fake_seen(fake)->last[WIRE_REQUEST_LOG];
	assert_int_equal(bailey_log(client, 8, "x"), -EINVAL);
	assert_int_equal(bailey_log(client, 6, "hello"), 0);
	fake_await(fake, WIRE_REQUEST_LOG, 1);
	assert_string_equal(line->text, "hello");
	assert_int_equal(line->dropped, 0);

	pthread_mutex_lock(&fake->lock);        /* nobody reads now */
	while (dropped < 3) {
		if (bailey_log(client, 6, "flood") == -EAGAIN) {
			dropped++;
		} else {
			sent++;
		}
	}
	before = fake->requests[WIRE_REQUEST_LOG];
	pthread_mutex_unlock(&fake->lock);
	fake_await(fake, WIRE_REQUEST_LOG, before + sent);
	assert_int_equal(bailey_log(client, 6, "after"), 0);
	fake_await(fake, WIRE_REQUEST_LOG, before + sent + 1);
	assert_string_equal(line->text, "after");
	assert_int_equal(line->dropped, 3);
	bailey_client_close(client);
	fake_stop(fake);
}

static void is_a_session_out_of_step_over_for_requests(void **state)
{
	struct fake *fake = fake_start(NULL);
	struct bailey_client *client = connected();

	(void)state;
	fake_confuse(fake, 99);
	assert_int_equal(bailey_ready(client), -EPIPE);
	fake_confuse(fake, 0);
	assert_int_equal(bailey_ready(client), -EPIPE);
	bailey_client_close(client);
	fake_stop(fake);
}

static void does_a_dead_engine_fail_requests_with_epipe(void **state)
{
	struct fake *fake = fake_start(NULL);
	struct bailey_client *client = connected();

	(void)state;
	fake_hang_up(fake);
	assert_int_equal(bailey_ready(client), -EPIPE);
	assert_int_equal(bailey_log(client, 3, "into the dark"), -EPIPE);
	bailey_client_close(client);
	fake_stop(fake);
}

static void has_every_error_a_text_and_every_number_a_name(void **state)
{
	(void)state;
	assert_string_equal(bailey_strerror(-BAILEY_E_TOO_LATE),
			    "the question was answered before this");
	assert_string_equal(bailey_strerror(-ENOENT), strerror(ENOENT));
	assert_string_equal(bailey_strerror(-399999), "unknown error");
	assert_non_null(bailey_strerror(-2147483647 - 1));
	assert_string_equal(bailey_event_kind_name(2000), "file.open");
	assert_null(bailey_event_kind_name(2001));
	assert_string_equal(bailey_field_name(40), "path");
	assert_null(bailey_field_name(0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(does_connect_without_a_broker_say_so),
		cmocka_unit_test(does_hello_carry_schema_and_field_count),
		cmocka_unit_test(
			are_wrong_hello_replies_refused_without_a_leak),
		cmocka_unit_test(is_a_second_connect_or_another_api_refused),
		cmocka_unit_test(do_subscribe_and_ready_reach_the_broker),
		cmocka_unit_test(is_the_list_of_mutes_kept_and_bounded),
		cmocka_unit_test(
			are_malformed_mutes_refused_and_paths_made_canonical),
		cmocka_unit_test(
			do_rules_go_in_pieces_and_errors_name_the_line),
		cmocka_unit_test(does_a_collection_go_in_whole_members),
		cmocka_unit_test(are_directories_what_hello_brought),
		cmocka_unit_test(
			is_known_what_the_broker_says_and_nothing_else),
		cmocka_unit_test(does_log_never_wait_and_count_what_it_drops),
		cmocka_unit_test(is_a_session_out_of_step_over_for_requests),
		cmocka_unit_test(does_a_dead_engine_fail_requests_with_epipe),
		cmocka_unit_test(
			has_every_error_a_text_and_every_number_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
