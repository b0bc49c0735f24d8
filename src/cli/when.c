/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/when.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define WHEN_S 1000000000ull
#define WHEN_MAX (100ull * 365 * 86400 * WHEN_S)

static const struct {
	const char *name;
	uint64_t ns;
} when_units[] = {              /* "ms" before "m" */
	{ "ms", 1000000ull }, { "d", 86400 * WHEN_S }, { "h", 3600 * WHEN_S },
	{ "m", 60 * WHEN_S }, { "s", WHEN_S },
};

#define WHEN_UNITS (sizeof(when_units) / sizeof(when_units[0]))

/* Digits at *text; moves it past them. */
static int when_number(const char **text, uint64_t *ret_number)
{
	const char *p = *text;
	uint64_t n = 0;

	for (; *p >= '0' && *p <= '9'; p++) {
		n = n * 10 + (uint64_t)(*p - '0');
		if (n > WHEN_MAX / WHEN_S * 1000) {
			return -ERANGE;
		}
	}
	if (p == *text) {
		return -EINVAL;
	}
	*text = p;
	*ret_number = n;
	return 0;
}

int when_duration(const char *text, uint64_t *ret_ns)
{
	uint64_t sum = 0, n;
	size_t i;

	do {
		int r = when_number(&text, &n);

		if (r < 0) {
			return r;
		}
		for (i = 0; i < WHEN_UNITS; i++) {
			size_t length = strlen(when_units[i].name);

			if (strncmp(text, when_units[i].name, length) == 0) {
				text += length;
				break;
			}
		}
		if (i == WHEN_UNITS) {
			return -EINVAL;
		}
		if (n > (WHEN_MAX - sum) / when_units[i].ns) {
			return -ERANGE;
		}
		sum += n * when_units[i].ns;
	} while (*text);
	*ret_ns = sum;
	return 0;
}

static int when_date(const char *text, uint64_t *ret_ns)
{
	static const char *const formats[] = {
		"%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M",
		"%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S",
	};
	size_t i;

	for (i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		struct tm tm = { .tm_isdst = -1 };
		const char *end = strptime(text, formats[i], &tm);
		time_t t;

		if (!end || (*end && strcmp(end, "Z") != 0)) {
			continue;
		}
		t = *end ? timegm(&tm) : mktime(&tm);
		if (t < 0) {
			return -ERANGE;
		}
		*ret_ns = (uint64_t)t * WHEN_S;
		return 0;
	}
	return -EINVAL;
}

int when_parse(const char *text, uint64_t now_ns, uint64_t *ret_ns)
{
	uint64_t ago;

	if (when_duration(text, &ago) == 0) {
		*ret_ns = ago < now_ns ? now_ns - ago : 0;
		return 0;
	}
	return when_date(text, ret_ns);
}

const char *when_length_text(uint64_t ns, char buffer[WHEN_TEXT])
{
	uint64_t s = ns / WHEN_S;

	if (s == 0) {
		snprintf(buffer, WHEN_TEXT, "%" PRIu64 "ms", ns / 1000000);
	} else if (s < 60) {
		snprintf(buffer, WHEN_TEXT, "%" PRIu64 "s", s);
	} else if (s < 3600) {
		snprintf(buffer, WHEN_TEXT, "%" PRIu64 "m %" PRIu64 "s",
			 s / 60, s % 60);
	} else if (s < 86400) {
		snprintf(buffer, WHEN_TEXT, "%" PRIu64 "h %" PRIu64 "m",
			 s / 3600, s / 60 % 60);
	} else {
		snprintf(buffer, WHEN_TEXT, "%" PRIu64 "d %" PRIu64 "h",
			 s / 86400, s / 3600 % 24);
	}
	return buffer;
}

const char *when_local_text(uint64_t ns, char buffer[WHEN_TEXT])
{
	time_t t = (time_t)(ns / WHEN_S);
	struct tm tm;

	if (ns == 0 || !localtime_r(&t, &tm) ||
	    strftime(buffer, WHEN_TEXT, "%Y-%m-%d %H:%M:%S", &tm) == 0) {
		return strcpy(buffer, "-");
	}
	return buffer;
}

const char *when_utc_text(uint64_t ns, char buffer[WHEN_TEXT])
{
	time_t t = (time_t)(ns / WHEN_S);
	size_t n = 0;
	struct tm tm;

	if (gmtime_r(&t, &tm)) {
		n = strftime(buffer, WHEN_TEXT, "%Y-%m-%dT%H:%M:%S", &tm);
	}
	snprintf(buffer + n, WHEN_TEXT - n, ".%06uZ",
		 (unsigned)(ns % WHEN_S / 1000));
	return buffer;
}
