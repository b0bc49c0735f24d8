/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mutes: the library keeps the list, in a canonical form (bytes behind the
 * path's end are 0), so that equal mutes are equal bytes. A change is sent
 * first and kept when the engine agreed.
 */
#include "client/client.h"

#include <string.h>

static int mute_canonical(const struct bailey_mute *from,
			  struct bailey_mute *to)
{
	size_t length = strnlen(from->path, sizeof(from->path));
	bool by_path = from->by == BAILEY_MUTE_PATH ||
		       from->by == BAILEY_MUTE_EXE;

	if (from->size != sizeof(*from) || from->reserved != 0 ||
	    (from->by != BAILEY_MUTE_UID && !by_path) ||
	    length == sizeof(from->path) ||
	    (by_path && from->path[0] != '/')) {
		return -EINVAL;
	}
	*to = (struct bailey_mute){
		.size = sizeof(*to),
		.kind = from->kind,
		.by = from->by,
		.number = by_path ? 0 : from->number,
	};
	if (by_path) {
		memcpy(to->path, from->path, length);
	}
	return 0;
}

static size_t mute_find(const struct bailey_mute *list, size_t count,
			const struct bailey_mute *mute)
{
	size_t i = 0;

	while (i < count && memcmp(&list[i], mute, sizeof(*mute)) != 0) {
		i++;
	}
	return i;
}

/* session_lock held. A mute that is in force already is not sent again. */
static int mutes_add(struct bailey_client *client,
		     const struct bailey_mute *list, size_t count)
{
	struct bailey_mute *fresh = client->mute + client->mute_count;
	size_t n = 0;
	int r;

	for (size_t i = 0; i < count; i++) {
		struct bailey_mute mute;
		size_t all = client->mute_count + n;

		r = mute_canonical(&list[i], &mute);
		if (r < 0) {
			return r;
		}
		if (mute_find(client->mute, all, &mute) < all) {
			continue;
		}
		if (all == WIRE_MUTES) {
			return -BAILEY_E_FULL;
		}
		fresh[n++] = mute;
	}
	if (n == 0) {
		return 0;
	}
	r = client_request(client, WIRE_REQUEST_MUTE, fresh,
			   n * sizeof(*fresh), (uint32_t)n, NULL);
	client->mute_count += r == 0 ? n : 0;
	return r;
}

/* session_lock held. All of them, or none. */
static int mutes_remove(struct bailey_client *client,
			const struct bailey_mute *list, size_t count)
{
	struct bailey_mute left[WIRE_MUTES], gone[WIRE_MUTES];
	size_t n = client->mute_count;
	int r;

	if (count > n) {
		return -ENOENT;
	}
	memcpy(left, client->mute, n * sizeof(*left));
	for (size_t i = 0; i < count; i++) {
		size_t at;

		r = mute_canonical(&list[i], &gone[i]);
		if (r < 0) {
			return r;
		}
		at = mute_find(left, n, &gone[i]);
		if (at == n) {
			return -ENOENT;
		}
		left[at] = left[--n];
	}
	r = count == 0 ? 0 :
	    client_request(client, WIRE_REQUEST_UNMUTE, gone,
			   count * sizeof(*gone), (uint32_t)count, NULL);
	if (r == 0) {
		memcpy(client->mute, left, n * sizeof(*left));
		client->mute_count = n;
	}
	return r;
}

int bailey_mute(struct bailey_client *client, const struct bailey_mute *list,
		size_t count)
{
	int r;

	if (client_is_child(client)) {
		return -EPIPE;
	}
	pthread_mutex_lock(&client->session_lock);
	r = mutes_add(client, list, count);
	pthread_mutex_unlock(&client->session_lock);
	return r;
}

int bailey_unmute(struct bailey_client *client, const struct bailey_mute *list,
		  size_t count)
{
	int r;

	if (client_is_child(client)) {
		return -EPIPE;
	}
	pthread_mutex_lock(&client->session_lock);
	r = mutes_remove(client, list, count);
	pthread_mutex_unlock(&client->session_lock);
	return r;
}

int bailey_mute_list(struct bailey_client *client,
		     struct bailey_mute *ret_list, size_t capacity)
{
	size_t count, n;

	if (client_is_child(client)) {
		return -EPIPE;
	}
	pthread_mutex_lock(&client->session_lock);
	count = client->mute_count;
	n = count < capacity ? count : capacity;
	if (n > 0) {
		memcpy(ret_list, client->mute, n * sizeof(*ret_list));
	}
	pthread_mutex_unlock(&client->session_lock);
	return (int)count;
}
