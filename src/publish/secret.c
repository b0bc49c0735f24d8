/* SPDX-License-Identifier: Apache-2.0 */
/*
 * secret.c - passphrases, and the private keys that they open
 *
 * A passphrase is one line: from a file, a descriptor, or the terminal without
 * echo. Never from the environment or the command line, which others can read.
 */
#include "publish/publish.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>

#include <openssl/crypto.h>

#define TRIES 3

static int take_line(int fd, struct pub_secret *ret_secret)
{
	struct pub_secret line = { .length = 0 };
	ssize_t n = 0;
	char c;

	while ((n = read(fd, &c, 1)) == 1 && c != '\n') {
		if (line.length == sizeof(line.text)) {
			OPENSSL_cleanse(&line, sizeof(line));
			return -E2BIG;
		}
		line.text[line.length++] = c;
	}
	if (n < 0) {
		OPENSSL_cleanse(&line, sizeof(line));
		return result_errno();
	}
	*ret_secret = line;
	OPENSSL_cleanse(&line, sizeof(line));
	return 0;
}

static int take_passphrase(int fd, const char *from,
			   struct pub_secret *ret_secret)
{
	int r = take_line(fd, ret_secret);

	if (r < 0 || !ret_secret->length) {
		pub_error("no passphrase in the first line of %s: %s", from,
			  r < 0 ? strerror(-r) : "it is empty");
		return r < 0 ? r : -EINVAL;
	}
	return 0;
}

/* A file that nobody else may read. */
static int open_secret(const char *path)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct stat status;

	if (fd < 0 || fstat(fd, &status) < 0) {
		pub_error("cannot open %s: %s", path, strerror(errno));
		return result_errno();
	}
	if (S_ISREG(status.st_mode) && status.st_mode & 077) {
		pub_error("others may read %s; chmod 600 it first", path);
		return -EPERM;
	}
	return fd_take(&fd);
}

static int add_secret(struct publish *p, int fd, const char *from)
{
	int r;

	if (p->secrets == PUB_PASSPHRASES) {
		pub_error("more than %u passphrases; give fewer",
			  PUB_PASSPHRASES);
		return -E2BIG;
	}
	r = take_passphrase(fd, from, &p->secret[p->secrets]);
	p->secrets += r == 0;
	return r;
}

int pub_secret_file(struct publish *p, const char *path)
{
	cleanup_fd int fd = open_secret(path);

	return fd < 0 ? fd : add_secret(p, fd, path);
}

int pub_secret_fd(struct publish *p, int fd)
{
	return add_secret(p, fd, "the descriptor");
}

/* Asks on the terminal, whatever standard input is. */
static int ask(const char *what, const char *name,
	       struct pub_secret *ret_secret)
{
	cleanup_fd int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	struct termios before, silent;
	int r;

	if (tty < 0 || tcgetattr(tty, &before) < 0) {
		pub_error("the key %s needs its passphrase; give "
			  "--passphrase-file FILE, or run it on a terminal",
			  name);
		return -ENOKEY;
	}
	silent = before;
	silent.c_lflag &= ~(tcflag_t)ECHO;
	pub_progress("", 0, 0);
	dprintf(tty, "%s %s: ", what, name);
	if (tcsetattr(tty, TCSAFLUSH, &silent) < 0) {
		return result_errno();
	}
	r = take_line(tty, ret_secret);
	(void)tcsetattr(tty, TCSAFLUSH, &before);
	dprintf(tty, "\n");
	if (pub_interrupted()) {
		return -EINTR;
	}
	return r;
}

static int ask_twice(const char *name, struct pub_secret *ret_secret)
{
	struct pub_secret again;
	bool same;
	int r = ask("New passphrase for the key", name, ret_secret);

	if (r == 0 && !ret_secret->length) {
		pub_error("a key is never kept without a passphrase; give one");
		return -EINVAL;
	}
	r = r ? r : ask("The same again, for the key", name, &again);
	if (r < 0) {
		return r;
	}
	same = again.length == ret_secret->length &&
	       memcmp(again.text, ret_secret->text, again.length) == 0;
	OPENSSL_cleanse(&again, sizeof(again));
	if (!same) {
		pub_error("the two differ; nothing was done");
		return -EINVAL;
	}
	return 0;
}

int pub_secret_new(struct publish *p, const char *name,
		   struct pub_secret *ret_secret)
{
	if (p->secrets) {
		*ret_secret = p->secret[0];
		return 0;
	}
	return ask_twice(name, ret_secret);
}

int pub_secret_next(const char *name, const char *file,
		    struct pub_secret *ret_secret)
{
	cleanup_fd int fd = file ? open_secret(file) : -1;

	if (file) {
		return fd < 0 ? fd : take_passphrase(fd, file, ret_secret);
	}
	return ask_twice(name, ret_secret);
}

static int open_asking(const char *name, const char *pem, size_t length,
		       struct key **ret_key)
{
	int r = KEY_WRONG_PASSPHRASE;

	for (int i = 0; i < TRIES && r == KEY_WRONG_PASSPHRASE; i++) {
		struct pub_secret secret;

		r = ask("Passphrase of the key", name, &secret);
		if (r < 0) {
			return r;
		}
		r = key_read_private(pem, length, secret.text, secret.length,
				     ret_key);
		OPENSSL_cleanse(&secret, sizeof(secret));
	}
	return r;
}

int pub_secret_open(struct publish *p, const char *name, const char *pem,
		    size_t length, struct key **ret_key)
{
	int r = key_read_private(pem, length, NULL, 0, ret_key);

	for (size_t i = 0; i < p->secrets && r > 0 && r != KEY_UNSUPPORTED;
	     i++) {
		r = key_read_private(pem, length, p->secret[i].text,
				     p->secret[i].length, ret_key);
	}
	if (r == KEY_ENCRYPTED) {
		r = open_asking(name, pem, length, ret_key);
	}
	if (r == KEY_WRONG_PASSPHRASE) {
		pub_error("wrong passphrase for the key %s", name);
		return -EKEYREJECTED;
	}
	if (r == KEY_UNSUPPORTED) {
		pub_error("the key %s is of another kind; use ed25519, ECDSA "
			  "on P-256, or RSA of 2048 to 8192 bits", name);
		return -EBADMSG;
	}
	if (r == -EBADMSG) {
		pub_error("%s holds no private key in PEM", name);
	}
	return r;
}

static void key_path(const char *name, char ret_path[PUB_PATH])
{
	snprintf(ret_path, PUB_PATH, "keys/%s.pem", name);
}

bool pub_has_private(const struct publish *p, const char *name)
{
	char path[PUB_PATH];

	key_path(name, path);
	return pub_exists(p->dir, path);
}

int pub_private(struct publish *p, const char *name,
		const struct key **ret_key)
{
	cleanup_key struct key *key = NULL;
	char path[PUB_PATH];
	size_t length;
	char *pem;
	int r;

	for (size_t i = 0; i < p->openeds; i++) {
		if (strcmp(p->opened[i].name, name) == 0) {
			*ret_key = p->opened[i].key;
			return 0;
		}
	}
	key_path(name, path);
	r = pub_read(p->dir, path, KEY_PEM, &pem, &length);
	if (r < 0) {
		pub_error("cannot read %s: %s", path, strerror(-r));
		return r;
	}
	r = pub_secret_open(p, name, pem, length, &key);
	key_pem_free(pem, length);
	if (r < 0) {
		return r;
	}
	if (p->openeds == PUB_KEYS) {
		return -E2BIG;
	}
	snprintf(p->opened[p->openeds].name, PUB_KEY_NAME, "%s", name);
	*ret_key = p->opened[p->openeds++].key = key;
	key = NULL;
	return 0;
}

int pub_keep_private(struct publish *p, const char *name,
		     const struct key *key, const struct pub_secret *secret)
{
	char path[PUB_PATH];
	size_t length;
	char *pem;
	int r = key_write_private(key, secret->text, secret->length, &pem,
				  &length);

	key_path(name, path);
	if (r == 0) {
		r = pub_replace(p->dir, path, pem, length, 0600);
		key_pem_free(pem, length);
	}
	if (r < 0) {
		pub_error("cannot keep the key in %s: %s", path, strerror(-r));
	}
	return r;
}
