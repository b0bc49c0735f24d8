/* SPDX-License-Identifier: Apache-2.0 */
/**
 * bailey/client.h - what a security product calls
 *
 * A product is an ordinary program that the broker starts in a jail with one
 * inherited session. It connects, subscribes, loads what it needs, says that
 * it is ready, and then answers questions:
 *
 *     bailey_client_connect() -> bailey_subscribe() -> bailey_ready()
 *     -> loop: bailey_next() -> bailey_answer() -> bailey_event_unref()
 *
 * Results: 0 is good, 1 a named good condition where a call says so, negative
 * is an errno value or an enum bailey_error, negated; bailey_strerror() has
 * the text of both. Outputs (ret_) are untouched on failure. No call aborts
 * the caller or prints anything.
 *
 * Threads: every call may be made from any thread. Questions come before
 * news. Answers may come in any order from any thread. After fork() the child
 * may only use and unref events that it already holds.
 *
 * Since: everything here is in version BAILEY_API_1 unless it says otherwise.
 */
#ifndef BAILEY_CLIENT_H
#define BAILEY_CLIENT_H

#include <bailey/event.h>

#ifdef __cplusplus
extern "C" {
#endif

/** The version of this header, for bailey_client_connect(). */
#define BAILEY_API 1u

#if defined(__GNUC__)
#define BAILEY_MUST_USE __attribute__((warn_unused_result))
#else
#define BAILEY_MUST_USE
#endif

struct bailey_client;   /**< one session; opaque */
struct bailey_event;    /**< one event; opaque, reference counted */

/**
 * Connects to the broker over the inherited session.
 *
 * schema: name of the content schema that the running code reads; "" if it
 * reads none. field_count: number of elements of the array that the code
 * indexes by content fields: give sizeof(array)/sizeof(array[0]), never a
 * literal. The broker refuses content that declares anything else.
 *
 * Errors: -BAILEY_E_NO_SESSION when not started by the broker or connected
 * already, -BAILEY_E_VERSION, -BAILEY_E_SCHEMA, -EPROTO (a reply that makes no
 * sense), -ETIMEDOUT (none in 30 s, as in every call that asks the broker;
 * the session then takes no more requests), -ENOMEM, -EMFILE.
 */
BAILEY_MUST_USE int bailey_client_connect(struct bailey_client **ret_client,
					  unsigned api, const char *schema,
					  size_t field_count);

/**
 * Opens a recorded file in place of a broker: needs no root and no broker.
 * Events come in their recorded order, as subscribed and not muted; answers
 * are compared with nothing and simply counted; rules and collections are
 * accepted unread. bailey_next() never waits, returns -EPIPE at the end and
 * -BAILEY_E_FULL when too many events are held.
 *
 * Errors: those of open(2), -BAILEY_E_RECORD, -ENOMEM.
 */
BAILEY_MUST_USE int bailey_client_open_record(struct bailey_client **ret_client,
					      const char *path);

/** Ends the session and frees the client. Null-safe. Events that are still
 *  held stay readable until their last unref. */
void bailey_client_close(struct bailey_client *client);

/** What a product wants of one event type. Set size to sizeof. */
struct bailey_subscription {
	uint32_t size;
	uint32_t kind;          /**< enum bailey_event_kind */
	uint32_t deadline_ms;   /**< 0: the manifest's; may only be shorter */
	uint32_t flags;         /**< BAILEY_WANT_* */
};

/** Pass a read-only descriptor of the object with each question (regular
 *  files only); needed by bailey_file_read() and bailey_event_file(). */
#define BAILEY_WANT_FILE 1u
/** The event is optional: where this host lacks it, carry on without. */
#define BAILEY_WANT_OPTIONAL 2u

/**
 * Chooses events, within what the manifest grants. Replaces what was
 * subscribed before. Errors: -BAILEY_E_NOT_ASKED (outside the manifest's
 * ceiling), -ENOTSUP (absent on this host and not optional), -EINVAL.
 */
BAILEY_MUST_USE int bailey_subscribe(struct bailey_client *client,
				     const struct bailey_subscription *list,
				     size_t count);

/** What not to be asked about: such events are answered "allow" for this
 *  product alone, before they are sent. Set size to sizeof. */
struct bailey_mute {
	uint32_t size;
	uint32_t kind;          /**< enum bailey_event_kind; 0: every type */
	uint32_t by;            /**< enum bailey_mute_by */
	uint32_t reserved;      /**< 0 */
	uint64_t number;        /**< uid */
	char path[256];         /**< host path; prefix if it ends with '/' */
};

enum bailey_mute_by {
	BAILEY_MUTE_UID = 1,    /**< events of processes with this uid */
	BAILEY_MUTE_PATH = 2,   /**< events about this host path or prefix */
	BAILEY_MUTE_EXE = 3     /**< events of programs with this host path */
};

/** Adds mutes (at most 64 a session: -BAILEY_E_FULL). */
BAILEY_MUST_USE int bailey_mute(struct bailey_client *client,
				const struct bailey_mute *list, size_t count);
/** Removes mutes that equal the given ones; -ENOENT if one is not there. */
BAILEY_MUST_USE int bailey_unmute(struct bailey_client *client,
				  const struct bailey_mute *list, size_t count);
/** Copies up to capacity mutes in force to ret_list; returns their number. */
BAILEY_MUST_USE int bailey_mute_list(struct bailey_client *client,
				     struct bailey_mute *ret_list,
				     size_t capacity);

/** Says that everything is loaded; nothing is asked before. */
BAILEY_MUST_USE int bailey_ready(struct bailey_client *client);

/**
 * Takes the next event. Returns 1 with an event (release it with
 * bailey_event_unref()), 0 on time-out, -EPIPE when the session has ended,
 * -EINTR. timeout_ms: -1 waits without limit.
 */
BAILEY_MUST_USE int bailey_next(struct bailey_client *client, int timeout_ms,
				struct bailey_event **ret_event);

/** A descriptor that polls readable when bailey_next() may have an event:
 *  fits anybody's loop. Borrowed; never read it yourself. After it fires call
 *  bailey_next(client, 0, ...) until it returns 0. While one thread polls it,
 *  no other thread calls bailey_next(). */
int bailey_fd(const struct bailey_client *client);

struct bailey_event *bailey_event_ref(struct bailey_event *event);
/** Null-safe. The last unref gives the event's memory back to the broker. */
void bailey_event_unref(struct bailey_event *event);

/** Type of the event (enum bailey_event_kind, or a newer number). */
unsigned bailey_event_kind(const struct bailey_event *event);
/** Identity of the event for logs and `bailey explain`. */
uint64_t bailey_event_id(const struct bailey_event *event);
/** 1 if the event is a question that waits for bailey_answer(). */
int bailey_event_is_question(const struct bailey_event *event);

/**
 * Answers a question. finding may be null. The scope says for what else the
 * verdict holds (see enum bailey_scope).
 *
 * Errors: -BAILEY_E_TOO_LATE, -EINVAL, -EALREADY (answered twice),
 * -EPIPE. An error costs nothing: the fallback stands. A question is answered
 * or deferred, once. The calls below may also return -BAILEY_E_FULL, when the
 * broker has not yet read what was said before; bailey_answer() and
 * bailey_defer() never do.
 */
int bailey_answer(struct bailey_client *client, struct bailey_event *event,
		  enum bailey_verdict verdict, enum bailey_scope scope,
		  const struct bailey_finding *finding);

/** Asks for ms more milliseconds, up to the administrator's maximum. */
int bailey_extend(struct bailey_client *client, struct bailey_event *event,
		  unsigned ms);

/** Says "not now": the manifest's on_miss answers at once, this is not a miss,
 *  and the event stays held; follow up with bailey_revise(). */
int bailey_defer(struct bailey_client *client, struct bailey_event *event);

/** Says "I know better now" about an object of an event that is still held:
 *  cached verdicts about it fall; a deny holds for later questions until the
 *  object changes. */
int bailey_revise(struct bailey_client *client,
		  const struct bailey_object *object,
		  enum bailey_verdict verdict,
		  const struct bailey_finding *finding);

/** Attaches a finding to any held event without deciding it. */
int bailey_report(struct bailey_client *client, struct bailey_event *event,
		  const struct bailey_finding *finding);

/**
 * Total accessors: any field of any event may be asked for; absent is an
 * answer (-ENODATA), a wild read is not possible.
 */
int bailey_event_number(const struct bailey_event *event,
			enum bailey_field field, int64_t *ret_value);
int bailey_event_string(const struct bailey_event *event,
			enum bailey_field field,
			struct bailey_string *ret_value);
/** The event's object, for bailey_revise(); -ENODATA if it has none. */
int bailey_event_object(const struct bailey_event *event,
			struct bailey_object *ret_object);

/**
 * Reads from the event's object as it is now, at an absolute offset, without
 * moving any shared file position. Returns bytes read (0 at the end), -ENODATA
 * without BAILEY_WANT_FILE or for anything but a regular file, or an errno.
 */
int bailey_file_read(struct bailey_event *event, uint64_t offset, void *buffer,
		     size_t size);

/** The descriptor behind bailey_file_read(), or -ENODATA. Borrowed: it is
 *  closed by the library with the event. Read-only; pread and mmap only. */
int bailey_event_file(struct bailey_event *event);

/** How well this host knows a field of an event type (enum bailey_known).
 *  field 0 asks about the event type itself. */
int bailey_field_known(const struct bailey_client *client,
		       enum bailey_event_kind kind, enum bailey_field field);

/**
 * Replaces this product's rules (bailey.rules(5)), as one step. They are
 * applied by the broker, within the manifest's may_deny, and outlive the
 * product by its rules_ttl. Errors: -BAILEY_E_RULE with the 1-based line in
 * *ret_line, -E2BIG, -EPERM (a deny outside may_deny).
 */
BAILEY_MUST_USE int bailey_rules_replace(struct bailey_client *client,
					 const char *text, size_t length,
					 int *ret_line);

/** Members of a collection. Set by the kind given to _begin. */
enum bailey_collection_kind {
	BAILEY_COLLECTION_SHA256 = 1,   /**< 32 bytes each */
	BAILEY_COLLECTION_NUMBER = 2    /**< uint64_t each: uids */
};

/** Opens a change of the named set (at most 63 bytes); -EBUSY: one is open. */
BAILEY_MUST_USE int bailey_collection_begin(struct bailey_client *client,
					    const char *name,
					    enum bailey_collection_kind kind);
/** Adds members: count elements of the kind's size, back to back. */
BAILEY_MUST_USE int bailey_collection_add(struct bailey_client *client,
					  const void *members, size_t count);
BAILEY_MUST_USE int bailey_collection_remove(struct bailey_client *client,
					     const void *members, size_t count);
/** Makes the change visible to rules in one step. */
BAILEY_MUST_USE int bailey_collection_commit(struct bailey_client *client);

/** Directories that the broker hands to the product. */
enum bailey_directory {
	BAILEY_DIRECTORY_CONTENT = 1,   /**< read-only: rules, signatures */
	BAILEY_DIRECTORY_CONFIG = 2,    /**< read-only: the administrator's */
	BAILEY_DIRECTORY_STATE = 3      /**< the product's own, limited */
};

/** A descriptor of the directory (borrowed, for openat(2)), or -ENOENT. The
 *  content directory is another one once bailey_next() has returned a
 *  BAILEY_EVENT_CONTENT; the former one is closed with the last unref of that
 *  event, or is its bailey_event_file() until then. */
int bailey_directory(struct bailey_client *client, enum bailey_directory which);

/**
 * Answers a BAILEY_EVENT_CONTENT: 0 when the new content is in use, or why not
 * (an errno or enum bailey_error, of either sign): the old is used on, and the
 * version counts as refused. Load the new beside the old, and change over in
 * one step. Products whose manifest says `reload = live` must answer within
 * their start_s: who does not, hangs. Errors: -EINVAL (no such event, or
 * answered before), -EPIPE.
 */
BAILEY_MUST_USE int bailey_content_done(struct bailey_client *client,
					const struct bailey_event *event,
					int error);

/** Writes one line to the broker's log. level: as in syslog(3), 0-7. Rate
 *  limited; what was dropped is counted. Never waits: -EAGAIN. */
int bailey_log(struct bailey_client *client, int level, const char *text);

/** Text of a negative result, never null. */
const char *bailey_strerror(int error);
/** Name of an event type, or null. */
const char *bailey_event_kind_name(unsigned kind);
/** Name of a field, or null. */
const char *bailey_field_name(unsigned field);

#ifdef __cplusplus
}
#endif

#endif
