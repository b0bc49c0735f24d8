/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch_url.c - a fetcher whose base is a URL
 *
 * libcurl does the work; one connection is kept between requests. A transfer
 * ends when it is slower than the limit for a while, and when it took longer
 * than a fixed time and that of its maximum at FLOOR bytes a second: neither an
 * endless file nor one byte a second holds a client.
 *
 * A plain file server decodes a URL once. A name with a '%' in it (an encoded
 * role) that is not found is therefore asked for once more with that '%'
 * encoded, which is the file of the very name.
 *
 * The page that comes with a "not found" is read and dropped, up to a limit:
 * each refresh asks for a root that is not there yet, and ending such an answer
 * early would cost the connection, and the next request a TLS handshake.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <curl/curl.h>

#include "base/text.h"
#include "update/fetch.h"

#define FLOOR 65536u
#define URL_MAX 4096u
#define DROPPED_MAX 65536u

#define CONNECT_S 10
#define SLOW_S 10
#define SLOW_BYTES 1024
#define TOTAL_S 60

struct remote {
	struct fetch fetch;
	CURL *curl;                     /* owned */
	long total_s;
	char base[URL_MAX - 3 * FETCH_NAME];    /* ends with a slash */
	/* of the request under way */
	fetch_sink sink;
	void *context;
	uint64_t from, at, maximum;     /* at: UINT64_MAX before it begins */
	uint64_t dropped;               /* bytes of a page that is no file */
	uint64_t range_from;            /* as the server says */
	int error;                      /* why we ended it */
	char detail[CURL_ERROR_SIZE];
};

static long status_of(const struct remote *f)
{
	long status = 0;

	curl_easy_getinfo(f->curl, CURLINFO_RESPONSE_CODE, &status);
	return status;
}

/* At the first byte, or the end: is it a file, and where does it begin? */
static bool begin(struct remote *f)
{
	long status = status_of(f);

	if (status != 200 && (status != 206 || f->range_from != f->from)) {
		return false;
	}
	f->at = status == 206 ? f->from : 0;
	return true;
}

static size_t on_body(char *bytes, size_t one, size_t n, void *context)
{
	struct remote *f = context;

	if (f->at == UINT64_MAX && !begin(f)) {
		f->dropped += n;
		return f->dropped <= DROPPED_MAX ? n : 0;
	}
	if (!f->error && n > f->maximum - f->at) {
		f->error = -EFBIG;
	}
	f->error = f->error ? f->error : f->sink(f->context, f->at, bytes, n);
	if (f->error) {
		return n ? 0 : 1;
	}
	f->at += n;
	return n;
}

static size_t on_header(char *bytes, size_t one, size_t n, void *context)
{
	static const char name[] = "content-range: bytes ";
	struct remote *f = context;
	char line[128];

	if (n >= sizeof(name) &&
	    strncasecmp(bytes, name, sizeof(name) - 1) == 0) {
		snprintf(line, sizeof(line), "%.*s",
			 (int)(n - sizeof(name) + 1),
			 bytes + sizeof(name) - 1);
		f->range_from = strtoull(line, NULL, 10);
	}
	return n;
}

static int status_error(struct remote *f)
{
	long status = status_of(f);

	text_format(f->fetch.why, sizeof(f->fetch.why), "status %ld", status);
	switch (status) {
	case 403:
	case 404:
	case 410:
		return FETCH_ABSENT;
	case 416:
		return -ERANGE;
	default:
		return -EPROTO;
	}
}

static int curl_error(struct remote *f, CURLcode code)
{
	text_format(f->fetch.why, sizeof(f->fetch.why), "%s",
		    f->detail[0] ? f->detail : curl_easy_strerror(code));
	switch (code) {
	case CURLE_OPERATION_TIMEDOUT: return -ETIMEDOUT;
	case CURLE_TOO_MANY_REDIRECTS: return -ELOOP;
	case CURLE_FILESIZE_EXCEEDED: return -EFBIG;
	case CURLE_COULDNT_CONNECT: return -ECONNREFUSED;
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY: return -EHOSTUNREACH;
	case CURLE_OUT_OF_MEMORY: return -ENOMEM;
	case CURLE_PARTIAL_FILE:
	case CURLE_RECV_ERROR:
	case CURLE_GOT_NOTHING: return -ECONNRESET;
	case CURLE_PEER_FAILED_VERIFICATION: return -EKEYREJECTED;
	default: return -EPROTO;
	}
}

static int transfer(struct remote *f, const char *name)
{
	char url[URL_MAX], range[32];
	uint64_t rest = f->maximum - f->from;
	uint64_t seconds = (uint64_t)f->total_s + rest / FLOOR;
	CURLcode code;

	if (strlen(f->base) + strlen(name) >= sizeof(url)) {
		return -ENAMETOOLONG;
	}
	text_format(url, sizeof(url), "%s%s", f->base, name);
	snprintf(range, sizeof(range), "%" PRIu64 "-", f->from);
	f->at = UINT64_MAX;
	f->dropped = 0;
	f->range_from = UINT64_MAX;
	f->error = 0;
	f->detail[0] = '\0';
	curl_easy_setopt(f->curl, CURLOPT_URL, url);
	curl_easy_setopt(f->curl, CURLOPT_RANGE, f->from ? range : NULL);
	curl_easy_setopt(f->curl, CURLOPT_TIMEOUT, seconds < INT32_MAX ?
			 (long)seconds : (long)INT32_MAX);
	code = curl_easy_perform(f->curl);
	if (f->at == UINT64_MAX && (f->dropped || code == CURLE_OK) &&
	    !begin(f)) {
		return status_error(f);
	}
	if (f->error) {
		text_format(f->fetch.why, sizeof(f->fetch.why), "%s",
			    f->error == -EFBIG ? "larger than it may be" :
						 strerror(-f->error));
		return f->error;
	}
	return code == CURLE_OK ? 0 : curl_error(f, code);
}

/* '%' as "%25". */
static int encode_again(const char *name, char ret_name[3 * FETCH_NAME])
{
	size_t n = 0;

	for (; *name; name++) {
		if (n + 4 > 3 * FETCH_NAME) {
			return -ENAMETOOLONG;
		}
		ret_name[n++] = *name;
		if (*name == '%') {
			ret_name[n++] = '2';
			ret_name[n++] = '5';
		}
	}
	ret_name[n] = '\0';
	return 0;
}

static int remote_get(struct fetch *fetch, const char *name, uint64_t from,
		      uint64_t maximum, fetch_sink sink, void *context)
{
	struct remote *f = (struct remote *)fetch;
	char again[3 * FETCH_NAME];
	int r;

	if (from > maximum) {
		return -ERANGE;
	}
	f->sink = sink;
	f->context = context;
	f->from = from;
	f->maximum = maximum;
	r = transfer(f, name);
	if (r == FETCH_ABSENT && strchr(name, '%') &&
	    encode_again(name, again) == 0) {
		r = transfer(f, again);
	}
	return r;
}

static void remote_free(struct fetch *fetch)
{
	struct remote *f = (struct remote *)fetch;

	curl_easy_cleanup(f->curl);
	free(f);
}

static void start_library(void)
{
	curl_global_init(CURL_GLOBAL_DEFAULT);
}

static long or_else(uint32_t value, long otherwise)
{
	return value ? (long)value : otherwise;
}

static int setup(struct remote *f, const struct fetch_options *options,
		 bool secure)
{
	const struct fetch_options none = { 0 }, *o = options ? options : &none;
	CURL *curl = f->curl;

	f->total_s = or_else(o->total_s, TOTAL_S);
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR,
			 secure ? "https" : "http,https");
	curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1l);
	curl_easy_setopt(curl, CURLOPT_MAXREDIRS, (long)FETCH_REDIRECTS);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1l);
	curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1l);
	curl_easy_setopt(curl, CURLOPT_USERAGENT,
			 o->agent ? o->agent : "bailey-tuf");
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT,
			 or_else(o->connect_s, CONNECT_S));
	curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME,
			 or_else(o->slow_s, SLOW_S));
	curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT,
			 or_else(o->slow_bytes, SLOW_BYTES));
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, f);
	curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(curl, CURLOPT_HEADERDATA, f);
	return curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, f->detail) ==
			       CURLE_OK ? 0 : -ENOMEM;
}

static int remote_new(const char *base, const struct fetch_options *options,
		      bool secure, struct fetch **ret_fetch)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct remote *f = calloc(1, sizeof(*f));
	size_t n = strlen(base);

	if (!f) {
		return -ENOMEM;
	}
	f->fetch.get = remote_get;
	f->fetch.free = remote_free;
	if (n + 2 > sizeof(f->base)) {
		free(f);
		return -ENAMETOOLONG;
	}
	snprintf(f->base, sizeof(f->base), "%s%s", base,
		 base[n - 1] == '/' ? "" : "/");
	pthread_once(&once, start_library);
	f->curl = curl_easy_init();
	if (!f->curl || setup(f, options, secure) < 0) {
		remote_free(&f->fetch);
		return -ENOMEM;
	}
	*ret_fetch = &f->fetch;
	return 0;
}

/* file:///path or file://localhost/path; encoded as in any URL. */
static int local_new(const char *path, struct fetch **ret_fetch)
{
	cleanup_fd int fd = -1;
	char *decoded;
	int n = 0;

	if (strncmp(path, "localhost/", 10) == 0) {
		path += 9;
	}
	if (path[0] != '/') {
		return -EINVAL;
	}
	decoded = curl_easy_unescape(NULL, path, 0, &n);
	if (!decoded) {
		return -ENOMEM;
	}
	fd = strlen(decoded) == (size_t)n ?
		     open(decoded, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	curl_free(decoded);
	return fd < 0 ? result_errno() : fetch_folder(fd, ret_fetch);
}

int fetch_url(const char *base, const struct fetch_options *options,
	      struct fetch **ret_fetch)
{
	if (strncasecmp(base, "file://", 7) == 0) {
		return local_new(base + 7, ret_fetch);
	}
	if (strncasecmp(base, "https://", 8) == 0) {
		return remote_new(base, options, true, ret_fetch);
	}
	if (strncasecmp(base, "http://", 7) == 0) {
		return remote_new(base, options, false, ret_fetch);
	}
	return -EINVAL;
}
