/* SPDX-License-Identifier: Apache-2.0 */
/*
 * broker/helper_keep.c - the files that nobody may deny
 *
 * What an administrator needs to log in, look, and turn Bailey off, and what
 * the host needs to boot and stop: programs, with the libraries that their
 * interpreter finds, and what login reads. By file identity, and only files
 * that root owns and nobody else may write: a user cannot add to the list.
 *
 * Bounds: KEEP_FILES identities, KEEP_PROGRAMS programs asked for libraries;
 * beyond, a complaint says so.
 */
#include "broker/config_read.h"
#include "broker/helper_internal.h"

#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define KEEP_FILES 8192u
#define KEEP_PROGRAMS 512u
#define KEEP_LISTER_UID 65534u

/* Programs: their libraries are kept too. */
static const char *const keep_programs[] = {
	"/sbin/init", "/lib/systemd/systemd*", "/usr/lib/systemd/systemd*",
	"/bin/systemctl", "/bin/journalctl", "/bin/loginctl", "/sbin/udevd",
	"/bin/udevadm", "/sbin/agetty", "/sbin/getty", "/bin/login",
	"/sbin/sulogin", "/bin/su", "/usr/bin/su", "/usr/bin/sudo",
	"/usr/sbin/sshd", "/usr/lib/openssh/sshd-session",
	"/usr/libexec/openssh/sshd-session", "/sbin/unix_chkpwd",
	"/usr/sbin/unix_chkpwd", "/bin/sh", "/bin/bash", "/bin/dash",
	"/bin/busybox", "/bin/mount", "/bin/umount", "/sbin/reboot",
	"/sbin/shutdown", "/sbin/poweroff", "/sbin/modprobe",
	"/usr/bin/apt", "/usr/bin/apt-get", "/usr/lib/apt/methods/*",
	"/usr/bin/dpkg", "/usr/bin/dpkg-deb", "/usr/bin/rpm", "/usr/bin/dnf",
	"/usr/bin/yum", "/usr/bin/zypper", "/usr/bin/pacman",
	"/usr/bin/bailey", "/usr/sbin/bailey-monitor", "/usr/lib/bailey/*",
};

/* Files that are kept as they are. */
static const char *const keep_files[] = {
	"/lib/*/security/pam_*.so", "/usr/lib/*/security/pam_*.so",
	"/lib64/security/pam_*.so", "/lib/security/pam_*.so",
	"/lib/*/libnss_*.so*", "/usr/lib64/libnss_*.so*",
	"/etc/ld.so.cache", "/etc/ld.so.preload", "/etc/passwd",
	"/etc/group", "/etc/shadow", "/etc/gshadow", "/etc/nsswitch.conf",
	"/etc/login.defs", "/etc/securetty", "/etc/shells", "/etc/environment",
	"/etc/profile", "/etc/pam.conf", "/etc/pam.d/*", "/etc/security/*",
	"/etc/sudoers", "/etc/sudoers.d/*", "/etc/ssh/sshd_config",
	"/etc/bailey/*",
};

struct keep {
	struct handoff_keep *file;      /* KEEP_FILES */
	size_t count;
	uint32_t programs;
	bool full;
};

static void keep_add(struct keep *keep, uint64_t device, uint64_t inode)
{
	if (keep->count == KEEP_FILES) {
		keep->full = true;
		return;
	}
	keep->file[keep->count++] = (struct handoff_keep){ device, inode };
}

static bool keep_has(const struct keep *keep, uint64_t device, uint64_t inode)
{
	for (size_t i = 0; i < keep->count; i++) {
		if (keep->file[i].inode == inode &&
		    keep->file[i].device == device) {
			return true;
		}
	}
	return false;
}

/* True if it is new: most paths name a file twice (/bin is /usr/bin). */
static bool keep_add_path(struct keep *keep, const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != 0 ||
	    st.st_mode & 022 || keep_has(keep, st.st_dev, st.st_ino)) {
		return false;
	}
	keep_add(keep, st.st_dev, st.st_ino);
	return true;
}

static void keep_add_program(struct keep *keep, const char *path)
{
	static struct jail_files files;
	char error[256];

	if (!keep_add_path(keep, path)) {
		return;
	}
	if (keep->programs++ >= KEEP_PROGRAMS) {
		keep->full = true;
		return;
	}
	/* A script or a static program has none: the error is no loss. */
	(void)!jail_files_find(path, KEEP_LISTER_UID, true, own_fork, &files,
			       error, sizeof(error));
	for (uint32_t i = 0; i < files.count; i++) {
		if (!keep_has(keep, files.file[i].device,
			      files.file[i].inode)) {
			keep_add(keep, files.file[i].device,
				 files.file[i].inode);
		}
	}
}

static void keep_add_glob(struct keep *keep, const char *pattern,
			  bool programs)
{
	glob_t found;

	if (glob(pattern, GLOB_NOSORT, NULL, &found) != 0) {
		return;
	}
	for (size_t i = 0; i < found.gl_pathc; i++) {
		if (programs) {
			keep_add_program(keep, found.gl_pathv[i]);
		} else {
			(void)keep_add_path(keep, found.gl_pathv[i]);
		}
	}
	globfree(&found);
}

/* The shell in root's line of /etc/passwd. */
static void keep_add_root_shell(struct keep *keep)
{
	cleanup_free char *text = NULL;
	char *rest, *shell = NULL;
	size_t length;

	if (file_read(AT_FDCWD, "/etc/passwd", true, &text, &length) < 0) {
		return;
	}
	rest = text;
	for (char *line = strsep(&rest, "\n"); line;
	     line = strsep(&rest, "\n")) {
		if (strncmp(line, "root:", 5) == 0) {
			shell = strrchr(line, ':') + 1;
			break;
		}
	}
	if (shell && shell[0] == '/') {
		keep_add_program(keep, shell);
	}
}

static void keep_complain(void *context, const char *text)
{
	(void)context;          /* the monitor told it at its start */
	(void)text;
}

/* The administrator's own: `keep = PATH` in bailey.conf. */
static void keep_add_configured(const struct helper *helper, struct keep *keep)
{
	static struct config config;

	config_read(helper->start->etc_dir, helper->strict, &config,
		  keep_complain, NULL);
	for (uint32_t i = 0; i < config.keep.count; i++) {
		keep_add_glob(keep, config.keep.entry[i], true);
	}
}

int keep_send(const struct helper *helper,
	      const struct helper_request *request, int channel)
{
	struct helper_reply reply = { .type = HELPER_KEEP, .more = 1 };
	struct keep keep = { .file = calloc(KEEP_FILES, sizeof(*keep.file)) };
	cleanup_fd int fd = -1;
	int r;

	if (!keep.file) {
		return -ENOMEM;
	}
	for (size_t i = 0; i < sizeof(keep_files) / sizeof(char *); i++) {
		keep_add_glob(&keep, keep_files[i], false);
	}
	keep_add_program(&keep, "/proc/self/exe");
	keep_add_root_shell(&keep);
	keep_add_configured(helper, &keep);
	for (size_t i = 0; i < sizeof(keep_programs) / sizeof(char *); i++) {
		keep_add_glob(&keep, keep_programs[i], true);
	}
	if (keep.full) {
		job_complain(channel, request,
			     "keep list:0: more than %u files: the rest is not "
			     "protected from denial", KEEP_FILES);
	}
	r = file_sealed("keep", keep.file, keep.count * sizeof(*keep.file),
			&fd);
	reply.number = keep.count;
	free(keep.file);
	if (r == 0) {
		job_reply(channel, request, &reply, &fd, 1);
	}
	return r;
}
