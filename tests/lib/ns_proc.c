/* SPDX-License-Identifier: Apache-2.0 */
/* tests/lib/ns_proc.c - see ns_proc.h */
#include "lib/ns_proc.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Sums one number of each /proc/PID/task/TID/FILE. */
static uint64_t each_task(pid_t pid, uint64_t (*number)(const char *path))
{
	char path[64];
	uint64_t sum = 0;
	struct dirent *entry;
	DIR *tasks;

	snprintf(path, sizeof path, "/proc/%d/task", pid);
	tasks = opendir(path);
	if (tasks == NULL) {
		return 0;
	}
	while ((entry = readdir(tasks)) != NULL) {
		if (entry->d_name[0] != '.') {
			snprintf(path, sizeof path, "/proc/%d/task/%.16s", pid,
				 entry->d_name);
			sum += number(path);
		}
	}
	closedir(tasks);
	return sum;
}

static uint64_t task_cpu(const char *task)
{
	char path[96];
	uint64_t ns = 0;
	FILE *file;

	snprintf(path, sizeof path, "%s/schedstat", task);
	file = fopen(path, "re");
	if (file != NULL) {
		if (fscanf(file, "%" SCNu64, &ns) != 1) {
			ns = 0;
		}
		fclose(file);
	}
	return ns;
}

/* "key:   number" on a line of its own. */
static uint64_t line_number(const char *path, const char *key)
{
	char line[256];
	size_t length = strlen(key);
	uint64_t value = 0;
	FILE *file = fopen(path, "re");

	if (file == NULL) {
		return 0;
	}
	while (fgets(line, sizeof line, file) != NULL) {
		if (strncmp(line, key, length) == 0 && line[length] == ':') {
			value = strtoull(line + length + 1, NULL, 10);
			break;
		}
	}
	fclose(file);
	return value;
}

static uint64_t status_number(const char *directory, const char *key)
{
	char path[96];

	snprintf(path, sizeof path, "%s/status", directory);
	return line_number(path, key);
}

uint64_t ns_proc_pss(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof path, "/proc/%d/smaps_rollup", pid);
	return line_number(path, "Pss");
}

static uint64_t task_sleeps(const char *task)
{
	return status_number(task, "voluntary_ctxt_switches");
}

uint64_t ns_proc_cpu_ns(pid_t pid)
{
	return each_task(pid, task_cpu);
}

uint64_t ns_proc_sleeps(pid_t pid)
{
	return each_task(pid, task_sleeps);
}

uint64_t ns_proc_status(pid_t pid, const char *key)
{
	char path[32];

	snprintf(path, sizeof path, "/proc/%d", pid);
	return status_number(path, key);
}

/* A group without marks has no line of its own but "fanotify flags:...". */
static bool file_has_mark(const char *path)
{
	char line[256];
	bool found = false;
	FILE *file = fopen(path, "re");

	if (file == NULL) {
		return false;
	}
	while (!found && fgets(line, sizeof line, file) != NULL) {
		found = strncmp(line, "fanotify mnt_id:", 16) == 0 ||
			strncmp(line, "fanotify sdev:", 14) == 0 ||
			strncmp(line, "fanotify ino:", 13) == 0;
	}
	fclose(file);
	return found;
}

bool ns_proc_has_mark(pid_t pid)
{
	char path[64];
	bool found = false;
	struct dirent *entry;
	DIR *files;

	snprintf(path, sizeof path, "/proc/%d/fdinfo", pid);
	files = opendir(path);
	if (files == NULL) {
		return false;
	}
	while (!found && (entry = readdir(files)) != NULL) {
		snprintf(path, sizeof path, "/proc/%d/fdinfo/%.16s", pid,
			 entry->d_name);
		found = entry->d_name[0] != '.' && file_has_mark(path);
	}
	closedir(files);
	return found;
}

static pid_t parent_of(pid_t pid)
{
	return (pid_t)ns_proc_status(pid, "PPid");
}

#define TREE_MAX 4096

int ns_proc_tree(pid_t root, void (*visit)(pid_t pid, void *context),
		 void *context)
{
	static pid_t pid[TREE_MAX], parent[TREE_MAX];
	static bool in[TREE_MAX];
	int n = 0, found = 0;
	bool more = true;
	struct dirent *entry;
	DIR *proc = opendir("/proc");

	if (proc == NULL) {
		return 0;
	}
	while (n < TREE_MAX && (entry = readdir(proc)) != NULL) {
		pid_t p = (pid_t)strtol(entry->d_name, NULL, 10);

		if (p > 0) {
			pid[n] = p;
			parent[n] = parent_of(p);
			in[n++] = p == root;
		}
	}
	closedir(proc);
	while (more) {
		more = false;
		for (int i = 0; i < n; i++) {
			for (int j = 0; !in[i] && j < n; j++) {
				if (in[j] && pid[j] == parent[i]) {
					in[i] = more = true;
				}
			}
		}
	}
	for (int i = 0; i < n; i++) {
		if (in[i]) {
			visit(pid[i], context);
			found++;
		}
	}
	return found;
}
