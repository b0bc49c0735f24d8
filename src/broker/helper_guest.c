/* SPDX-License-Identifier: Apache-2.0 */
/*
 * broker/helper_guest.c - what is left to do for a product that runs
 *
 * Its standard error becomes lines of our log, with its name in front, control
 * characters replaced, at most GUEST_LINES a second; what is beyond is dropped
 * and counted. The pipe is read at most once in GUEST_PAUSE_MS, so a flood
 * costs us little, and it never blocks the product: its end is non-blocking,
 * and what does not fit is lost to it. When the product ends its cgroups go.
 */
#include "broker/helper_internal.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"

#define GUEST_LINES 20u
#define GUEST_PAUSE_MS 20u
#define GUEST_READ 65536u
#define GUEST_REMOVE_TRIES 500u
#define GUEST_REMOVE_MS 4u

void guest_text_init(struct guest_text *text, int fd)
{
	memset(text, 0, sizeof(*text));
	text->fd = fd;
	text->budget = GUEST_LINES;
}

static void text_line(struct guest_text *text,
		      void (*emit)(void *context, const char *line),
		      void *context)
{
	text->line[text->length] = '\0';
	if (text->length == 0) {
		return;
	}
	text->length = 0;
	if (text->budget == 0) {
		text->dropped++;
		return;
	}
	text->budget--;
	emit(context, text->line);
}

static void text_window(struct guest_text *text, mono_t now,
			void (*emit)(void *context, const char *line),
			void *context)
{
	char line[64];

	if (mono_between(text->window, now) < MONO_S) {
		return;
	}
	if (text->dropped) {
		snprintf(line, sizeof(line), "(%u lines dropped)",
			 text->dropped);
		emit(context, line);
	}
	text->window = now;
	text->budget = GUEST_LINES;
	text->dropped = 0;
}

void guest_text_read(struct guest_text *text, mono_t now,
		     void (*emit)(void *context, const char *line),
		     void *context)
{
	static char bytes[GUEST_READ];
	ssize_t n = read(text->fd, bytes, sizeof(bytes));

	text_window(text, now, emit, context);
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
		text_line(text, emit, context);
		fd_closep(&text->fd);
		text->fd = -1;
		return;
	}
	for (ssize_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)bytes[i];

		if (c == '\n' || text->length == sizeof(text->line) - 1) {
			text_line(text, emit, context);
		}
		if (c != '\n') {
			text->line[text->length++] =
				c < 0x20 || c >= 0x7f ? '?' : (char)c;
		}
	}
	text->again = mono_add(now, GUEST_PAUSE_MS * MONO_MS);
}

struct guest *guest_add(struct helper *helper, pid_t pid, int pidfd,
			const char *name, int text)
{
	for (uint32_t i = 0; i < HELPER_GUESTS; i++) {
		struct guest *guest = &helper->guest[i];

		if (guest->pid) {
			continue;
		}
		memset(guest, 0, sizeof(*guest));
		guest->pid = pid;
		guest->pidfd = pidfd;
		snprintf(guest->name, sizeof(guest->name), "%s", name);
		guest_text_init(&guest->text, text);
		return guest;
	}
	fd_closep(&text);
	fd_closep(&pidfd);
	return NULL;
}

static void guest_emit(void *context, const char *line)
{
	const struct guest *guest = context;

	log_notice("%s: %s", guest->name, line);
}

void guest_read(struct guest *guest, mono_t now)
{
	guest_text_read(&guest->text, now, guest_emit, guest);
}

/* The kernel empties a dead namespace's groups a moment after its init is
 * reported dead, so removing them may need another turn of the loop. */
void guest_leave(struct helper *helper, struct guest *guest, mono_t now)
{
	if (guest->cgroup[0] &&
	    jail_cgroups_remove(&helper->cgroups, guest->cgroup) == -EBUSY) {
		if (++guest->tries < GUEST_REMOVE_TRIES) {
			guest->again = mono_add(now, GUEST_REMOVE_MS * MONO_MS);
			return;
		}
		log_warning("%s: its cgroup %s is still in use", guest->name,
			    guest->cgroup);
	}
	guest->pid = 0;
}

void guest_end(struct helper *helper, struct guest *guest)
{
	mono_t now = mono_now();

	own_remove(guest->pid);
	if (guest->text.fd >= 0) {
		guest_read(guest, now);
	}
	fd_closep(&guest->text.fd);
	guest->text.fd = -1;
	close(fd_take(&guest->pidfd));
	if (guest->cgroup[0] &&
	    jail_cgroups_out_of_memory(&helper->cgroups, guest->cgroup)) {
		log_warning("%s: it went beyond its memory ([jail] memory in "
			    "its manifest), so the kernel killed it",
			    guest->name);
	}
	guest_leave(helper, guest, now);
}
