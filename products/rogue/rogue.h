/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rogue - a test product that misbehaves on request, in one way per run
 *
 * Each mode is one row of ROGUE_MODE_TABLE: name, argument, what it does, and
 * its function (mode_NAME). `rogue --help` prints the table.
 *
 * Unless the row says otherwise a mode subscribes to file.open and
 * process.exec, says that it is ready, and misbehaves at its *first question*,
 * so that the question is open when it happens; until then and, where it goes
 * on, afterwards it allows. Where a mode tries something that the jail or the
 * broker should refuse, it logs "NAME: refused" or "NAME: NOT REFUSED".
 *
 * Import rule: products see include/bailey only. rogue is the one exception:
 * the modes of wire_*.c include proto/wire.h and speak the wire themselves,
 * for the library does not let anybody do what they do.
 *
 * Bounds: without a session nothing happens at all (exit status 64). With one,
 * no mode lasts longer than ROGUE_LIFE_S; alloc and fork-bomb run only as
 * process 1 of a pid namespace, within ROGUE_ALLOC and ROGUE_FORKS.
 */
#ifndef ROGUE_H
#define ROGUE_H

#include <stddef.h>
#include <stdint.h>

#include <bailey/client.h>

#define ROGUE_LIFE_S 600u
#define ROGUE_ALLOC (4ull << 30)
#define ROGUE_FORKS 4096u
#define ROGUE_REFUSED 77        /* exit status: will not do this here */

/* X(symbol, "name", "argument", "help") */
#define ROGUE_MODE_TABLE(X)                                                   \
	/* well-behaved: for comparison, benchmarks and scripted verdicts */  \
	X(allow, "allow", "",                                                 \
	  "allow at once; no descriptors")                                    \
	X(allow_file, "allow-file", "",                                       \
	  "allow at once; every question brings its descriptor")              \
	X(allow_object, "allow-object", "",                                   \
	  "allow at once, scope object")                                      \
	X(observe, "observe", "",                                             \
	  "log type and path of each event, allow")                           \
	X(delay, "delay", "MS",                                               \
	  "allow after MS milliseconds (default 20)")                         \
	X(deny_name, "deny-name", "NAME",                                     \
	  "deny objects whose last path component is NAME (default evil)")    \
	X(slow_load, "slow-load", "SECONDS",                                  \
	  "be ready after SECONDS (default 60), then allow")                  \
	/* verdicts */                                                        \
	X(deny_all, "deny-all", "", "deny every question")                    \
	X(late, "late", "",                                                   \
	  "answer deny 50 ms after each deadline")                            \
	X(defer_all, "defer-all", "",                                         \
	  "defer every question and hold on to it")                           \
	X(revise_all, "revise-all", "",                                       \
	  "allow, then revise every object to deny")                          \
	X(rule_deny, "rule-deny", "PATH",                                     \
	  "publish a rule that denies all below PATH, then allow")            \
	X(rule_deny_root, "rule-deny-root", "",                               \
	  "publish a rule that denies everything below /, then die")          \
	/* deaths and silence */                                              \
	X(segfault, "segfault", "", "write to where nothing is")              \
	X(abort, "abort", "", "abort()")                                      \
	X(exit0, "exit0", "", "exit with status 0")                           \
	X(crash_on, "crash-on", "NAME",                                       \
	  "segfault when a path contains NAME (default evil), else allow")    \
	X(exit_at_start, "exit-at-start", "", "exit before connecting")       \
	X(never_ready, "never-ready", "", "subscribe, and never be ready")    \
	X(hang, "hang", "", "take one question and sleep")                    \
	X(hold, "hold", "", "take every question, answer none")               \
	X(stop, "stop", "", "stop itself (SIGSTOP)")                          \
	X(spin, "spin", "", "never come back from a computation")             \
	/* resources */                                                       \
	X(alloc, "alloc", "", "allocate and touch memory without end")        \
	X(fork_bomb, "fork-bomb", "", "fork, and so do the children")         \
	X(threads, "threads", "", "create threads without end")               \
	/* descriptors of questions */                                        \
	X(keep_fds, "keep-fds", "", "keep a copy of each descriptor, allow")  \
	X(lock, "lock", "",                                                   \
	  "flock, record-lock and lease each descriptor, allow")              \
	X(seek, "seek", "",                                                   \
	  "seek and set status flags of each descriptor, allow")              \
	X(no_receive, "no-receive", "",                                       \
	  "never receive a descriptor, allow")                                \
	/* the wire */                                                        \
	X(twice, "twice", "", "answer each question allow and then deny")     \
	X(others, "others", "",                                               \
	  "answer deny for ids and slots that it does not hold")              \
	X(scribble, "scribble", "",                                           \
	  "random bytes over its writable region, continuously")              \
	X(overrun, "overrun", "",                                             \
	  "claim more answers than the ring holds")                           \
	X(resize, "resize", "", "truncate and extend its regions")            \
	X(punch, "punch", "", "punch holes into its regions")                 \
	X(remap, "remap", "", "map the events region writable")               \
	X(pipes, "pipes", "", "fill the pipe that wakes the engine")          \
	X(garbage, "garbage", "", "random datagrams on the session")          \
	X(flood, "flood", "", "session requests without reading a reply")     \
	X(close, "close", "", "close the session and sleep")                  \
	X(send_fds, "send-fds", "", "send descriptors to the engine")

/* Each runs to its end; the result is the exit status. argument is never
 * null, "" if none was given. */
#define ROGUE_PROTOTYPE(symbol, name, arg, help)                              \
	int mode_##symbol(const char *argument);
ROGUE_MODE_TABLE(ROGUE_PROTOTYPE)
#undef ROGUE_PROTOTYPE

/* ---- lib.c: shared by the modes ---- */

/* The session, by libbailey; exits with 64 if there is none. */
struct bailey_client *rogue_connect(void);
/* Subscribes to both questions with BAILEY_WANT_* flags; exits on failure. */
void rogue_subscribe(struct bailey_client *client, uint32_t flags);
/* Connected, subscribed and ready. */
struct bailey_client *rogue_serve(uint32_t flags);

/* What a loop does with each event; it owns it. Not 0 ends the loop. */
typedef int rogue_event_fn(struct bailey_client *client,
			   struct bailey_event *event, const char *argument);
/* Hands events to `each` until the session ends: 69, or what each returned. */
int rogue_loop(struct bailey_client *client, rogue_event_fn *each,
	       const char *argument);
/* Waits for the first question and returns it, held. */
struct bailey_event *rogue_first_question(struct bailey_client *client);
void rogue_allow(struct bailey_client *client, struct bailey_event *event);
/* As rogue_allow() for a loop that goes on. */
int rogue_allow_and_go_on(struct bailey_client *client,
			  struct bailey_event *event, const char *argument);

/* 1 if the last path component of the event's object, or any part of its
 * path, is name. */
int rogue_is_named(const struct bailey_event *event, const char *name);
int rogue_path_has(const struct bailey_event *event, const char *name);

/* A number of 1 .. most, or standard if the argument is none. */
uint64_t rogue_number(const char *argument, uint64_t standard, uint64_t most);
uint64_t rogue_now(void);               /* ns, CLOCK_MONOTONIC */
void rogue_sleep_until(uint64_t ns);
/* Sleeps for what is left of ROGUE_LIFE_S. */
int rogue_sleep_forever(void);
/* 1 while ROGUE_LIFE_S is not over. */
int rogue_may_live(void);
/* 1 if nothing outside a pid namespace of its own can be harmed. */
int rogue_is_confined(void);
/* A write to where nothing is. */
_Noreturn void rogue_fault(void);
/* xorshift: repeatable, needs no entropy. */
uint64_t rogue_random(uint64_t *state);
/* "NAME: refused (errno text)" if result is negative, else NOT REFUSED. */
void rogue_say(struct bailey_client *client, const char *name, long result);

#endif
