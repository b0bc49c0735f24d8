/* SPDX-License-Identifier: Apache-2.0 */
/**
 * bailey/tables.h - every event, field, verdict and error, written once
 *
 * Each list is an X-macro: enums, names, help texts, manual pages and the
 * command's output are all made from these rows. A number, once published,
 * never changes its meaning.
 */
#ifndef BAILEY_TABLES_H
#define BAILEY_TABLES_H

/**
 * Event types, numbered sparsely by family.
 * X(SYMBOL, number, "name", class, "what it says")
 * class AUTH: a question that waits for a verdict; NOTIFY: news;
 * CONTROL: about the session itself.
 */
#define BAILEY_EVENT_TABLE(X)                                                 \
	X(STOP,         1,    "control.stop",    CONTROL,                     \
	  "the session ends; finish within the grace time")                   \
	X(LOST,         2,    "control.lost",    CONTROL,                     \
	  "news was dropped: how many, since when")                           \
	X(CONFIG,       3,    "control.config",  CONTROL,                     \
	  "the product's configuration directory changed")                    \
	X(MODE,         4,    "control.mode",    CONTROL,                     \
	  "the administrator changed the mode (observe or enforce)")          \
	X(CONTENT,      5,    "control.content", CONTROL,                     \
	  "new content: load it and call bailey_content_done()")              \
	X(PROCESS_EXEC, 1000, "process.exec",    AUTH,                        \
	  "a program is about to be started")                                 \
	X(PROCESS_FORK, 1001, "process.fork",    NOTIFY,                      \
	  "a process was created")                                            \
	X(PROCESS_EXIT, 1002, "process.exit",    NOTIFY,                      \
	  "a process ended")                                                  \
	X(PROCESS_STARTED, 1003, "process.started", NOTIFY,                   \
	  "a program was started (after the fact, with its new identity)")    \
	X(FILE_OPEN,    2000, "file.open",       AUTH,                        \
	  "a file is about to be opened")

/**
 * Fields that are numbers. X(SYMBOL, number 1-39, "name", "unit and meaning")
 */
#define BAILEY_NUMBER_FIELD_TABLE(X)                                          \
	X(SEQUENCE,     1,  "sequence",                                       \
	  "counts all events of this session; a gap is a loss")               \
	X(KIND_SEQUENCE, 2, "kind_sequence",                                  \
	  "counts the events of this type in this session")                   \
	X(TIME,         3,  "time",                                           \
	  "nanoseconds, CLOCK_MONOTONIC, when the broker read the event")     \
	X(DEADLINE,     4,  "deadline",                                       \
	  "nanoseconds, CLOCK_MONOTONIC, until when an answer counts")        \
	X(PID,          5,  "pid",                                            \
	  "process (thread group) in the host's view")                        \
	X(PPID,         6,  "ppid", "parent process")                         \
	X(UID,          7,  "uid", "real user of the process")                \
	X(GID,          8,  "gid", "real group of the process")               \
	X(SESSION,      9,  "session", "session id of the process")           \
	X(START_TIME,   10, "start_time",                                     \
	  "nanoseconds since boot at which the process was created")          \
	X(GENERATION,   11, "generation",                                     \
	  "how many programs this process has executed since its creation")   \
	X(CGROUP,       12, "cgroup", "id of the process's cgroup (v2)")      \
	X(EXE_DEVICE,   13, "exe_device", "device of the running program")    \
	X(EXE_INODE,    14, "exe_inode", "inode of the running program")      \
	X(UNCERTAIN,    15, "uncertain",                                      \
	  "1 if process records were lost and identity may be stale")         \
	X(IS_PRODUCT,   16, "is_product",                                     \
	  "1 if the process belongs to a security product of this host")      \
	X(DEVICE,       17, "device", "device of the object (dev_t)")         \
	X(INODE,        18, "inode", "inode of the object")                   \
	X(OBJECT_GENERATION, 19, "object_generation",                         \
	  "birth or change stamp that tells a reused inode apart")            \
	X(SIZE,         20, "size", "bytes")                                  \
	X(FILE_MODE,    21, "file_mode", "type and permission bits")          \
	X(OWNER,        22, "owner", "uid that owns the object")              \
	X(LINKS,        23, "links", "number of hard links")                  \
	X(CHANGED,      24, "changed", "nanoseconds since 1970, ctime")       \
	X(PATH_FOREIGN, 25, "path_foreign",                                   \
	  "1 if the path is a label of somebody else's mount namespace")      \
	X(COUNT,        26, "count", "how many (control.lost)")               \
	X(EXIT_STATUS,  27, "exit_status", "wait status (process.exit)")      \
	X(MODE_NOW,     28, "mode_now", "enum bailey_mode (control.mode)")

/**
 * Fields that are bytes. X(SYMBOL, number 40-63, "name", "meaning")
 * They need not be UTF-8 and may hold any byte but NUL.
 */
#define BAILEY_STRING_FIELD_TABLE(X)                                          \
	X(PATH,         40, "path",                                           \
	  "of the object, as the opener named it; a label, not an identity")  \
	X(COMM,         41, "comm", "short name of the process")              \
	X(EXE_PATH,     42, "exe_path", "of the running program; a label")    \
	X(ARGUMENTS,    43, "arguments",                                      \
	  "argv, NUL-separated; only where the manifest says so")

/** How a field or event is known. X(SYMBOL, number, "name", "meaning") */
#define BAILEY_KNOWN_TABLE(X)                                                 \
	X(ABSENT, 0, "absent", "never there on this host")                    \
	X(HINT,   1, "hint",   "usually right, may be stale or forged")       \
	X(EXACT,  2, "exact",  "what the kernel itself used")

/** X(SYMBOL, number, "name", "meaning") */
#define BAILEY_VERDICT_TABLE(X)                                               \
	X(NONE,  0, "none",  "no verdict yet")                                \
	X(ALLOW, 1, "allow", "let it happen")                                 \
	X(DENY,  2, "deny",  "refuse with EPERM")

/** For what else a verdict holds. X(SYMBOL, number, "name", "meaning") */
#define BAILEY_SCOPE_TABLE(X)                                                 \
	X(ONCE,       0, "once",   "this question only (default)")            \
	X(OBJECT,     1, "object",                                            \
	  "this object until it changes, whoever asks")                       \
	X(OBJECT_EXE, 2, "object+executable",                                 \
	  "this object until it changes, opened by the same program")

/** X(SYMBOL, number, "name", "meaning") */
#define BAILEY_MODE_TABLE(X)                                                  \
	X(OBSERVE, 0, "observe",                                              \
	  "nothing waits, nothing is denied; verdicts are recorded")          \
	X(ENFORCE, 1, "enforce", "verdicts count")

/**
 * Errors of our own; all other errors are negative errno values.
 * X(SYMBOL, number, "text")
 */
#define BAILEY_ERROR_TABLE(X)                                                 \
	X(NO_SESSION,   4001,                                                 \
	  "not started by the broker: no session on descriptor 3")            \
	X(VERSION,      4002, "the broker does not speak this wire version")  \
	X(SCHEMA,       4003, "schema or field count is not the content's")   \
	X(TOO_LATE,     4004, "the question was answered before this")        \
	X(NOT_YOURS,    4005, "no such event is held by this session")        \
	X(NOT_ASKED,    4006, "the manifest does not grant this event")       \
	X(RULE,         4007, "a rule is malformed; see the line")            \
	X(FULL,         4008, "a limit of the session is reached")            \
	X(ENDED,        4009, "the broker ended the session")                 \
	X(RECORD,       4010, "the recorded file is malformed")

#endif
