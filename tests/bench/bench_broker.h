/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/bench/bench_broker.h - each server that a case may need, by name
 *
 * The broker's are `bailey run` in the foreground with manifests and rules
 * that are written here, started as an administrator would start it. What is
 * known of them comes from `bailey status --json`.
 */
#ifndef BENCH_BROKER_H
#define BENCH_BROKER_H

#include "bench/bench_case.h"
#include "bench/bench_server.h"

/*
 * X(SYMBOL, "name", products, "arguments of each", rules, "fallback")
 * rules: the administrator's, see bench_rules.h. fallback: what stands where
 * a product cannot be asked or does not answer. From KCACHED on it is
 * `bailey run`.
 */
#define BROKER_TABLE(X)                                                       \
	X(NONE, "bare", 0, "", NONE, "")                                      \
	X(FLOOR, "floor", 0, "", NONE, "")                                    \
	X(FAPOLICYD, "fapolicyd", 0, "", NONE, "")                            \
	X(KCACHED, "kcached", 1, "object", NONE, "rules")                     \
	X(ECACHED, "ecached", 1, "object", NONE, "rules")                     \
	X(RULE, "rule", 1, "once", OBJECT, "rules")                           \
	X(PATHRULE, "pathrule", 1, "once", PATH, "rules")                     \
	X(BIGRULES, "bigrules", 1, "once hashes=1000000", BIG, "rules")       \
	X(ASK1, "ask1", 1, "once", NONE, "rules")                             \
	X(ASK3, "ask3", 3, "once", NONE, "rules")                             \
	X(FAULT, "fault", 1, "once deny=%s/rule_evil0", EVIL, "rules")        \
	X(STRICT, "strict", 1, "once deny=%s/rule_evil0", EVIL, "deny")

enum broker_kind {
#define X(sym, name, products, args, rules, fallback) BROKER_##sym,
	BROKER_TABLE(X)
#undef X
	BROKER_KINDS,
	BROKER_FIRST = BROKER_KCACHED
};

const char *broker_name(enum broker_kind kind);
/* Starts it and waits until all its products serve. */
int broker_start(struct server *ret_server, enum broker_kind kind,
		 const struct bench_paths *paths)
	__attribute__((warn_unused_result));
/* The same in an environment that was made, and maybe filled, before: what
 * `bailey run` watches may not be there to be made afterwards. */
int broker_start_in(struct server *server, enum broker_kind kind,
		    const struct bench_paths *paths)
	__attribute__((warn_unused_result));
/* `bailey run` once more in an environment whose own has ended. */
int broker_restart(struct server *server, enum broker_kind kind,
		   const struct bench_paths *paths)
	__attribute__((warn_unused_result));

#define BROKER_PRODUCTS 3

/* `bailey run` with the manifests base/product0.ini... of the environment;
 * returns when it says that it is ready. */
int broker_launch(struct server *server, int products,
		  const struct bench_paths *paths)
	__attribute__((warn_unused_result));
/* The end of what it wrote to standard error, to ours. */
void broker_show_log(const struct ns_env *env);

struct broker_status {
	pid_t monitor, keeper, worker;
	int products, serving;
	struct {
		pid_t pid;
		char name[32], state[16], mode[16], last_fault[128];
		double denied, missed, restarts;
	} product[BROKER_PRODUCTS];     /* in the order of its answer */
	double worker_restarts, unprotected_ms, kernel_denied;
};

int broker_status(const struct server *server, const struct bench_paths *paths,
		  struct broker_status *ret_status)
	__attribute__((warn_unused_result));
/* Polls the status until all products serve. */
int broker_wait_serving(const struct server *server,
			const struct bench_paths *paths, int limit_ms)
	__attribute__((warn_unused_result));
/* Polls the status until the first product serves, whatever others do. */
int broker_wait_up(const struct server *server, const struct bench_paths *paths,
		   int limit_ms) __attribute__((warn_unused_result));
/* Runs `bailey ARGUMENT... --state STATE`; the list ends with a null. Returns
 * its exit code or a negated errno. ret_text: what it prints, or null. */
int broker_command(const struct server *server, const struct bench_paths *paths,
		   const char *const *arguments, char *ret_text, size_t size)
	__attribute__((warn_unused_result));
/* Sends a signal, but only to a process that descends from the server. */
int broker_signal(const struct server *server, pid_t pid, int signal_number)
	__attribute__((warn_unused_result));

#endif
