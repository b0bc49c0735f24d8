/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/text.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>

static int text_utf8 = 1;

void text_set_utf8(int allowed)
{
	text_utf8 = allowed;
}

/* Length of the well-formed UTF-8 sequence at p (Unicode, table 3-7), or 0. */
static size_t text_sequence(const unsigned char *p, size_t left,
			    uint32_t *ret_code)
{
	unsigned char low = 0x80, high = 0xbf;
	uint32_t code;
	size_t n, i;

	if (p[0] < 0x80) {
		*ret_code = p[0];
		return 1;
	}
	if (p[0] >= 0xc2 && p[0] <= 0xdf) {
		n = 2;
		code = p[0] & 0x1f;
	} else if ((p[0] & 0xf0) == 0xe0) {
		n = 3;
		code = p[0] & 0x0f;
		low = p[0] == 0xe0 ? 0xa0 : 0x80;
		high = p[0] == 0xed ? 0x9f : 0xbf;
	} else if (p[0] >= 0xf0 && p[0] <= 0xf4) {
		n = 4;
		code = p[0] & 0x07;
		low = p[0] == 0xf0 ? 0x90 : 0x80;
		high = p[0] == 0xf4 ? 0x8f : 0xbf;
	} else {
		return 0;
	}
	if (n > left || p[1] < low || p[1] > high) {
		return 0;
	}
	for (i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80) {
			return 0;
		}
		code = code << 6 | (p[i] & 0x3f);
	}
	*ret_code = code;
	return n;
}

/* May a person's terminal be shown this character as it is? */
static int text_harmless(uint32_t code)
{
	static const struct { uint32_t first, last; } bad[] = {
		{ 0x00, 0x1f }, { 0x7f, 0x9f }, { 0xad, 0xad },
		{ 0x61c, 0x61c }, { 0x200b, 0x200f }, { 0x2028, 0x202e },
		{ 0x2060, 0x206f }, { 0xfeff, 0xfeff }, { 0xfff9, 0xfffb },
		{ 0xe0000, 0xe0fff },
	};
	size_t i;

	if (code >= 0x80 && !text_utf8) {
		return 0;
	}
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (code >= bad[i].first && code <= bad[i].last) {
			return 0;
		}
	}
	return 1;
}

static char *text_put_byte(enum text_for purpose, unsigned char byte, char *out)
{
	static const char hex[] = "0123456789abcdef";
	static const char plain[] = "\n\t\r", letter[] = "ntr";
	const char *found = memchr(plain, byte, sizeof(plain) - 1);

	*out++ = '\\';
	if (purpose == TEXT_HUMAN && found) {
		*out++ = letter[found - plain];
		return out;
	}
	*out++ = 'x';
	*out++ = hex[byte >> 4];
	*out++ = hex[byte & 15];
	return out;
}

size_t text_escape(enum text_for purpose, const char *bytes, size_t length,
		   char *ret_text)
{
	const unsigned char *p = (const unsigned char *)bytes;
	char *out = ret_text;
	size_t i = 0, n;

	while (i < length) {
		uint32_t code = 0;

		n = text_sequence(p + i, length - i, &code);
		if (n == 1 && code == '\\') {
			*out++ = '\\';
			*out++ = '\\';
		} else if (n > 0 && code != 0 &&
			   (purpose == TEXT_JSON || text_harmless(code))) {
			memcpy(out, p + i, n);
			out += n;
		} else {
			size_t k;

			n = n ? n : 1;
			for (k = 0; k < n; k++) {
				out = text_put_byte(purpose, p[i + k], out);
			}
		}
		i += n;
	}
	*out = '\0';
	return (size_t)(out - ret_text);
}

static int text_hex(char c)
{
	if (c >= '0' && c <= '9') {
		return c - '0';
	}
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

long text_unescape(const char *text, char *ret_bytes)
{
	static const char letter[] = "ntr\\", plain[] = "\n\t\r\\";
	char *out = ret_bytes;

	while (*text) {
		const char *found;

		if (*text != '\\') {
			*out++ = *text++;
			continue;
		}
		found = text[1] ? strchr(letter, text[1]) : NULL;
		if (found) {
			*out++ = plain[found - letter];
			text += 2;
		} else if (text[1] == 'x' && text_hex(text[2]) >= 0 &&
			   text_hex(text[3]) >= 0) {
			*out++ = (char)(text_hex(text[2]) << 4 |
					text_hex(text[3]));
			text += 4;
		} else {
			return -EINVAL;
		}
	}
	return out - ret_bytes;
}

size_t text_width(const char *text)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t left = strlen(text), width = 0;

	while (left) {
		uint32_t code = 0;
		size_t n = text_sequence(p, left, &code);
		int cells = n > 1 ? wcwidth((wchar_t)code) : 1;

		n = n ? n : 1;
		width += cells >= 0 ? (size_t)cells : 1;
		p += n;
		left -= n;
	}
	return width;
}
