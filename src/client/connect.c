/* SPDX-License-Identifier: Apache-2.0 */
/* A client from HELLO to its last reference. */
#include "client/client.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>

#define ALIVE_BYTES 4096u

/* Descriptor 3 serves one client at a time. */
static atomic_flag session_taken = ATOMIC_FLAG_INIT;

bool client_is_child(const struct bailey_client *client)
{
	if (client->alive != NULL) {
		return *client->alive == 0;
	}
	return getpid() != client->pid;
}

/* A page that a child of fork() sees empty; where the kernel has none, the
 * process id is asked each time. */
static void alive_init(struct bailey_client *client)
{
	uint32_t *page = mmap(NULL, ALIVE_BYTES, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	client->pid = getpid();
	if (page == MAP_FAILED) {
		return;
	}
	if (madvise(page, ALIVE_BYTES, MADV_WIPEONFORK) < 0) {
		munmap(page, ALIVE_BYTES);
		return;
	}
	*page = 1;
	client->alive = page;
}

static int locks_init(struct bailey_client *client)
{
	pthread_condattr_t attr;
	int r = pthread_condattr_init(&attr);

	if (r != 0) {
		return -r;
	}
	r = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	if (r == 0) {
		r = pthread_cond_init(&client->turn, &attr);
	}
	pthread_condattr_destroy(&attr);
	if (r == 0) {
		pthread_mutex_init(&client->lock, NULL);
		pthread_mutex_init(&client->session_lock, NULL);
	}
	return -r;
}

int client_new(struct bailey_client **ret_client)
{
	struct bailey_client *client = calloc(1, sizeof(*client));
	cpu_set_t cpus;
	int r;

	if (client == NULL) {
		return -ENOMEM;
	}
	r = locks_init(client);
	if (r < 0) {
		free(client);
		return r;
	}
	atomic_store(&client->refs, 1);
	client->session = client->files = -1;
	client->wake_product = client->wake_engine = -1;
	for (size_t i = 0; i <= BAILEY_DIRECTORY_STATE; i++) {
		client->directory[i] = -1;
	}
	for (size_t i = 0; i < WIRE_SLOTS; i++) {
		client->file[i].fd = -1;
	}
	client->can_spin = sched_getaffinity(0, sizeof(cpus), &cpus) == 0 &&
			   CPU_COUNT(&cpus) > 1;
	alive_init(client);
	*ret_client = client;
	return 0;
}

void client_ref(struct bailey_client *client)
{
	atomic_fetch_add_explicit(&client->refs, 1, memory_order_relaxed);
}

void client_unref(struct bailey_client *client)
{
	if (atomic_fetch_sub_explicit(&client->refs, 1,
				      memory_order_acq_rel) != 1) {
		return;
	}
	if (client->events != NULL) {
		munmap((void *)(uintptr_t)client->events, WIRE_EVENTS_BYTES);
	}
	if (client->answers != NULL) {
		munmap(client->answers, WIRE_ANSWERS_BYTES);
	}
	if (client->alive != NULL) {
		munmap(client->alive, ALIVE_BYTES);
	}
	client_record_free(client->record);
	pthread_cond_destroy(&client->turn);
	pthread_mutex_destroy(&client->lock);
	pthread_mutex_destroy(&client->session_lock);
	free(client);
}

/* Lock held. What held events may still need is taken out first. */
static void files_close(struct bailey_client *client)
{
	if (client->files >= 0) {
		client_files_receive(client);
	}
	for (size_t i = 0; i < WIRE_SLOTS; i++) {
		struct client_file *place = &client->file[i];
		struct bailey_event *event = &client->event[i];

		if (place->fd < 0) {
			continue;
		}
		if (atomic_load(&event->refs) > 0 && event->id == place->id &&
		    atomic_load(&event->file) < 0) {
			atomic_store(&event->file, fd_take(&place->fd));
			continue;
		}
		close(fd_take(&place->fd));
	}
}

static void close_owned(int *fd)
{
	fd_closep(fd);
	*fd = -1;
}

void bailey_client_close(struct bailey_client *client)
{
	if (client == NULL || client_is_child(client)) {
		return;
	}
	pthread_mutex_lock(&client->session_lock);
	pthread_mutex_lock(&client->lock);
	client->closed = client->over = client->session_lost = true;
	files_close(client);
	if (client->session >= 0) {
		close_owned(&client->session);
		atomic_flag_clear(&session_taken);
	}
	close_owned(&client->files);
	close_owned(&client->wake_product);
	close_owned(&client->wake_engine);
	for (size_t i = 0; i <= BAILEY_DIRECTORY_STATE; i++) {
		int fd = atomic_exchange(&client->directory[i], -1);

		fd_closep(&fd);
	}
	pthread_mutex_unlock(&client->lock);
	pthread_mutex_unlock(&client->session_lock);
	client_unref(client);
}

/* Maps one region; a region smaller than its layout is refused here, where
 * it would be a SIGBUS later. */
static int region_map(int fd, size_t size, int protection, void **ret_base)
{
	struct stat st;
	void *base;

	if (fstat(fd, &st) < 0) {
		return result_errno();
	}
	if (st.st_size < 0 || (uint64_t)st.st_size < size) {
		return -BAILEY_E_VERSION;
	}
	base = mmap(NULL, size, protection, MAP_SHARED, fd, 0);
	if (base == MAP_FAILED) {
		return result_errno();
	}
	*ret_base = base;
	return 0;
}

static int regions_map(struct bailey_client *client, const int *fds)
{
	void *base;
	int r = region_map(fds[WIRE_FD_EVENTS], WIRE_EVENTS_BYTES, PROT_READ,
			   &base);

	if (r < 0) {
		return r;
	}
	client->events = base;
	client->slot_base = (unsigned char *)base + WIRE_SLOTS_OFFSET;
	client->slots = client->events->slots;
	if (client->events->version != WIRE_VERSION ||
	    client->events->slot_size != WIRE_SLOT_SIZE ||
	    client->slots == 0 || client->slots > WIRE_SLOTS) {
		return -BAILEY_E_VERSION;
	}
	r = region_map(fds[WIRE_FD_ANSWERS], WIRE_ANSWERS_BYTES,
		       PROT_READ | PROT_WRITE, &base);
	if (r == 0) {
		client->answers = base;
	}
	return r;
}

static size_t directories_take(struct bailey_client *client, uint32_t bits,
			       int *fds, size_t count)
{
	size_t used = 0;

	for (unsigned i = 1; i <= BAILEY_DIRECTORY_STATE; i++) {
		if ((bits >> i & 1u) && used < count) {
			client->directory[i] = fd_take(&fds[used++]);
		}
	}
	return used;
}

/* Takes what it uses out of fds. */
static int hello_use(struct bailey_client *client,
		     const struct wire_reply *reply, int *fds, size_t count)
{
	int r;

	if (reply->error != 0) {
		return -reply->error;
	}
	if (count < WIRE_FD_DIRECTORIES ||
	    (reply->directories & ~0xeu) != 0 ||
	    count != WIRE_FD_DIRECTORIES +
		     (size_t)__builtin_popcount(reply->directories)) {
		return -EPROTO;
	}
	r = regions_map(client, fds);
	if (r < 0) {
		return r;
	}
	client->wake_product = fd_take(&fds[WIRE_FD_WAKE_PRODUCT]);
	client->wake_engine = fd_take(&fds[WIRE_FD_WAKE_ENGINE]);
	client->files = fd_take(&fds[WIRE_FD_FILES]);
	directories_take(client, reply->directories,
			 fds + WIRE_FD_DIRECTORIES,
			 count - WIRE_FD_DIRECTORIES);
	memcpy(client->known, reply->known, sizeof(client->known));
	client->armed = true;
	atomic_store(&client->answers->product_sleeping, 1);
	return 0;
}

static int hello_send(int fd, const struct wire_hello *hello)
{
	struct wire_request head = { .type = WIRE_REQUEST_HELLO, .count = 1 };
	struct iovec iov[] = {
		{ .iov_base = &head, .iov_len = sizeof(head) },
		{ .iov_base = (void *)(uintptr_t)hello,
		  .iov_len = sizeof(*hello) },
	};
	struct msghdr message = { .msg_iov = iov, .msg_iovlen = 2 };

	/* Every failure here means that no broker is behind descriptor 3. */
	return sendmsg(fd, &message, MSG_NOSIGNAL) < 0 ? -BAILEY_E_NO_SESSION
						       : 0;
}

static int hello(struct bailey_client *client, const struct wire_hello *text)
{
	int fds[WIRE_FD_DIRECTORIES + BAILEY_DIRECTORY_STATE];
	size_t count = sizeof(fds) / sizeof(fds[0]);
	struct wire_reply reply;
	int r = hello_send(client->session, text);

	if (r < 0) {
		return r;
	}
	r = client_reply(client, WIRE_REQUEST_HELLO, &reply, fds, &count);
	if (r == -EPIPE || r == -ECONNRESET) {
		r = -BAILEY_E_NO_SESSION;
	}
	if (r == 0) {
		r = hello_use(client, &reply, fds, count);
	}
	for (size_t i = 0; i < count; i++) {
		fd_closep(&fds[i]);
	}
	return r;
}

static int connect_session(struct bailey_client **ret_client,
			   const struct wire_hello *text)
{
	struct bailey_client *client;
	int r = client_new(&client);

	if (r < 0) {
		return r;
	}
	client->session = WIRE_SESSION_FD;
	r = hello(client, text);
	if (r < 0) {
		if (r == -BAILEY_E_NO_SESSION) {
			client->session = -1;   /* not ours to close */
			atomic_flag_clear(&session_taken);
		}
		bailey_client_close(client);
		return r;
	}
	*ret_client = client;
	return 0;
}

int bailey_client_connect(struct bailey_client **ret_client, unsigned api,
			  const char *schema, size_t field_count)
{
	struct wire_hello text = {
		.version = WIRE_VERSION,
		.field_count = (uint32_t)field_count,
	};
	size_t length = strnlen(schema, sizeof(text.schema));
	struct stat st;

	if (api != BAILEY_API) {
		return -BAILEY_E_VERSION;
	}
	if (length == sizeof(text.schema) || field_count > UINT32_MAX) {
		return -BAILEY_E_SCHEMA;
	}
	memcpy(text.schema, schema, length);
	if (fstat(WIRE_SESSION_FD, &st) < 0 || !S_ISSOCK(st.st_mode) ||
	    atomic_flag_test_and_set(&session_taken)) {
		return -BAILEY_E_NO_SESSION;
	}
	return connect_session(ret_client, &text);
}

int bailey_field_known(const struct bailey_client *client,
		       enum bailey_event_kind kind, enum bailey_field field)
{
	int row = client_event_row((unsigned)kind);
	uint8_t known;

	if (row < 0 || (unsigned)field > 63) {
		return BAILEY_KNOWN_ABSENT;
	}
	known = client->known[row][field];
	return known <= BAILEY_KNOWN_EXACT ? known : BAILEY_KNOWN_ABSENT;
}
