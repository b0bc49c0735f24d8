/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/fake_broker.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static void pause_ms(void)
{
	static const struct timespec one = { .tv_nsec = 1000000 };

	nanosleep(&one, NULL);
}

static int region_new(size_t size, void **ret_base)
{
	int fd = memfd_create("fake", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	*ret_base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			 0);
	assert_true(*ret_base != MAP_FAILED);
	return fd;
}

static int reopen_read_only(int fd)
{
	char path[32];
	int read_only;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	read_only = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(read_only >= 0);
	return read_only;
}

static void session_new(struct fake *fake)
{
	int pair[2];

	if (fake->script.session > 0) {
		fake->session = fake->script.session;
		fake->saved = -1;
		return;
	}
	fake->saved = fcntl(WIRE_SESSION_FD, F_DUPFD_CLOEXEC, 32);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
				    pair), 0);
	fake->session = fcntl(pair[0], F_DUPFD_CLOEXEC, 32);
	close(pair[0]);
	if (pair[1] != WIRE_SESSION_FD) {
		assert_int_equal(dup2(pair[1], WIRE_SESSION_FD),
				 WIRE_SESSION_FD);
		close(pair[1]);
	}
}

static void channels_new(struct fake *fake)
{
	int pair[2];

	session_new(fake);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
				    pair), 0);
	fake->files = pair[0];
	fake->given[WIRE_FD_FILES] = pair[1];
	assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
	fake->given[WIRE_FD_WAKE_PRODUCT] = pair[0];
	fake->wake_product = pair[1];
	assert_int_equal(pipe2(pair, O_CLOEXEC | O_NONBLOCK), 0);
	fake->wake_engine = pair[0];
	fake->given[WIRE_FD_WAKE_ENGINE] = pair[1];
}

static void regions_new(struct fake *fake)
{
	const struct fake_script *script = &fake->script;
	void *base;

	fake->events_fd = region_new(WIRE_EVENTS_BYTES, &base);
	fake->events = base;
	fake->slot_base = (unsigned char *)base + WIRE_SLOTS_OFFSET;
	fake->events->version = script->version ? script->version
						: WIRE_VERSION;
	fake->events->slots = script->slots ? script->slots : WIRE_SLOTS;
	fake->events->slot_size = WIRE_SLOT_SIZE;
	if (script->events_bytes != 0) {
		assert_int_equal(ftruncate(fake->events_fd,
					   (off_t)script->events_bytes), 0);
	}
	fake->answers_fd = region_new(WIRE_ANSWERS_BYTES, &base);
	fake->answers = base;
	fake->given[WIRE_FD_EVENTS] = reopen_read_only(fake->events_fd);
	fake->given[WIRE_FD_ANSWERS] = dup(fake->answers_fd);
}

static void given_close(struct fake *fake)
{
	for (size_t i = 0; i < WIRE_FD_DIRECTORIES; i++) {
		if (fake->given[i] >= 0) {
			close(fake->given[i]);
			fake->given[i] = -1;
		}
	}
}

/* Descriptors of HELLO; directories go to the list's end. */
static size_t hello_fds(struct fake *fake, int *fds)
{
	const char *path = fake->script.directory;
	size_t count = WIRE_FD_DIRECTORIES;

	path = path ? path : "/";
	memcpy(fds, fake->given, sizeof(fake->given));
	for (unsigned i = 1; i <= BAILEY_DIRECTORY_STATE; i++) {
		if (fake->script.directories >> i & 1u) {
			fds[count++] = open(path, O_RDONLY | O_DIRECTORY);
		}
	}
	return count;
}

static void reply_send(struct fake *fake, const struct wire_reply *reply,
		       size_t bytes, const int *fds, size_t fd_count)
{
	char control[CMSG_SPACE(16 * sizeof(int))] = { 0 };
	struct iovec iov = { (void *)(uintptr_t)reply, bytes };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (fd_count > 0) {
		struct cmsghdr *c;

		message.msg_control = control;
		message.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
		c = CMSG_FIRSTHDR(&message);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
		memcpy(CMSG_DATA(c), fds, fd_count * sizeof(int));
	}
	sendmsg(fake->session, &message, MSG_NOSIGNAL);
}

static void hello_answer(struct fake *fake)
{
	struct wire_reply reply = {
		.type = WIRE_REQUEST_HELLO,
		.error = fake->script.hello_error,
		.directories = fake->script.directories,
		.mode = BAILEY_MODE_ENFORCE,
	};
	int fds[WIRE_FD_DIRECTORIES + BAILEY_DIRECTORY_STATE];
	size_t count = hello_fds(fake, fds);
	size_t bytes = fake->script.reply_bytes;

	memset(reply.known[8], BAILEY_KNOWN_EXACT, sizeof(reply.known[8]));
	reply.known[8][BAILEY_FIELD_COMM] = BAILEY_KNOWN_HINT;
	reply.known[8][BAILEY_FIELD_UID] = 77;
	if (fake->script.hang_up) {
		shutdown(fake->session, SHUT_RDWR);
		return;
	}
	reply_send(fake, &reply, bytes ? bytes : sizeof(reply), fds,
		   count - fake->script.leave_out);
	for (size_t i = WIRE_FD_DIRECTORIES; i < count; i++) {
		close(fds[i]);
	}
	given_close(fake);
}

/* Lock held. */
static void request_note(struct fake *fake, const struct wire_request *head,
			 const unsigned char *payload, size_t size)
{
	uint32_t t = head->type % FAKE_REQUESTS;

	fake->requests[t]++;
	fake->last_count[t] = head->count;
	fake->last_size[t] = size;
	memset(fake->last[t], 0, sizeof(fake->last[t]));
	memcpy(fake->last[t], payload,
	       size < sizeof(fake->last[t]) ? size : sizeof(fake->last[t]));
	fake->text_bytes += t == WIRE_REQUEST_TEXT_ADD ? size : 0;
	if (t == WIRE_REQUEST_LOG && size == sizeof(struct wire_log)) {
		const struct wire_log *line = (const void *)payload;
		size_t n = strlen(fake->logged);

		snprintf(fake->logged + n, sizeof(fake->logged) - n, "%.*s\n",
			 (int)sizeof(line->text), line->text);
	}
	if (t == WIRE_REQUEST_HELLO && size == sizeof(fake->hello)) {
		memcpy(&fake->hello, payload, size);
	}
}

static void request_answer(struct fake *fake, uint32_t type)
{
	struct wire_reply reply = { .type = type };
	uint32_t t = type % FAKE_REQUESTS;

	reply.error = fake->error[t];
	reply.detail = fake->detail[t];
	fake->error[t] = 0;
	if (fake->wrong_type != 0) {
		reply.type = fake->wrong_type;
	}
	reply_send(fake, &reply, sizeof(reply), NULL, 0);
}

static void *serve(void *argument)
{
	struct fake *fake = argument;
	unsigned char bytes[WIRE_REQUEST_MAX];
	struct wire_request head;
	ssize_t n;

	while ((n = recv(fake->session, bytes, sizeof(bytes), 0)) > 0) {
		if ((size_t)n < sizeof(head)) {
			break;
		}
		memcpy(&head, bytes, sizeof(head));
		pthread_mutex_lock(&fake->lock);
		request_note(fake, &head, bytes + sizeof(head),
			     (size_t)n - sizeof(head));
		if (head.type == WIRE_REQUEST_HELLO) {
			hello_answer(fake);
		} else if (head.type != WIRE_REQUEST_LOG) {
			request_answer(fake, head.type);
		}
		pthread_mutex_unlock(&fake->lock);
	}
	return NULL;
}

struct fake *fake_start(const struct fake_script *script)
{
	struct fake *fake = calloc(1, sizeof(*fake));

	assert_non_null(fake);
	if (script != NULL) {
		fake->script = *script;
	}
	channels_new(fake);
	regions_new(fake);
	pthread_mutex_init(&fake->lock, NULL);
	assert_int_equal(pthread_create(&fake->thread, NULL, serve, fake), 0);
	return fake;
}

static void close_end(int *fd)
{
	if (*fd >= 0) {
		close(*fd);
	}
	*fd = -1;
}

void fake_hang_up(struct fake *fake)
{
	if (fake->session >= 0) {
		shutdown(fake->session, SHUT_RDWR);
		pthread_join(fake->thread, NULL);
	}
	close_end(&fake->session);
	close_end(&fake->files);
	close_end(&fake->wake_product);
	close_end(&fake->wake_engine);
}

void fake_stop(struct fake *fake)
{
	if (fake == NULL) {
		return;
	}
	fake_hang_up(fake);
	given_close(fake);
	close(fake->events_fd);
	close(fake->answers_fd);
	munmap(fake->events, WIRE_EVENTS_BYTES);
	munmap(fake->answers, WIRE_ANSWERS_BYTES);
	if (fake->script.session <= 0) {
		close(WIRE_SESSION_FD);
	}
	if (fake->saved >= 0) {
		dup2(fake->saved, WIRE_SESSION_FD);
		close(fake->saved);
	}
	pthread_mutex_destroy(&fake->lock);
	free(fake);
}

void fake_refuse(struct fake *fake, uint32_t type, int error, uint32_t detail)
{
	pthread_mutex_lock(&fake->lock);
	fake->error[type] = error;
	fake->detail[type] = detail;
	pthread_mutex_unlock(&fake->lock);
}

const struct fake *fake_seen(struct fake *fake)
{
	pthread_mutex_lock(&fake->lock);
	pthread_mutex_unlock(&fake->lock);
	return fake;
}

void fake_confuse(struct fake *fake, uint32_t type)
{
	pthread_mutex_lock(&fake->lock);
	fake->wrong_type = type;
	pthread_mutex_unlock(&fake->lock);
}

unsigned fake_requests(struct fake *fake, uint32_t type)
{
	unsigned n;

	pthread_mutex_lock(&fake->lock);
	n = fake->requests[type];
	pthread_mutex_unlock(&fake->lock);
	return n;
}

void fake_await(struct fake *fake, uint32_t type, unsigned count)
{
	for (int i = 0; i < 20000 && fake_requests(fake, type) < count; i++) {
		pause_ms();
	}
	assert_true(fake_requests(fake, type) >= count);
}

struct wire_event *fake_event(struct fake *fake, uint32_t slot, uint64_t id,
			      uint32_t kind, uint32_t flags)
{
	struct wire_event *event;

	event = (void *)(fake->slot_base + (size_t)slot * WIRE_SLOT_SIZE);
	memset(event, 0, WIRE_SLOT_SIZE);
	event->size = sizeof(*event);
	event->id = id;
	event->kind = kind;
	event->flags = flags;
	return event;
}

void fake_number(struct wire_event *event, unsigned field, int64_t value)
{
	event->present |= 1ull << field;
	event->number[field] = value;
}

void fake_string(struct wire_event *event, unsigned field, const char *text)
{
	size_t length = strlen(text);

	assert_true(event->size + length + 1 <= WIRE_SLOT_SIZE);
	event->present |= 1ull << field;
	event->string[field - WIRE_NUMBERS].offset = (uint16_t)event->size;
	event->string[field - WIRE_NUMBERS].length = (uint16_t)length;
	memcpy((char *)event + event->size, text, length + 1);
	event->size += (uint32_t)length + 1;
}

static void wake_product(struct fake *fake)
{
	atomic_thread_fence(memory_order_seq_cst);
	if (atomic_load(&fake->answers->product_sleeping)) {
		assert_int_equal(write(fake->wake_product, "", 1), 1);
	}
}

void fake_publish_slot(struct fake *fake, bool question, uint32_t slot)
{
	struct wire_queue *queue = question ? &fake->events->questions
					    : &fake->events->news;
	uint32_t *head = question ? &fake->question_head : &fake->news_head;

	queue->slot[*head & (WIRE_QUEUE - 1)] = slot;
	*head += 1;
	atomic_store_explicit(&queue->head, *head, memory_order_release);
	if (fake->preempted) {
		pause_ms();
	}
	wake_product(fake);
}

void fake_publish(struct fake *fake, uint32_t slot)
{
	const struct wire_event *event;

	event = (void *)(fake->slot_base + (size_t)slot * WIRE_SLOT_SIZE);
	fake_publish_slot(fake, event->flags & WIRE_EVENT_QUESTION, slot);
}

void fake_send_file(struct fake *fake, uint64_t id, uint32_t slot, int fd)
{
	struct wire_file tag = { .id = id, .slot = slot };
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { { 0 } };
	struct iovec iov = { &tag, sizeof(tag) };
	struct msghdr message = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&message);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(int));
	assert_int_equal(sendmsg(fake->files, &message, MSG_NOSIGNAL),
			 sizeof(tag));
}

void fake_end(struct fake *fake)
{
	atomic_store_explicit(&fake->events->ended, 1, memory_order_release);
	wake_product(fake);
}

bool fake_take(struct fake *fake, struct wire_answer *ret_answer)
{
	uint32_t head = atomic_load_explicit(&fake->answers->head,
					     memory_order_acquire);

	if (head == fake->taken) {
		return false;
	}
	*ret_answer = fake->answers->answer[fake->taken & (WIRE_ANSWERS - 1)];
	fake->taken++;
	atomic_store_explicit(&fake->events->answers_taken, fake->taken,
			      memory_order_release);
	return true;
}

void fake_wait(struct fake *fake, struct wire_answer *ret_answer)
{
	for (int i = 0; i < 20000; i++) {
		if (fake_take(fake, ret_answer)) {
			return;
		}
		pause_ms();
	}
	fail_msg("no answer in 20 s");
}
