/* SPDX-License-Identifier: Apache-2.0 */
/* Are the figures of `make bench` what the samples say, and saved as JSON? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "bench/bench_figures.h"
#include "bench/bench_load.h"
#include "bench/bench_stat.h"

static void is_the_99th_percentile_above_99_of_100(void **state)
{
	struct stat_summary s;
	uint32_t v[200];

	for (uint32_t i = 0; i < 200; i++) {
		v[i] = 200 - i;
	}
	stat_summarize(v, 200, &s);
	assert_int_equal(s.count, 200);
	assert_true(s.p50 == 101 && s.p99 == 199 && s.max == 200);
	assert_true(s.mean == 100.5);
}

static void are_no_samples_no_figures(void **state)
{
	struct stat_summary s;
	struct stat_series series = { .count = 0 };

	stat_summarize(NULL, 0, &s);
	assert_true(s.count == 0 && s.p99 == 0);
	assert_true(stat_series_median(&series) == 0);
	assert_true(stat_series_p99(&series) == 0);
}

static void is_one_outlier_no_median(void **state)
{
	struct stat_series series = { .count = 0 };

	stat_add(&series, 2);
	stat_add(&series, 1000);
	stat_add(&series, 1);
	assert_true(stat_series_median(&series) == 2);
	assert_true(stat_series_max(&series) == 1000);
	stat_add(&series, 3);
	assert_true(stat_series_median(&series) == 2.5);
}

static void does_a_full_series_say_what_it_dropped(void **state)
{
	static struct stat_series series;

	for (unsigned i = 0; i < STAT_SERIES + 7; i++) {
		stat_add(&series, i);
	}
	assert_int_equal(series.count, STAT_SERIES);
	assert_int_equal(series.dropped, 7);
}

static void put(struct load *load, enum load_kind kind, uint32_t at,
		uint32_t took, uint32_t allowed)
{
	load->list[kind].note[load->list[kind].count++] =
		(struct load_note){ at, took, allowed };
}

/* A stall that began before the window belongs to it; its count does not. */
static void does_a_stall_count_where_it_was_felt(void **state)
{
	struct load *load = load_new();

	assert_non_null(load);
	put(load, LOAD_OPENS, 100, 50, 1);
	put(load, LOAD_OPENS, 900, 5200, 1);
	put(load, LOAD_OPENS, 7000, 1500, 0);
	put(load, LOAD_OPENS, 9000, 9000, 1);
	assert_int_equal(load_longest_us(load, LOAD_OPENS, 1000, 8000), 5200);
	assert_int_equal(load_stalled_us(load, LOAD_OPENS, 1000, 8000), 4700);
	assert_int_equal(load_count(load, LOAD_OPENS, true, 1000, 8000), 0);
	assert_int_equal(load_count(load, LOAD_OPENS, false, 1000, 8000), 1);
	assert_int_equal(load_last_allowed_us(load, LOAD_OPENS, 1000, 8000),
			 6100);
	assert_int_equal(load_last_allowed_us(load, LOAD_EXECS, 1000, 8000),
			 1000);
	assert_null(load_free(load));
}

static void is_the_file_one_flat_object_of_numbers(void **state)
{
	static struct figures figures;
	char path[] = "/tmp/test_bench_figures.XXXXXX";
	int fd = mkstemp(path);
	json_t *root, *value;
	const char *key;

	assert_true(fd >= 0);
	figures_set(&figures, 1.5, "open_%s_us", "bare");
	figures_set(&figures, 20, "open_floor_us");
	figures_set(&figures, 21, "open_floor_us");
	assert_int_equal(figures_save(&figures, path), 0);
	root = json_load_file(path, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(root);
	assert_int_equal(json_object_size(root), 2);
	json_object_foreach(root, key, value) {
		assert_true(json_is_number(value));
	}
	assert_true(json_number_value(json_object_get(root,
				      "open_floor_us")) == 21);
	json_decref(root);
	close(fd);
	unlink(path);
}

static void is_a_missed_budget_said(void **state)
{
	static struct figures figures;
	char *text = NULL;
	size_t size;
	int absent;
	FILE *out = open_memstream(&text, &size);

	figures_set(&figures, 1.16, "ratio_kcached_bare");
	figures_set(&figures, 1.15, "ratio_ecached_floor");
	assert_int_equal(figures_print(&figures, out, false, &absent), 1);
	fclose(out);
	assert_true(absent > 10);
	assert_non_null(strstr(text, "MISSED"));
	assert_non_null(strstr(text, "not measured"));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_the_99th_percentile_above_99_of_100),
		cmocka_unit_test(are_no_samples_no_figures),
		cmocka_unit_test(is_one_outlier_no_median),
		cmocka_unit_test(does_a_full_series_say_what_it_dropped),
		cmocka_unit_test(does_a_stall_count_where_it_was_felt),
		cmocka_unit_test(is_the_file_one_flat_object_of_numbers),
		cmocka_unit_test(is_a_missed_budget_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
