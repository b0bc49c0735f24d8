/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proto/content.h - what is said on content.sock: names of members, no code
 *
 * SOCK_SEQPACKET, below the state directory, mode 0666. The caller sends one
 * datagram, a JSON object: {"do":"show","product":"scan"}. The agent answers
 * with datagrams that hold one JSON object each, has a "type" in each but the
 * last, and ends with {"end":true,"error":0|errno,"text":"..."}: text says
 * what is wrong and what to do, "" when nothing is. One connection a request.
 *
 * Anyone may list, show and ask why; the rest is root's (SO_PEERCRED).
 * Every member of a row is there in each record; what is not known is null.
 * Times are seconds since 1970, lengths of time are seconds. Hashes are 64
 * hexadecimal digits, those of a version's description. A member that the
 * reader does not know is passed over, so that rows can be added.
 *
 * The same rows make `bailey content --json`: a member here is a promise.
 */
#ifndef PROTO_CONTENT_H
#define PROTO_CONTENT_H

#define CONTENT_SOCKET "content.sock"
#define CONTENT_REQUEST_MOST 4096u      /* bytes of a request */
#define CONTENT_RECORD_MOST 65536u      /* bytes of one datagram of a reply */
#define CONTENT_TEXT_MOST 1024u         /* bytes of a "text" or "reason" */

/*
 * X(SYMBOL, "do", root, descriptor, "what it takes")
 * descriptor: one comes with the request by SCM_RIGHTS.
 * product is needed but where [product] stands: then all of them.
 * version: as a person writes one: number, name, or 8 or more digits of the
 * hash; the agent finds it among those that it knows.
 */
#define CONTENT_REQUEST_TABLE(X)                                              \
	X(LIST, "list", 0, 0, "[product]: product records")                   \
	X(SHOW, "show", 0, 0, "product: its record, then version records")    \
	X(WHY, "why", 0, 0, "product, [version]: reason records")             \
	X(PIN, "pin", 1, 0, "product, version, reason")                       \
	X(UNPIN, "unpin", 1, 0, "product")                                    \
	X(PAUSE, "pause", 1, 0, "[product], for_s (0: until resume), reason") \
	X(RESUME, "resume", 1, 0, "[product]")                                \
	X(REVERT, "revert", 1, 0, "product, [version], reason")               \
	X(CHECK, "check", 1, 0, "[product]: look now; progress records")      \
	X(LIFT, "lift", 1, 0, "product, version, reason: out of quarantine")  \
	X(SUBMIT, "submit", 1, 1, "product; a directory; progress records")

enum content_request {
#define CONTENT_ENUM(sym, name, root, descriptor, help) CONTENT_DO_##sym,
	CONTENT_REQUEST_TABLE(CONTENT_ENUM)
#undef CONTENT_ENUM
	CONTENT_REQUESTS
};

/* What a member holds. */
#define CONTENT_KIND_TABLE(X)                                                 \
	X(TEXT)                         /* string, or null */                 \
	X(NUMBER)                       /* integer >= 0, or null */           \
	X(TIME)                         /* the same, seconds since 1970 */    \
	X(TRUTH)                        /* true or false */

enum content_kind {
#define CONTENT_ENUM(sym) CONTENT_KIND_##sym,
	CONTENT_KIND_TABLE(CONTENT_ENUM)
#undef CONTENT_ENUM
};

/* type "product": one managed product. X(member, KIND, "meaning") */
#define CONTENT_PRODUCT_TABLE(X)                                              \
	X(product, TEXT, "its name")                                          \
	X(reload, TEXT, "live, restart or parallel")                          \
	X(state, TEXT, "of what it runs: trial or good; null: nothing yet")   \
	X(version, TEXT, "the version that it runs")                          \
	X(number, NUMBER, "that version's number")                            \
	X(hash, TEXT, "that version's hash")                                  \
	X(class, TEXT, "code or data")                                        \
	X(since, TIME, "when that version became active")                     \
	X(trial_until, TIME, "end of its bake time; null when not on trial")  \
	X(answered, NUMBER, "questions answered while on trial")              \
	X(needed, NUMBER, "questions that its trial needs")                   \
	X(previous, TEXT, "hash of the version to which it would go back")    \
	X(next_version, TEXT, "the newest version that could come")           \
	X(next_number, NUMBER, "that version's number")                       \
	X(next_hash, TEXT, "that version's hash")                             \
	X(next_state, TEXT, "fetched, verified, preflighted or quarantined")  \
	X(waits_for, TEXT, "why that one is not active, in words")            \
	X(pinned, TEXT, "hash to which it is pinned")                         \
	X(paused, TRUTH, "no new version until resume")                       \
	X(paused_until, TIME, "when the pause ends by itself")                \
	X(ring, TEXT, "early, general or late")                               \
	X(lease_until, TIME, "end of the lease that it has")                  \
	X(checked, TIME, "the last try to look for new versions")             \
	X(reached, TIME, "the last try that reached the repository")          \
	X(trouble, TEXT, "what is wrong with looking, verifying or keeping")

/* type "version": one that the host knows of. */
#define CONTENT_VERSION_TABLE(X)                                              \
	X(product, TEXT, "whose it is")                                       \
	X(version, TEXT, "its name")                                          \
	X(number, NUMBER, "its number")                                       \
	X(hash, TEXT, "its hash")                                             \
	X(class, TEXT, "code or data")                                        \
	X(schema, TEXT, "schema that it was made for")                        \
	X(fields, NUMBER, "fields that it declares")                          \
	X(state, TEXT, "fetched, verified, preflighted, trial, good or "      \
		"quarantined")                                                \
	X(since, TIME, "of that state")                                       \
	X(active, TRUTH, "what the product runs")                             \
	X(kept, TRUTH, "whole on the disk")                                   \
	X(revoked, TRUTH, "its publisher took it back")                       \
	X(expired, TRUTH, "too old to be activated anew")                     \
	X(bytes, NUMBER, "of its files")                                      \
	X(files, NUMBER, "how many")                                          \
	X(reason, TEXT, "why it is in that state")

/* type "reason": one entry of the journal, oldest first; or, with now true,
 * the decision as it stands, the last one. */
#define CONTENT_REASON_TABLE(X)                                               \
	X(product, TEXT, "whose it is")                                       \
	X(time, TIME, "when it was written")                                  \
	X(now, TRUTH, "not history: what holds at this moment")               \
	X(what, TEXT, "one word: what was done, or decided")                  \
	X(version, TEXT, "version that it is about")                          \
	X(number, NUMBER, "that version's number")                            \
	X(hash, TEXT, "that version's hash")                                  \
	X(by, TEXT, "person, policy, lease, trial, preflight, publisher...")  \
	X(reason, TEXT, "why, in words")                                      \
	X(inputs, TEXT, "what the decision was made from: name=value ...")

/* type "progress": a step of check and submit. */
#define CONTENT_PROGRESS_TABLE(X)                                             \
	X(product, TEXT, "whose it is")                                       \
	X(step, TEXT, "fetch, verify, preflight, trial, done")                \
	X(version, TEXT, "version that it is about")                          \
	X(hash, TEXT, "that version's hash")                                  \
	X(done, NUMBER, "how much of the step")                               \
	X(total, NUMBER, "of how much; null: not known")                      \
	X(reason, TEXT, "what to know about it")

/* X(SYMBOL, "type", its table) */
#define CONTENT_RECORD_TABLE(X)                                               \
	X(PRODUCT, "product", CONTENT_PRODUCT_TABLE)                          \
	X(VERSION, "version", CONTENT_VERSION_TABLE)                          \
	X(REASON, "reason", CONTENT_REASON_TABLE)                             \
	X(PROGRESS, "progress", CONTENT_PROGRESS_TABLE)

enum content_record {
#define CONTENT_ENUM(sym, name, table) CONTENT_RECORD_##sym,
	CONTENT_RECORD_TABLE(CONTENT_ENUM)
#undef CONTENT_ENUM
	CONTENT_RECORDS
};

/* X(errno, "what the end's error means"): those with a meaning of their own. */
#define CONTENT_ERROR_TABLE(X)                                                \
	X(EPERM, "only root may")                                             \
	X(ENODEV, "no such product, or its content is not managed")           \
	X(ENOENT, "no such version")                                          \
	X(EBUSY, "something else is being done with that product")            \
	X(EALREADY, "it is so already")                                       \
	X(EBADMSG, "what was given is refused: text says why")                \
	X(ECANCELED, "begun, and then taken back: text says why")             \
	X(EINVAL, "a request that this agent does not know")

/*
 * Staging: staging/PRODUCT below the folder of content, the updater's (user
 * bailey-update, group bailey-content, mode 0750), and how the two talk there.
 * The agent watches `ready`, which is touched after each try, and touches
 * `check` (mode 0660) for a try at once. The mirror is metadata/ and targets/:
 * what a timestamp.json leads to is there before that file is renamed into its
 * place, and stays until the one after it is.
 */
#define CONTENT_STAGING "staging"
#define CONTENT_READY "ready"           /* touched after each try */
#define CONTENT_STATUS "status.json"    /* replaced whole, <= STATUS_MOST */
#define CONTENT_CHECK "check"           /* touched for a try at once */
#define CONTENT_STATUS_MOST 4096u

/* status.json: the last try. Members as above. */
#define CONTENT_STATUS_TABLE(X)                                               \
	X(product, TEXT, "whose it is")                                       \
	X(checked, TIME, "the last try")                                      \
	X(reached, TIME, "the last one that was good")                        \
	X(next, TIME, "when the next one is planned")                         \
	X(failures, NUMBER, "tries in a row that were not good")              \
	X(step, TEXT, "where it failed: configuration, metadata, version, "   \
		"blob, disk, lock; null: it was good")                        \
	X(error, NUMBER, "its errno; 0: good")                                \
	X(reason, TEXT, "what went wrong, in words")                          \
	X(bytes, NUMBER, "fetched in that try")                               \
	X(files, NUMBER, "files fetched in that try")                         \
	X(staged, NUMBER, "bytes in staging after it")

#endif
