/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fields.h"
#include "limits.h"
#include "ruleset.h"

struct names {
	char *name[SCAN_RULE_FILES];    /* owned; null: left out */
	unsigned count;
};

struct load {
	int directory;
	ruleset_complain_fn *complain;
	void *context;
	struct names names;
};

/* Where libyara's messages go: quiet in the first, common attempt. */
struct sink {
	const struct load *load;
	const char *file;
	int speak;
};

static void complain(const struct load *load, const char *file, int line,
		     const char *reason)
{
	char text[512];

	snprintf(text, sizeof(text), "%s:%d: %s", file, line, reason);
	load->complain(load->context, text);
}

static void on_message(int level, const char *file, int line,
		       const YR_RULE *rule, const char *message, void *user)
{
	const struct sink *sink = user;

	(void)file;
	(void)rule;
	if (sink->speak && level == YARA_ERROR_LEVEL_ERROR) {
		complain(sink->load, sink->file, line, message);
	}
}

static int is_rule_file(const struct dirent *entry)
{
	size_t n = strlen(entry->d_name);

	return n > 4 && entry->d_name[0] != '.' &&
	       strcmp(entry->d_name + n - 4, ".yar") == 0;
}

static int list(struct load *load)
{
	struct dirent **entry;
	int n = scandirat(load->directory, ".", &entry, is_rule_file,
			  alphasort);

	if (n < 0) {
		return -errno;
	}
	for (int i = 0; i < n; i++) {
		if (load->names.count < SCAN_RULE_FILES) {
			load->names.name[load->names.count] =
				strdup(entry[i]->d_name);
			load->names.count++;
		}
		free(entry[i]);
	}
	free(entry);
	if (n > (int)SCAN_RULE_FILES) {
		load->complain(load->context, "too many rule files: only the "
			       "first 256 by name are used");
	}
	return 0;
}

static void names_fini(struct names *names)
{
	for (unsigned i = 0; i < names->count; i++) {
		free(names->name[i]);
	}
}

static void leave_out(struct names *names, unsigned i)
{
	free(names->name[i]);
	names->name[i] = NULL;
}

/* A descriptor of a regular file of bearable size, or -errno. O_NONBLOCK: a
 * FIFO in the folder must not hold the start. */
static int open_rules(int directory, const char *name)
{
	struct stat st;
	int fd = openat(directory, name,
			O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	int error = 0;

	if (fd < 0) {
		return -errno;
	}
	if (fstat(fd, &st) < 0) {
		error = errno;
	} else if (!S_ISREG(st.st_mode)) {
		error = EINVAL;
	} else if ((uint64_t)st.st_size > SCAN_RULE_BYTES) {
		error = EFBIG;
	} else if (st.st_size == 0) {
		error = ENODATA;
	}
	if (error != 0) {
		close(fd);
		return -error;
	}
	return fd;
}

/* 0, or positive: the file is of no use (said if sink->speak). */
static int add(YR_COMPILER *compiler, struct sink *sink)
{
	int fd = open_rules(sink->load->directory, sink->file);
	int errors;

	if (fd < 0) {
		if (sink->speak) {
			complain(sink->load, sink->file, 0, strerror(-fd));
		}
		return 1;
	}
	yr_compiler_set_callback(compiler, on_message, sink);
	errors = yr_compiler_add_fd(compiler, fd, sink->file, sink->file);
	close(fd);
	return errors;
}

static int new_compiler(YR_COMPILER **ret_compiler)
{
	if (yr_compiler_create(ret_compiler) != ERROR_SUCCESS) {
		return -ENOMEM;
	}
	yr_compiler_set_include_callback(*ret_compiler, NULL, NULL, NULL);
	for (size_t i = 0; i < scan_fields_count; i++) {
		if (yr_compiler_define_integer_variable(*ret_compiler,
							scan_fields[i].name,
							0) != ERROR_SUCCESS) {
			yr_compiler_destroy(*ret_compiler);
			return -ENOMEM;
		}
	}
	return 0;
}

static void count(struct ruleset *set)
{
	YR_RULE *rule;

	yr_rules_foreach(set->rules, rule) {
		set->count++;
	}
}

/* All files that are still named, together: 0, 1 if one of them is broken. */
static int compile_all(const struct load *load, struct ruleset *ret_set)
{
	struct ruleset set = { 0 };
	YR_COMPILER *compiler;
	int result = new_compiler(&compiler);

	if (result < 0) {
		return result;
	}
	for (unsigned i = 0; i < load->names.count && result == 0; i++) {
		struct sink sink = { load, load->names.name[i], 0 };

		if (sink.file != NULL) {
			result = add(compiler, &sink) != 0;
			set.files++;
		}
	}
	if (result == 0 &&
	    yr_compiler_get_rules(compiler, &set.rules) != ERROR_SUCCESS) {
		result = -ENOMEM;
	}
	yr_compiler_destroy(compiler);
	if (result == 0) {
		count(&set);
		*ret_set = set;
	}
	return result;
}

/* Tries each alone and leaves out, with a complaint, what does not compile. */
static int sift(struct load *load, unsigned *ret_broken)
{
	YR_COMPILER *compiler;

	for (unsigned i = 0; i < load->names.count; i++) {
		struct sink sink = { load, load->names.name[i], 1 };
		int result = new_compiler(&compiler);

		if (result < 0) {
			return result;
		}
		result = add(compiler, &sink);
		yr_compiler_destroy(compiler);
		if (result != 0) {
			leave_out(&load->names, i);
			++*ret_broken;
		}
	}
	return 0;
}

static int compile(struct load *load, struct ruleset *ret_set)
{
	unsigned broken = 0;
	int result = compile_all(load, ret_set);

	if (result <= 0) {
		return result;
	}
	result = sift(load, &broken);
	if (result == 0) {
		result = compile_all(load, ret_set);
	}
	if (result == 0) {
		ret_set->broken = broken;
	}
	/* A file that changed between the two looks: as good as unreadable. */
	return result > 0 ? -EAGAIN : result;
}

int ruleset_load(int directory, ruleset_complain_fn *complain_to,
		 void *context, struct ruleset *ret_set)
{
	struct load load = { directory, complain_to, context, { { 0 }, 0 } };
	struct ruleset set = { 0 };
	int result = list(&load);

	if (result == 0) {
		result = compile(&load, &set);
	}
	names_fini(&load.names);
	if (result == 0 && set.count == 0) {
		ruleset_fini(&set);
		result = -ENOENT;
	}
	if (result == 0) {
		*ret_set = set;
	}
	return result;
}

void ruleset_fini(struct ruleset *set)
{
	if (set->rules != NULL) {
		yr_rules_destroy(set->rules);
	}
	memset(set, 0, sizeof(*set));
}
