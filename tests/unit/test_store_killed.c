/* SPDX-License-Identifier: Apache-2.0 */
/* On the kernel's file system, with the host's clock: does a process that is
 * killed anywhere leave a store with which the next one goes on? */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "content/store.h"
#include "lib/made_version.h"

static struct made_source source;
static struct made_version made[3];
static size_t known;                    /* versions, to the last store */
static const struct store_words words = { STATE_BY_PERSON, "wanted", NULL,
					  0 };

/* A child that goes back and forth until it is killed. */
static void back_and_forth(int dir)
{
	struct store_setup real = { .dir = dir, .product = MADE_PRODUCT };
	uint8_t hash[VERSION_HASH];
	struct store *s = NULL;

	if (store_open(&real, &s) < 0 || store_recover(s) < 0) {
		_exit(1);
	}
	for (unsigned i = 0;; i = (i + 1) % 3) {
		if (store_admit(s, made[i].text, made[i].length,
				&source.source, &words, hash) < 0 ||
		    store_note(s, STATE_EVENT_PREFLIGHTED, hash, NULL,
			       &words) < 0 ||
		    store_activate(s, hash, &words) < 0 ||
		    store_trial_end(s, hash, &words) < 0 ||
		    store_revert(s, NULL, &words, hash) < 0) {
			_exit(1);
		}
	}
}

static void kill_one(int dir, unsigned after_us)
{
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (child == 0) {
		back_and_forth(dir);
	}
	usleep(after_us);
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
}

static void look_at_real(int dir)
{
	struct store_setup real = { .dir = dir, .product = MADE_PRODUCT };
	struct store *s = NULL, *second = NULL;
	uint8_t hash[VERSION_HASH], pointed[VERSION_HASH];

	assert_int_equal(store_open(&real, &s), 0);
	assert_int_equal(store_open(&real, &second), -EWOULDBLOCK);
	assert_true(store_recover(s) >= 0);
	if (store_current(s, hash) == 0) {
		assert_int_equal(slot_pointed(disk_real(), dir, pointed), 0);
		assert_memory_equal(pointed, hash, sizeof(hash));
		assert_int_equal(store_check(s, hash), 0);
	}
	known = store_state(s)->count;
	store_close(s);
}

static void test_killed(void **state)
{
	char folder[] = "/tmp/test_store.XXXXXX";
	int dir;

	made_source_init(&source);
	for (unsigned i = 0; i < 3; i++) {
		made_version(&source, i + 1, 0, &made[i]);
	}
	assert_non_null(mkdtemp(folder));
	dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(dir >= 0);
	/* Until they got somewhere: on a busy host each is given more time. */
	for (unsigned i = 0; i < 40 || known < 3; i++) {
		assert_true(i < 400);
		kill_one(dir, 500 + i * 377 % 9000 + i * (50 + i));
		look_at_real(dir);
	}
	close(dir);
	assert_int_equal(disk_remove_tree(disk_real(), AT_FDCWD, folder), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_killed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
