/* SPDX-License-Identifier: Apache-2.0 */
/* Denies what deny.list in the content directory names (NAME SIZE SHA256 a
 * line, NAME * is any): name and size first, contents second. What is too
 * large to hash in time, or unreadable, is reported and left to the policy. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include <bailey/client.h>
#include <openssl/evp.h>

#define LARGE (4 << 20)
static struct entry { char name[256], hash[65]; long long size; } list[4097];

static int load(int directory)
{
	FILE *file = fdopen(openat(directory, "deny.list", O_RDONLY), "r");
	struct entry *e = list;
	while (file && e < list + 4096 && fscanf(file, "%255s %lld %64s",
			e->name, &e->size, e->hash) == 3) {
		e++;
	}
	return file ? fclose(file) : -1;
}

static int sha256(struct bailey_event *event, char hex[65])
{
	unsigned char data[65536], digest[32];
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	uint64_t at = 0;
	int n;
	EVP_DigestInit_ex(md, EVP_sha256(), NULL);
	for (; (n = bailey_file_read(event, at, data, 65536)) > 0; at += n) {
		EVP_DigestUpdate(md, data, (size_t)n);
	}
	EVP_DigestFinal_ex(md, digest, NULL);
	EVP_MD_CTX_free(md);
	for (int i = 0; i < 32; i++) {
		snprintf(hex + 2 * i, 3, "%02x", digest[i]);
	}
	return n;
}

/* hash null: by name and size only. */
static int listed(struct bailey_event *event, int64_t size, const char *hash)
{
	struct bailey_string path = { "", 0 };
	bailey_event_string(event, BAILEY_FIELD_PATH, &path);
	const char *slash = strrchr(path.bytes, '/');
	for (struct entry *e = list; e->name[0]; e++) {
		if (e->size == size && (!strcmp(e->name, "*") || (slash &&
		    !strcmp(e->name, slash + 1))) &&
		    (!hash || !strcmp(e->hash, hash))) {
			return 1;
		}
	}
	return 0;
}

static void judge(struct bailey_client *client, struct bailey_event *event)
{
	static const struct bailey_finding found = { sizeof(found), 80, 100,
		"deny-by-hash", "name and size are on the deny list", "" };
	char hash[65];
	int64_t size = -1;
	bailey_event_number(event, BAILEY_FIELD_SIZE, &size);
	int deny = listed(event, size, NULL);
	if (deny && (size > LARGE || sha256(event, hash) != 0)) {
		bailey_report(client, event, &found);
		bailey_defer(client, event);
		return;
	}
	deny = deny && listed(event, size, hash);
	bailey_answer(client, event,
		      deny ? BAILEY_VERDICT_DENY : BAILEY_VERDICT_ALLOW,
		      BAILEY_SCOPE_ONCE, deny ? &found : NULL);
}

int main(void)
{
	struct bailey_subscription want[] = {
		{ sizeof(*want), BAILEY_EVENT_FILE_OPEN, 0, BAILEY_WANT_FILE },
		{ sizeof(*want), BAILEY_EVENT_PROCESS_EXEC, 0,
		  BAILEY_WANT_FILE } };
	struct bailey_client *client;
	struct bailey_event *event;
	if (bailey_client_connect(&client, BAILEY_API, "", 0) < 0 ||
	    bailey_subscribe(client, want, 2) < 0 ||
	    load(bailey_directory(client, BAILEY_DIRECTORY_CONTENT)) < 0 ||
	    bailey_ready(client) < 0) {
		return 1;
	}
	while (bailey_next(client, -1, &event) == 1) {
		judge(client, event);
		bailey_event_unref(event);
	}
	bailey_client_close(client);
	return 0;
}
