/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/lib/ns_proc.h - what /proc says about a process, in numbers
 *
 * All take any pid that we may look at; a process that is gone counts zero.
 */
#ifndef NS_PROC_H
#define NS_PROC_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Processor time of all its threads, ns (schedstat: not in clock ticks). */
uint64_t ns_proc_cpu_ns(pid_t pid);
/* A line of /proc/PID/status, "VmRSS" in KiB; 0 if it is not there. */
uint64_t ns_proc_status(pid_t pid, const char *key);
/* Memory that is resident, KiB; a page that n processes share counts 1/n in
 * each (Pss). 0 if it is not to be had. */
uint64_t ns_proc_pss(pid_t pid);
/* Times that its threads went to sleep (voluntary switches, all threads). */
uint64_t ns_proc_sleeps(pid_t pid);
/* It holds a fanotify group with at least one mark. */
bool ns_proc_has_mark(pid_t pid);

/* Calls visit for each descendant of pid, and for pid itself. Returns their
 * number. Processes that come or go meanwhile may be missed. */
int ns_proc_tree(pid_t pid, void (*visit)(pid_t pid, void *context),
		 void *context);

#endif
