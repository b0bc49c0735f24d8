/* SPDX-License-Identifier: Apache-2.0 */
/* Collections: named sets that rules refer to; one change open at a time. */
#include "client/client.h"

#include <string.h>

static size_t member_size(enum bailey_collection_kind kind)
{
	switch (kind) {
	case BAILEY_COLLECTION_SHA256:
		return 32;
	case BAILEY_COLLECTION_NUMBER:
		return sizeof(uint64_t);
	}
	return 0;
}

/* session_lock held. */
static int set_begin(struct bailey_client *client, const struct wire_set *set)
{
	int r;

	if (client->member_size != 0) {
		return -EBUSY;
	}
	r = client_request(client, WIRE_REQUEST_SET_BEGIN, set, sizeof(*set),
			   1, NULL);
	if (r == 0) {
		client->member_size = member_size(set->kind);
	}
	return r;
}

int bailey_collection_begin(struct bailey_client *client, const char *name,
			    enum bailey_collection_kind kind)
{
	struct wire_set set = { .kind = kind };
	size_t length = strnlen(name, sizeof(set.name));
	int r;

	if (length == 0 || length == sizeof(set.name) ||
	    member_size(kind) == 0) {
		return -EINVAL;
	}
	if (client_is_child(client)) {
		return -EPIPE;
	}
	memcpy(set.name, name, length);
	pthread_mutex_lock(&client->session_lock);
	r = set_begin(client, &set);
	pthread_mutex_unlock(&client->session_lock);
	return r;
}

/* session_lock held. Whole members in each datagram. */
static int members_send(struct bailey_client *client, uint32_t type,
			const unsigned char *members, size_t count)
{
	size_t size = client->member_size;
	size_t most;
	int r = 0;

	if (size == 0) {
		return -EINVAL;
	}
	most = (WIRE_REQUEST_MAX - sizeof(struct wire_request)) / size;
	while (r == 0 && count > 0) {
		size_t n = count < most ? count : most;

		r = client_request(client, type, members, n * size,
				   (uint32_t)n, NULL);
		members += n * size;
		count -= n;
	}
	return r;
}

static int members_change(struct bailey_client *client, uint32_t type,
			  const void *members, size_t count)
{
	int r;

	if (client_is_child(client)) {
		return -EPIPE;
	}
	pthread_mutex_lock(&client->session_lock);
	r = members_send(client, type, members, count);
	pthread_mutex_unlock(&client->session_lock);
	return r;
}

int bailey_collection_add(struct bailey_client *client, const void *members,
			  size_t count)
{
	return members_change(client, WIRE_REQUEST_SET_ADD, members, count);
}

int bailey_collection_remove(struct bailey_client *client, const void *members,
			     size_t count)
{
	return members_change(client, WIRE_REQUEST_SET_REMOVE, members, count);
}

int bailey_collection_commit(struct bailey_client *client)
{
	int r = -EINVAL;

	if (client_is_child(client)) {
		return -EPIPE;
	}
	pthread_mutex_lock(&client->session_lock);
	if (client->member_size != 0) {
		r = client_request(client, WIRE_REQUEST_SET_COMMIT, NULL, 0,
				   0, NULL);
		client->member_size = 0;
	}
	pthread_mutex_unlock(&client->session_lock);
	return r;
}
