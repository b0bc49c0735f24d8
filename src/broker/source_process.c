/* SPDX-License-Identifier: Apache-2.0 */
/* The monitor's half of the process tracepoints; see source_process.h. */
#include "broker/source_process.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "broker/process_record.h"
#include "broker/source_process_ids.h"
#include "process.skel.h"

#define FIRST_PID_NAMESPACE 0xeffffffcu /* PROC_PID_INIT_INO */

static void destroyp(struct process_bpf **skeleton)
{
	process_bpf__destroy(*skeleton);
}

static int namespace_number(const char *path, unsigned int *ret_number)
{
	struct stat st;

	if (stat(path, &st) < 0) {
		return result_errno();
	}
	*ret_number = (unsigned int)st.st_ino;
	return 0;
}

static int load(struct process_bpf *skeleton, size_t ring_bytes, bool ids)
{
	unsigned int number;
	int r = namespace_number("/proc/self/ns/pid", &number);

	if (r < 0) {
		return r;
	}
	if (number != FIRST_PID_NAMESPACE) {
		return -EXDEV;
	}
	r = namespace_number("/proc/self/ns/mnt", &number);
	if (r < 0) {
		return r;
	}
	skeleton->rodata->host_mount_namespace = number;
	r = bpf_map__set_max_entries(skeleton->maps.process_ring,
				     (unsigned int)ring_bytes);
	if (r < 0) {
		return r;
	}
	r = bpf_program__set_autoload(skeleton->progs.process_ids, ids);
	if (r < 0) {
		return r;
	}
	r = process_bpf__load(skeleton);
	if (r < 0) {
		return r;
	}
	return process_bpf__attach(skeleton);
}

static int keep(int fd, int *ret_fd)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);

	if (copy < 0) {
		return result_errno();
	}
	*ret_fd = copy;
	return 0;
}

/* Copies of what must outlive the skeleton. */
static int keep_all(const struct process_bpf *skeleton,
		    struct process_source *source)
{
	const struct bpf_link *links[PROCESS_HOOKS] = {
		skeleton->links.process_fork, skeleton->links.process_exec,
		skeleton->links.process_exit
	};
	int r = keep(bpf_map__fd(skeleton->maps.process_ring),
		     &source->ring_fd);

	if (r == 0) {
		r = keep(bpf_map__fd(skeleton->maps.process_count),
			 &source->counters_fd);
	}
	for (size_t i = 0; r == 0 && i < PROCESS_HOOKS; i++) {
		r = keep(bpf_link__fd(links[i]), &source->link_fd[i]);
	}
	return r;
}

/* ids: also the filter of the connector. */
static int open_source(size_t ring_bytes, bool ids,
		       struct process_source *source)
{
	struct process_bpf *skeleton __attribute__((cleanup(destroyp))) = NULL;
	int r;

	skeleton = process_bpf__open();
	if (!skeleton) {
		return result_errno();
	}
	r = load(skeleton, ring_bytes, ids);
	if (r < 0) {
		return r;
	}
	r = keep_all(skeleton, source);
	if (r < 0 || !ids) {
		return r;
	}
	return process_ids_open(
		bpf_program__fd(skeleton->progs.process_ids),
		&source->ids_fd);
}

int process_source_open(size_t ring_bytes, struct process_source *ret_source)
{
	const struct process_source none = { -1, -1, { -1, -1, -1 }, -1 };
	struct process_source source = none;
	int r;

	libbpf_set_print(NULL);
	r = open_source(ring_bytes, true, &source);
	if (r < 0) {
		/* Without the connector there is still most of it. */
		process_source_close(&source);
		source = none;
		r = open_source(ring_bytes, false, &source);
	}
	/* libbpf read the whole of the kernel's BTF: give it back. */
	malloc_trim(0);
	if (r < 0) {
		process_source_close(&source);
		return r;
	}
	*ret_source = source;
	return 0;
}

void process_source_close(struct process_source *source)
{
	for (size_t i = 0; i < PROCESS_HOOKS; i++) {
		fd_closep(&source->link_fd[i]);
		source->link_fd[i] = -1;
	}
	process_ids_close(source->ids_fd);
	source->ids_fd = -1;
	fd_closep(&source->counters_fd);
	fd_closep(&source->ring_fd);
	source->counters_fd = source->ring_fd = -1;
}
