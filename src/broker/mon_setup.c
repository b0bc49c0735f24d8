/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mon_setup.c - everything that must be opened before a mark stands
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/log.h"
#include "base/text.h"
#include "broker/mon.h"

#ifndef FAN_REPORT_FD_ERROR     /* Linux 6.13 */
#define FAN_REPORT_FD_ERROR 0x00002000
#endif

static _Noreturn void setup_failed(const char *what)
{
	log_error("cannot start: %s: %m", what);
	exit(1);
}

void mon_doctor_add(struct mon *m, bool ok, const char *product,
		    const char *what, const char *why, const char *cost)
{
	struct admin_doctor *d;

	if (m->doctors == MON_DOCTOR) {
		return;
	}
	d = &m->doctor[m->doctors++];
	*d = (struct admin_doctor){ .head = { ADMIN_DOCTOR_ROW, sizeof(*d) },
				    .ok = ok };
	text_format(d->product, sizeof(d->product), "%s", product);
	text_format(d->what, sizeof(d->what), "%s", what);
	text_format(d->why, sizeof(d->why), "%s", why);
	text_format(d->cost, sizeof(d->cost), "%s", cost);
}

/* Owned by the caller, written by nobody else, no link. */
static void setup_state(const struct mon *m)
{
	struct stat st;

	if (mkdir(m->options.state, 0755) < 0 && errno != EEXIST) {
		setup_failed(m->options.state);
	}
	if (lstat(m->options.state, &st) < 0) {
		setup_failed(m->options.state);
	}
	if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() ||
	    (st.st_mode & 022)) {
		log_error("%s: must be a directory of the caller's own that "
			  "nobody else can write", m->options.state);
		exit(1);
	}
}

/* X(field of struct mon, "name") */
#define SETUP_SOCKET_TABLE(X)                                                 \
	X(view_listen, "view.sock")                                           \
	X(admin_listen, "admin.sock")

int mon_setup_listen(const struct mon *m, const char *name, mode_t mode)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK,
			0);

	if ((size_t)snprintf(a.sun_path, sizeof(a.sun_path), "%s/%s",
			     m->options.state, name) >= sizeof(a.sun_path)) {
		log_error("%s: too long for a socket", m->options.state);
		exit(1);
	}
	unlink(a.sun_path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 ||
	    chmod(a.sun_path, mode) < 0 || listen(fd, 16) < 0) {
		setup_failed(a.sun_path);
	}
	return fd;
}

/* The host as it was: nobody listens there any more. */
void mon_sockets_remove(const struct mon *m)
{
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];

#define SETUP_REMOVE(field, name)                                             \
	snprintf(path, sizeof(path), "%s/%s", m->options.state, name);        \
	unlink(path);
	SETUP_SOCKET_TABLE(SETUP_REMOVE)
#undef SETUP_REMOVE
}

static void setup_table(struct mon *m)
{
	m->table_fd = memfd_create("bailey-table",
				   MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (m->table_fd < 0 ||
	    ftruncate(m->table_fd, sizeof(*m->table)) < 0 ||
	    fcntl(m->table_fd, F_ADD_SEALS,
		  F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0) {
		setup_failed("shared table");
	}
	m->table = mmap(NULL, sizeof(*m->table), PROT_READ | PROT_WRITE,
			MAP_SHARED, m->table_fd, 0);
	if (m->table == MAP_FAILED) {
		setup_failed("shared table");
	}
	m->table->magic = HANDOFF_MAGIC;
	m->table->engine_uid = m->table->engine_gid = MON_ENGINE_UID;
	m->table->content_uid = MON_CONTENT_UID;
	m->table->own[0] = getpid();
	m->table->own_count = 1;
	m->record_fd = memfd_create("bailey-denials",
				    MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (m->record_fd < 0 || ftruncate(m->record_fd,
					  HANDOFF_RECORD_BYTES) < 0 ||
	    fcntl(m->record_fd, F_ADD_SEALS,
		  F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0) {
		setup_failed("record of denials");
	}
}

/* The engine runs from a sealed copy: a restart opens no file, and an upgrade
 * cannot mix versions. It stands beside our own executable. */
static void setup_engine(struct mon *m)
{
	char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 32);
	cleanup_fd int from = -1;
	struct stat st;

	if (n <= 0) {
		setup_failed("/proc/self/exe");
	}
	path[n] = '\0';
	snprintf(strrchr(path, '/') + 1, 32, "bailey-engine");
	from = open(path, O_RDONLY | O_CLOEXEC);
	m->engine_memfd = memfd_create("bailey-engine",
				       MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (from < 0 || fstat(from, &st) < 0 || m->engine_memfd < 0) {
		setup_failed(path);
	}
	for (off_t at = 0; at < st.st_size;) {
		char bytes[65536];
		ssize_t got = read(from, bytes, sizeof(bytes));

		if (got <= 0 || write(m->engine_memfd, bytes, (size_t)got) !=
					got) {
			setup_failed(path);
		}
		at += got;
	}
	if (fchmod(m->engine_memfd, 0500) < 0 ||
	    fcntl(m->engine_memfd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK |
		  F_SEAL_GROW | F_SEAL_SEAL) < 0) {
		setup_failed("sealing the engine");
	}
}

/* O_NONBLOCK in the event files: a user's write lease then makes the kernel
 * refuse his open at once, in place of putting the reader to sleep. */
static void setup_group(struct mon *m)
{
	const unsigned flags = FAN_CLASS_CONTENT | FAN_CLOEXEC | FAN_NONBLOCK |
			       FAN_UNLIMITED_QUEUE | FAN_UNLIMITED_MARKS;
	const unsigned files = O_RDONLY | O_LARGEFILE | O_NONBLOCK | O_CLOEXEC;

	m->group = fanotify_init(flags | FAN_REPORT_FD_ERROR, files);
	if (m->group >= 0) {
		m->table->features |= HANDOFF_HAS_FD_ERROR;
	} else {
		m->group = fanotify_init(flags, files);
		mon_doctor_add(m, false, "", "fanotify fd errors",
			       "kernel before 6.13",
			       "opens that the kernel itself refused are not "
			       "counted");
	}
	if (m->group < 0) {
		log_error("cannot start: fanotify: %m (needs root, and a "
			  "kernel with CONFIG_FANOTIFY_ACCESS_PERMISSIONS)");
		exit(1);
	}
	m->table->features |= HANDOFF_HAS_EXEC;
	mon_doctor_add(m, true, "", "fanotify permission events", "", "");
}

static void setup_processes(struct mon *m)
{
	int r = process_source_open(PROCESS_RING_BYTES, &m->processes);

	if (r == 0) {
		m->table->features |= HANDOFF_HAS_BPF;
		mon_doctor_add(m, true, "", "process tracepoints (BPF)", "",
			       "");
		return;
	}
	m->processes.ring_fd = m->processes.counters_fd = -1;
	mon_doctor_add(m, false, "", "process tracepoints (BPF)", strerror(-r),
		       "program and user of a process are a hint; no process "
		       "news");
	log_warning("process records: %s: identity comes from /proc",
		    strerror(-r));
}

static void setup_boot_id(char *ret_id, size_t size)
{
	cleanup_fd int fd = open("/proc/sys/kernel/random/boot_id",
				 O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, ret_id, size - 1);

	ret_id[n > 0 ? n - 1 : 0] = '\0';
}

static uint64_t boot_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec * MONO_S + (uint64_t)t.tv_nsec;
}

/* How long was nobody there, if the one before us was killed? */
static void setup_alive(struct mon *m)
{
	char path[4096], boot_id[40] = "";
	cleanup_fd int fd = -1;

	snprintf(path, sizeof(path), "%s/alive", m->options.state);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0 || ftruncate(fd, sizeof(*m->alive)) < 0) {
		setup_failed(path);
	}
	m->alive = mmap(NULL, sizeof(*m->alive), PROT_READ | PROT_WRITE,
			MAP_SHARED, fd, 0);
	if (m->alive == MAP_FAILED) {
		setup_failed(path);
	}
	setup_boot_id(boot_id, sizeof(boot_id));
	if (memcmp(m->alive->boot_id, boot_id, sizeof(boot_id)) != 0) {
		memset(m->alive, 0, sizeof(*m->alive));
		memcpy(m->alive->boot_id, boot_id, sizeof(boot_id));
	}
	m->unprotected_ns = m->alive->unprotected_ns;
}

void mon_alive_again(struct mon *m)
{
	uint64_t now = boot_now_ns();

	m->alive_counted = true;
	if (m->alive->running && now > m->alive->last_ns) {
		m->unprotected_ns += now - m->alive->last_ns;
		log_error("the monitor before this one was killed: nobody "
			  "answered for up to %llu ms", (unsigned long long)
			  ((now - m->alive->last_ns) / MONO_MS));
	}
}

/* Not before mon_alive_again: a start that takes longer than a tick would
 * wipe out what the one before us left, and so would one that fails. */
void mon_alive_touch(struct mon *m)
{
	if (!m->alive_counted) {
		return;
	}
	m->alive->last_ns = boot_now_ns();
	m->alive->unprotected_ns = m->unprotected_ns;
	m->alive->running = m->engine_ready;
}

void mon_alive_clean(struct mon *m)
{
	m->alive->running = 0;
}

/* `bailey=off` or `bailey=observe` on the kernel's command line. */
static void setup_command_line(struct mon *m)
{
	cleanup_fd int fd = open("/proc/cmdline", O_RDONLY | O_CLOEXEC);
	char text[4096];
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	char *rest = text;

	text[n > 0 ? n : 0] = '\0';
	for (char *word = strsep(&rest, " \n"); word;
	     word = strsep(&rest, " \n")) {
		if (strcmp(word, "bailey=off") == 0) {
			log_notice("off: the kernel's command line says so");
			atomic_store(&m->table->forced, HANDOFF_OFF);
		} else if (strcmp(word, "bailey=observe") == 0) {
			log_notice("observe only: the kernel's command line "
				   "says so");
			atomic_store(&m->table->forced, HANDOFF_OBSERVE);
		}
	}
}

static void setup_process(void)
{
	const struct rlimit none = { 0, 0 };

	if (setrlimit(RLIMIT_CORE, &none) < 0 ||
	    prctl(PR_SET_DUMPABLE, 0) < 0 ||
	    prctl(PR_SET_CHILD_SUBREAPER, 1) < 0) {
		setup_failed("limits");
	}
	signal(SIGPIPE, SIG_IGN);
	umask(022);
}

static void setup_signals(struct mon *m)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	m->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (m->signals < 0) {
		setup_failed("signals");
	}
}

/* Forked before anything that it must not hold is open; signals are still
 * its own. */
static void setup_helper(struct mon *m)
{
	static struct helper_start start;
	int pair[2], size = 1 << 20;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
		setup_failed("helper");
	}
	start = (struct helper_start){ .etc_dir = m->options.etc,
				       .state_dir = mon_is_system(m)
							    ? "/var/lib/bailey"
							    : m->options.state,
				       .runtime_dir = m->options.state,
				       .table = m->table };
	m->helper_pid = fork();
	if (m->helper_pid == 0) {
		close(pair[0]);
		helper_main(pair[1], &start);
	}
	close(pair[1]);
	m->helper = pair[0];
	setsockopt(m->helper, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	if (m->helper_pid < 0) {
		setup_failed("helper");
	}
}

void mon_setup(struct mon *m)
{
	setup_process();
	setup_state(m);
	mon_notify_open(m);
	setup_table(m);
	mon_config(m);
	setup_command_line(m);
	setup_helper(m);
	setup_signals(m);
	m->null = open("/dev/null", O_RDWR | O_CLOEXEC);
	m->proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	m->mountinfo = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	if (m->null < 0 || m->proc < 0 || m->mountinfo < 0) {
		setup_failed("/dev/null and /proc");
	}
	setup_group(m);
	setup_processes(m);
	setup_engine(m);
	setup_alive(m);
#define SETUP_LISTEN(field, name) m->field = mon_setup_listen(m, name, 0666);
	SETUP_SOCKET_TABLE(SETUP_LISTEN)
#undef SETUP_LISTEN
	m->keep_fd = m->rules_fd = m->processes_fd = m->control = -1;
	for (size_t i = 0; i < MON_CLIENTS; i++) {
		m->client[i].fd = -1;
	}
	m->agent.socket = -1;
	m->page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
	m->since_wall = wall_now_ns();
}
