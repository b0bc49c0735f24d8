/* SPDX-License-Identifier: Apache-2.0 */
/* broker/helper_processes.c - what ran before us: a snapshot of /proc */
#include "broker/helper_internal.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "broker/eng_process.h"

/* Processes that end while they are read are left out: their absence is the
 * truth by then. *ret_count is the number of records in the memfd. */
static int processes_write(int proc, DIR *list, int fd, uint64_t *ret_count)
{
	const struct dirent *entry;
	struct process_record record;
	uint64_t count = 0;

	while ((entry = readdir(list))) {
		if (!isdigit((unsigned char)entry->d_name[0])) {
			continue;
		}
		memset(&record, 0, sizeof(record));
		if (process_read_proc(proc, atoi(entry->d_name), &record) < 0) {
			continue;
		}
		if (write(fd, &record, sizeof(record)) != sizeof(record)) {
			return -ENOSPC;
		}
		if (++count == PROCESS_TABLE_ENTRIES) {
			break;
		}
	}
	*ret_count = count;
	return 0;
}

void task_processes(const struct helper *helper,
		    const struct helper_request *request, int channel)
{
	struct helper_reply reply = { .type = HELPER_DONE };
	cleanup_fd int fd = memfd_create("processes", MFD_CLOEXEC |
					 MFD_ALLOW_SEALING);
	int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *list = proc < 0 ? NULL : fdopendir(proc);
	int r = fd < 0 || !list ? result_errno() : 0;

	if (r == 0) {
		r = processes_write(proc, list, fd, &reply.number);
	}
	if (r == 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW |
			    F_SEAL_WRITE | F_SEAL_SEAL) < 0) {
		r = result_errno();
	}
	if (r < 0) {
		job_done(channel, request, r, "reading /proc");
		return;
	}
	job_reply(channel, request, &reply, &fd, 1);
}
