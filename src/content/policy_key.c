/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "content/policy_key.h"

#define REASON(...) (snprintf(ret_reason, CONF_REASON, __VA_ARGS__), -EINVAL)

static const struct conf_word rings[] = {
#define ROW(sym, num, name) { name, num },
	LEASE_RING_TABLE(ROW)
#undef ROW
	{ NULL, 0 }
};

static const struct conf_word channels[] = {
	{ "gate", POLICY_GATE }, { "local", POLICY_LOCAL }, { NULL, 0 }
};

static const struct conf_word truths[] = {
	{ "no", 0 }, { "yes", 1 }, { NULL, 0 }
};

/* "follow", "N-1", "N-2", or what names a version. */
static CONF_SETTER(set_pin)
{
	struct policy_section *section = object;
	size_t n = strlen(value);

	memset(section->version, 0, sizeof(section->version));
	section->value.behind = 0;
	if (!strcmp(value, "follow")) {
		section->value.pin = POLICY_FOLLOW;
		return 0;
	}
	if (!strcmp(value, "N-1") || !strcmp(value, "N-2")) {
		section->value.pin = POLICY_BEHIND;
		section->value.behind = value[2] == '1' ? 1 : 2;
		return 0;
	}
	if (!n || n >= sizeof(section->version) ||
	    value[strspn(value, "abcdefghijklmnopqrstuvwxyz"
			 "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-+~")]) {
		return REASON("`%.40s' is not a version: write its number, "
			      "its name, or `N-1', `N-2', `follow'", value);
	}
	section->value.pin = POLICY_PINNED;
	memcpy(section->version, value, n);
	return 0;
}

static CONF_SETTER(set_revert)
{
	struct policy_section *section = object;
	const char *end = "";
	uint64_t number;

	if (!strcmp(value, "none")) {
		section->value.override_revert = 0;
		return 0;
	}
	if (conf_number(value, &number, &end) || *end || !number) {
		return REASON("`%.40s' is neither a version's number nor "
			      "`none'", value);
	}
	section->value.override_revert = number;
	return 0;
}

static const char days[] = "sun mon tue wed thu fri sat";

/* Weekday of a word of three letters; -1 if it is none. */
static int day_find(const char *word)
{
	for (int i = 0; i < 7; i++) {
		if (!strncmp(word, days + 4 * i, 3)) {
			return i;
		}
	}
	return -1;
}

/* "mon", "mon-fri", "sat,sun", "daily". False if it is none of them. */
static bool days_read(const char *text, uint32_t *ret_days)
{
	uint32_t mask = 0;

	if (!strcmp(text, "daily")) {
		*ret_days = 0x7f;
		return true;
	}
	for (;;) {
		int from = day_find(text), to = from;

		if (from < 0) {
			return false;
		}
		text += 3;
		if (*text == '-') {
			to = day_find(text + 1);
			if (to < 0) {
				return false;
			}
			text += 4;
		}
		for (int day = from; ; day = (day + 1) % 7) {
			mask |= 1u << day;
			if (day == to) {
				break;
			}
		}
		if (!*text) {
			*ret_days = mask;
			return true;
		}
		if (*text++ != ',') {
			return false;
		}
	}
}

/* "HH:MM", to 24:00. */
static bool minute_read(const char *text, uint32_t *ret_minute)
{
	uint32_t hour, minute;

	for (int i = 0; i < 5; i++) {
		if (i != 2 && (text[i] < '0' || text[i] > '9')) {
			return false;
		}
	}
	hour = (uint32_t)(text[0] - '0') * 10 + (uint32_t)(text[1] - '0');
	minute = (uint32_t)(text[3] - '0') * 10 + (uint32_t)(text[4] - '0');
	if (text[2] != ':' || minute > 59 || hour * 60 + minute > 1440) {
		return false;
	}
	*ret_minute = hour * 60 + minute;
	return true;
}

/* "mon-fri 22:00-04:00", "always". */
static CONF_SETTER(set_window)
{
	struct policy_section *section = object;
	struct policy_window window = { 0 };
	char day[32] = "", time[16] = "", more[2] = "";
	const char *at = value;

	if (!strcmp(value, "always")) {
		section->value.window = window;
		return 0;
	}
	if (conf_piece(&at, day, sizeof(day)) <= 0 ||
	    conf_piece(&at, time, sizeof(time)) <= 0 ||
	    conf_piece(&at, more, sizeof(more)) != 0 ||
	    !days_read(day, &window.days) || strlen(time) != 11 ||
	    time[5] != '-' || !minute_read(time, &window.from_min) ||
	    !minute_read(time + 6, &window.to_min) ||
	    window.from_min >= POLICY_DAY_MIN) {
		return REASON("`%.40s' is not a window: write days and times "
			      "like `mon-fri 22:00-04:00', `sat,sun "
			      "00:00-24:00', or `always'", value);
	}
	section->value.window = window;
	return 0;
}

/* X(name, field, setter, low, high, words) */
#define POLICY_TABLE(X)                                                       \
	X("ring", ring, conf_set_word, 0, 0, rings)                           \
	X("delay", delay_s, conf_set_duration, 0, POLICY_DELAY_MOST_S, NULL)  \
	X("pause", pause, conf_set_word, 0, 0, truths)                        \
	X("pin", pin, set_pin, 0, 0, NULL)                                    \
	X("window", window, set_window, 0, 0, NULL)                           \
	X("channel", channel, conf_set_word, 0, 0, channels)                  \
	X("override-allow", override_allow, conf_set_word, 0, 0, truths)      \
	X("override-pause", override_pause, conf_set_word, 0, 0, truths)      \
	X("override-revert", override_revert, set_revert, 0, 0, NULL)

/* Bits of policy_section.given are the rows of this table. */
const struct conf_key policy_keys[POLICY_KEYS] = {
#define ROW(name_, field, set_, low_, high_, words_)                          \
	{ .section = "", .name = name_, .set = set_,                          \
	  .offset = offsetof(struct policy_section, value.field),             \
	  .size = sizeof(((struct policy *)0)->field),                        \
	  .low = low_, .high = high_, .words = words_ },
	POLICY_TABLE(ROW)
#undef ROW
};

void policy_lay_over(const struct policy_section *section,
		     struct policy_section *over)
{
	for (size_t i = 0; i < POLICY_KEYS; i++) {
		const struct conf_key *key = &policy_keys[i];

		if (!(section->given & 1u << i)) {
			continue;
		}
		memcpy((char *)over + key->offset,
		       (const char *)section + key->offset, key->size);
		if (key->set == set_pin) {
			over->value.behind = section->value.behind;
			memcpy(over->version, section->version, POLICY_PIN);
		}
	}
	if (section->value.broken) {
		over->value.broken = 1;
	}
}
