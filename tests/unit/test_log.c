/* SPDX-License-Identifier: Apache-2.0 */
/* Can a full, closed or slow standard error hold up or end the process? */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"

struct stderr_swap {
	int saved;
};

static void swap_in(struct stderr_swap *swap, int fd)
{
	swap->saved = dup(STDERR_FILENO);
	assert_true(swap->saved >= 0);
	assert_int_equal(dup2(fd, STDERR_FILENO), STDERR_FILENO);
}

static void swap_back(struct stderr_swap *swap)
{
	assert_int_equal(dup2(swap->saved, STDERR_FILENO), STDERR_FILENO);
	close(swap->saved);
}

static void does_a_line_carry_tag_and_newline(void **state)
{
	struct stderr_swap swap;
	char text[128] = "";
	int pipes[2];
	ssize_t n;

	(void)state;
	assert_int_equal(pipe(pipes), 0);
	unsetenv("JOURNAL_STREAM");
	log_init("bailey-test", LOG_INFO);
	swap_in(&swap, pipes[1]);
	log_notice("opened %d", 7);
	log_line(LOG_DEBUG, "not above the highest level");
	swap_back(&swap);
	n = read(pipes[0], text, sizeof(text) - 1);
	assert_true(n > 0);
	assert_string_equal(text, "bailey-test: opened 7\n");
	close(pipes[0]);
	close(pipes[1]);
}

static void is_a_line_for_a_full_pipe_dropped_and_counted(void **state)
{
	struct stderr_swap swap;
	unsigned long before = log_dropped();
	char page[4096] = "";
	int pipes[2];

	(void)state;
	assert_int_equal(pipe2(pipes, O_NONBLOCK), 0);
	while (write(pipes[1], page, sizeof(page)) > 0) {
	}
	assert_int_equal(fcntl(pipes[1], F_SETFL, 0), 0);
	swap_in(&swap, pipes[1]);
	log_notice("nobody reads this");
	swap_back(&swap);
	assert_int_equal(log_dropped(), before + 1);
	close(pipes[0]);
	close(pipes[1]);
}

static void is_a_line_longer_than_the_buffer_cut(void **state)
{
	struct stderr_swap swap;
	char text[4096] = "", big[3000];
	int pipes[2];
	ssize_t n;

	(void)state;
	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = 0;
	assert_int_equal(pipe(pipes), 0);
	swap_in(&swap, pipes[1]);
	log_notice("%s", big);
	swap_back(&swap);
	n = read(pipes[0], text, sizeof(text));
	assert_int_equal(n, 1023);
	assert_int_equal(text[n - 1], '\n');
	close(pipes[0]);
	close(pipes[1]);
}

static void is_a_line_to_a_closed_descriptor_counted(void **state)
{
	unsigned long before = log_dropped();
	int saved = dup(STDERR_FILENO);

	(void)state;
	close(STDERR_FILENO);
	log_notice("nobody is there");
	dup2(saved, STDERR_FILENO);
	close(saved);
	assert_int_equal(log_dropped(), before + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(does_a_line_carry_tag_and_newline),
		cmocka_unit_test(is_a_line_for_a_full_pipe_dropped_and_counted),
		cmocka_unit_test(is_a_line_longer_than_the_buffer_cut),
		cmocka_unit_test(is_a_line_to_a_closed_descriptor_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
