/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/lib/jail_probe.c - a product that tries what it must not do
 *
 * Static tests of the jail from inside: each row is an attempt; the program
 * answers on its session with one datagram "name result" a row, where result
 * is ok (refused, as it must be) or what happened instead, then "end". Other
 * behaviours by the first argument: see probe_modes.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#define SESSION 3

static void say(const char *name, const char *result)
{
	char line[256];

	snprintf(line, sizeof(line), "%s %s", name, result);
	(void)!send(SESSION, line, strlen(line), MSG_NOSIGNAL);
}

/* A call that must fail with this errno. */
static void refused(const char *name, long result, int wanted)
{
	char text[96];

	if (result == -1 && errno == wanted) {
		say(name, "ok");
		return;
	}
	snprintf(text, sizeof(text), "returned %ld, %s", result,
		 result == -1 ? strerror(errno) : "not refused");
	say(name, text);
}

static void truth(const char *name, int holds)
{
	say(name, holds ? "ok" : "does not hold");
}

/* A descriptor as a question would bring it: the test sends one. */
static int receive_file(void)
{
	char control[CMSG_SPACE(sizeof(int))], byte;
	struct iovec part = { &byte, 1 };
	struct msghdr m = { .msg_iov = &part, .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control) };
	int fd = -1;

	if (recvmsg(SESSION, &m, MSG_CMSG_CLOEXEC) == 1 && CMSG_FIRSTHDR(&m)) {
		memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(fd));
	}
	return fd;
}

static void probe_descriptor(int fd)
{
	struct timespec times[2] = { { 0, UTIME_NOW }, { 0, UTIME_NOW } };
	char b;
	int n = 0;

	truth("pread", pread(fd, &b, 1, 0) == 1);
	refused("lseek", lseek(fd, 0, SEEK_SET), EPERM);
	refused("flock", flock(fd, LOCK_EX | LOCK_NB), EPERM);
	refused("setfl", fcntl(fd, F_SETFL, O_DIRECT), EPERM);
	refused("setlk", fcntl(fd, F_OFD_SETLK, &(struct flock){ 0 }), EPERM);
	refused("setlease", fcntl(fd, F_SETLEASE, F_RDLCK), EPERM);
	refused("dupfd", fcntl(fd, F_DUPFD, 100), EPERM);
	truth("dupfd_cloexec", close(fcntl(fd, F_DUPFD_CLOEXEC, 100)) == 0);
	truth("getfl", fcntl(fd, F_GETFL) >= 0);
	refused("ioctl", ioctl(fd, FIONREAD, &n), EPERM);
	refused("fadvise", posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) ==
		EPERM ? (errno = EPERM, -1) : 0, EPERM);
	refused("fsetxattr", fsetxattr(fd, "user.x", "1", 1, 0), EPERM);
	refused("fgetxattr", fgetxattr(fd, "user.x", &b, 1), EPERM);
	refused("fchmod", fchmod(fd, 0777), EPERM);
	refused("fchown", fchown(fd, 0, 0), EPERM);
	refused("futimens", futimens(fd, times), EPERM);
	refused("fchdir", fchdir(fd), EPERM);
	refused("splice", syscall(SYS_splice, fd, NULL, 1, NULL, 1, 0), EPERM);
	refused("sendfile", syscall(SYS_sendfile, 1, fd, NULL, 1), EPERM);
	refused("copy_file_range", syscall(SYS_copy_file_range, fd, NULL, 1,
					   NULL, 1, 0), EPERM);
	refused("readahead", syscall(SYS_readahead, fd, 0L, 4096L), EPERM);
}

static void probe_calls(void)
{
	static char *const arguments[] = { (char *)"x", NULL };

	refused("execve", execve("/bin/jail_probe", arguments, arguments),
		EPERM);
	refused("execve_guess", syscall(SYS_execve, "/bin/jail_probe",
					arguments, arguments, 0L, 0L, 0L),
		EPERM);
	refused("execveat", syscall(SYS_execveat, AT_FDCWD, "/bin/jail_probe",
				    arguments, arguments, 0), EPERM);
	refused("socket", socket(AF_INET, SOCK_STREAM, 0), EPERM);
	refused("socket_unix", socket(AF_UNIX, SOCK_STREAM, 0), EPERM);
	refused("socket_netlink", socket(AF_NETLINK, SOCK_RAW, 0), EPERM);
	refused("mount", mount("none", "/tmp", "tmpfs", 0, NULL), EPERM);
	refused("umount", umount2("/dev/null", MNT_DETACH), EPERM);
	refused("unshare", unshare(CLONE_NEWUSER), EPERM);
	refused("clone_user", syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0,
				      0, 0), EPERM);
	refused("clone_parent", syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0,
					0, 0, 0), EPERM);
	refused("clone3", syscall(SYS_clone3, NULL, 0), ENOSYS);
	refused("setns", setns(0, 0), EPERM);
	refused("chroot", chroot("/tmp"), EPERM);
	refused("bpf", syscall(SYS_bpf, 0, NULL, 0), EPERM);
	refused("io_uring", syscall(SYS_io_uring_setup, 1, NULL), EPERM);
	refused("userfaultfd", syscall(SYS_userfaultfd, 0), EPERM);
	refused("ptrace", ptrace(PTRACE_TRACEME, 0, NULL, NULL), EPERM);
	refused("process_vm_readv", syscall(SYS_process_vm_readv, 1, NULL, 0,
					    NULL, 0, 0), EPERM);
	refused("keyctl", syscall(SYS_keyctl, 0, 0, 0, 0, 0), EPERM);
	refused("add_key", syscall(SYS_add_key, "user", "x", "y", 1, -1),
		EPERM);
	refused("perf_event_open", syscall(SYS_perf_event_open, NULL, 0, 0, 0,
					   0), EPERM);
	refused("name_to_handle", syscall(SYS_name_to_handle_at, AT_FDCWD, "/",
					  NULL, NULL, 0), EPERM);
	refused("fanotify_init", syscall(SYS_fanotify_init, 0, 0), EPERM);
	refused("pidfd_open", syscall(SYS_pidfd_open, 1, 0), EPERM);
	refused("setuid", setuid(0), EPERM);
	refused("kcmp", syscall(SYS_kcmp, 1, 1, 0, 0, 0), EPERM);
	refused("reboot", syscall(SYS_reboot, 0, 0, 0, NULL), EPERM);
}

static void probe_memory(void)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	truth("mmap", page != MAP_FAILED);
	refused("mprotect_exec", mprotect(page, 4096, PROT_READ | PROT_EXEC),
		EPERM);
	refused("mmap_wx", (long)mmap(NULL, 4096, PROT_WRITE | PROT_EXEC,
				      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
		EPERM);
}

static void probe_rights(void)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];
	struct rlimit limit = { 1u << 20, 1u << 20 };
	gid_t groups[4];
	int bounding = 0;

	truth("capget", syscall(SYS_capget, &header, data) == 0 &&
	      !(data[0].permitted | data[1].permitted | data[0].effective |
		data[0].inheritable | data[1].inheritable));
	for (int c = 0; c < 64; c++) {
		bounding += prctl(PR_CAPBSET_READ, c, 0, 0, 0) > 0;
	}
	truth("bounding", bounding == 0);
	data[0].permitted = data[0].effective = 1;
	refused("capset", syscall(SYS_capset, &header, data), EPERM);
	truth("uid", getuid() != 0 && geteuid() == getuid() &&
	      getgid() == getuid());
	truth("groups", getgroups(4, groups) == 0);
	truth("no_new_privs", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
	truth("dumpable", prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 1);
	refused("set_dumpable", prctl(PR_SET_DUMPABLE, 1, 0, 0, 0), EPERM);
	refused("clear_death", prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0), EPERM);
	refused("setrlimit", setrlimit(RLIMIT_NOFILE, &limit), EPERM);
	truth("securebits", prctl(PR_GET_SECUREBITS) > 0);
}

static void probe_surroundings(char **environment)
{
	struct stat st;
	int variables = 0, death = 0, open_fds = 0, null;
	char path[16];

	refused("proc", open("/proc/self/status", O_RDONLY), ENOENT);
	refused("etc", open("/etc/passwd", O_RDONLY), ENOENT);
	refused("sys", open("/sys", O_RDONLY), ENOENT);
	refused("write_root", open("/tmp/x", O_WRONLY | O_CREAT, 0600), EROFS);
	refused("write_lib", open("/lib/libc.so.6", O_WRONLY), EACCES);
	refused("dotdot", stat("/../etc", &st), ENOENT);
	refused("read_program", open("/bin/jail_probe", O_RDONLY), EACCES);
	truth("pid", getpid() == 1 && getppid() == 0);
	(void)prctl(PR_GET_PDEATHSIG, &death, 0, 0, 0);
	truth("death_signal", death == SIGKILL);
	while (environment[variables]) {
		variables++;
	}
	truth("environment", variables == 2);
	for (int fd = 0; fd < 1024; fd++) {
		open_fds += fcntl(fd, F_GETFD) >= 0;
	}
	truth("descriptors", open_fds == 4);
	null = open("/dev/null", O_RDWR);
	truth("dev_null", null >= 0 && write(null, "x", 1) == 1);
	snprintf(path, sizeof(path), "/dev/urandom");
	truth("dev_urandom", open(path, O_RDONLY) >= 0);
	refused("dev_mem", open("/dev/mem", O_RDONLY), ENOENT);
	refused("kill_others", kill(2, 0), ESRCH);
}

static int probe_all(char **environment)
{
	int fd;

	probe_surroundings(environment);
	fd = receive_file();
	truth("received", fd >= 0);
	probe_descriptor(fd);
	probe_calls();
	probe_memory();
	probe_rights();
	say("end", "ok");
	return 0;
}

/* Directories: content, config, state arrive in this order. */
static int probe_directories(char **environment)
{
	struct stat st;
	int content = receive_file(), state = receive_file(), fd;

	fd = openat(content, "rules", O_RDONLY);
	truth("content_read", fd >= 0);
	refused("content_write", openat(content, "x", O_WRONLY | O_CREAT, 0600),
		EROFS);
	truth("content_dotdot", openat(content, "../../../etc/passwd",
				       O_RDONLY) < 0 &&
	      fstatat(content, "../secret", &st, 0) < 0);
	fd = openat(state, "file", O_RDWR | O_CREAT, 0600);
	truth("state_write", fd >= 0 && write(fd, "12345", 5) == 5);
	truth("state_exec", mmap(NULL, 4096, PROT_READ | PROT_EXEC,
				 MAP_PRIVATE, fd, 0) == MAP_FAILED);
	(void)signal(SIGXFSZ, SIG_IGN);
	refused("state_size", pwrite(fd, "1", 1, 8 << 20), EFBIG);
	truth("state_mkdir", mkdirat(state, "d", 0700) == 0);
	truth("state_rename", renameat(state, "file", state, "d/file") == 0);
	refused("state_fifo", mknodat(state, "p", S_IFIFO | 0600, 0), EPERM);
	truth("state_dotdot", fstatat(state, "../../secret", &st, 0) < 0);
	say("end", "ok");
	return 0;
}

static int probe_forks(char **environment)
{
	char text[32];
	int made = 0;

	while (made < 5000 && fork() >= 0) {
		/* children go on forking, too */
		made++;
	}
	snprintf(text, sizeof(text), "%d", made);
	say(getpid() == 1 ? "forks" : "child", text);
	pause();
	return 0;
}

_Noreturn static int probe_memory_eater(char **environment)
{
	for (size_t i = 0;; i++) {
		char *block = malloc(1 << 20);

		if (block) {
			memset(block, 1, 1 << 20);
		}
		if (i % 64 == 0) {
			say("eaten", "some");
		}
	}
}

static int probe_flood(char **environment)
{
	for (int i = 0; i < 200000; i++) {
		fprintf(stderr, "flood \033[31m%d\n", i);
	}
	say("end", "ok");
	pause();
	return 0;
}

static int probe_hello(char **environment)
{
	char b;

	say("hello", "ok");
	while (recv(SESSION, &b, 1, 0) > 0) {
	}
	return 0;
}

/* Started as a keeper would be: what did it inherit? */
static int probe_keeper(int argc, char **environment)
{
	char text[64];
	int first = 0, last = 0;

	for (int fd = 3; fd < 1024; fd++) {
		if (fcntl(fd, F_GETFD) >= 0) {
			first = first ? first : fd;
			last = fd;
		}
	}
	snprintf(text, sizeof(text), "keeper %d %d %d %d", first, last, argc,
		 environment[0] != NULL);
	(void)!send(5, text, strlen(text), MSG_NOSIGNAL);
	pause();
	return 0;
}

static const struct {
	const char *name;
	int (*run)(char **environment);
} probe_modes[] = {
	{ "all", probe_all }, { "directories", probe_directories },
	{ "forks", probe_forks }, { "memory", probe_memory_eater },
	{ "flood", probe_flood }, { "hello", probe_hello },
};

int main(int argc, char **argv, char **environment)
{
	if (strcmp(argv[0], "bailey-engine") == 0) {
		return probe_keeper(argc, environment);
	}
	for (size_t i = 0; i < sizeof(probe_modes) / sizeof(probe_modes[0]);
	     i++) {
		if (argc > 1 && strcmp(argv[1], probe_modes[i].name) == 0) {
			return probe_modes[i].run(environment);
		}
	}
	return 2;
}
