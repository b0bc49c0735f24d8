/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_config.c - is the configuration good, and what does it come to
 *
 * Reads DIR/bailey.conf, then DIR/bailey.conf.d, the manifests of
 * DIR/products.d and the rules of DIR/rules.d, each folder in the order of its
 * names. Needs no service. All files are looked at: one report tells of all
 * that is wrong.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/result.h"
#include "cli/cli.h"
#include "cli/file.h"
#include "cli/json.h"
#include "cli/out.h"
#include "config/config.h"
#include "rule/rule.h"

#define CONFIG_ETC "/etc/bailey"
#define CONFIG_PATH 1024

struct config_work {
	struct config config;
	struct manifest manifest;
	unsigned files, bad;
	bool unreadable;
};

typedef void config_take(struct config_work *work, const char *path,
			 const char *text, size_t length);

static void config_take_conf(struct config_work *work, const char *path,
			     const char *text, size_t length)
{
	struct manifest_error error = { .text = "" };
	int r = config_parse(text, length, path, &work->config, &error);

	if (r < 0) {
		work->bad++;
		cli_error("%s", *error.text ? error.text : strerror(-r));
	}
}

static void config_take_manifest(struct config_work *work, const char *path,
				 const char *text, size_t length)
{
	struct manifest_error error = { .text = "" };
	int r;

	manifest_defaults(&work->manifest);
	r = manifest_parse(text, length, path, &work->manifest, &error);
	r = r < 0 ? r : manifest_check(&work->manifest, path, &error);
	if (r < 0) {
		work->bad++;
		cli_error("%s", *error.text ? error.text : strerror(-r));
	}
}

static void config_take_rules(struct config_work *work, const char *path,
			      const char *text, size_t length)
{
	cleanup_free struct rule_program *program = NULL;
	const struct rule_limits limits = { .product = false };
	struct rule_error error = { .line = 0, .text = "" };
	int r = rule_compile(text, length, &limits, &program, &error);

	if (r < 0) {
		work->bad++;
		cli_error("%s:%d: %s", path, error.line,
			  *error.text ? error.text : strerror(-r));
	}
}

static void config_file(struct config_work *work, const char *path,
			config_take *take)
{
	cleanup_free char *text = NULL;
	size_t length;

	work->files++;
	if (file_read(path, &text, &length) < 0) {
		work->unreadable = true;
		return;
	}
	take(work, path, text, length);
}

/* Names of the folder that end in `ending`, sorted. A folder that is not there
 * is an empty one. */
static void config_folder(struct config_work *work, const char *etc,
			  const char *folder, const char *ending,
			  config_take *take)
{
	struct dirent **list = NULL;
	char path[CONFIG_PATH];
	int count, i;

	snprintf(path, sizeof(path), "%s/%s", etc, folder);
	count = scandir(path, &list, NULL, alphasort);
	if (count < 0 && errno != ENOENT) {
		cli_error("cannot read %s: %s", path, strerror(errno));
		work->unreadable = true;
	}
	for (i = 0; i < count; i++) {
		const char *name = list[i]->d_name;
		size_t n = strlen(name), e = strlen(ending);

		if (*name != '.' && n > e &&
		    strcmp(name + n - e, ending) == 0) {
			snprintf(path, sizeof(path), "%s/%s/%s", etc, folder,
				 name);
			config_file(work, path, take);
		}
		free(list[i]);
	}
	free(list);
}

static void config_read(struct config_work *work, const char *etc)
{
	char path[CONFIG_PATH];
	struct stat st;

	config_defaults(&work->config);
	snprintf(path, sizeof(path), "%s/bailey.conf", etc);
	if (stat(path, &st) == 0 || errno != ENOENT) {
		config_file(work, path, config_take_conf);
	}
	config_folder(work, etc, "bailey.conf.d", ".conf", config_take_conf);
}

static int config_check(struct config_work *work, const char *etc)
{
	struct stat st;

	if (stat(etc, &st) < 0 || !S_ISDIR(st.st_mode)) {
		cli_error("%s is not a directory; give the right one with "
			  "--etc DIR", etc);
		return CLI_UNKNOWN;
	}
	config_read(work, etc);
	config_folder(work, etc, "products.d", ".ini", config_take_manifest);
	config_folder(work, etc, "rules.d", ".rules", config_take_rules);
	if (work->unreadable) {
		return CLI_UNKNOWN;
	}
	out_text("%u files, %u of them malformed\n", work->files, work->bad);
	return work->bad ? CLI_NO : CLI_YES;
}

/* ---- show ---- */

struct config_shown {
	bool effective, origin;
	struct json_doc doc;
	json_t *list;
	struct out_table *table;
};

static void config_tell(void *context, const struct config_value *value)
{
	struct config_shown *shown = context;
	json_t *object;

	if (!value->file && !shown->effective) {
		return;
	}
	object = json_put_object(&shown->doc, shown->list, NULL);
	json_put_text(&shown->doc, object, "section", value->section);
	json_put_text(&shown->doc, object, "name", value->name);
	json_put_text(&shown->doc, object, "value", value->value);
	json_put_text(&shown->doc, object, "file", value->file);
	json_put_number(&shown->doc, object, "line", value->line);
	out_table_foreign(shown->table, value->section);
	out_table_foreign(shown->table, value->name);
	out_table_foreign(shown->table, value->value);
	if (!shown->origin) {
		return;
	}
	if (value->file) {
		out_table_cell(shown->table, "%s:%u", value->file, value->line);
	} else {
		out_table_cell(shown->table, "default");
	}
}

static int config_show(struct config_work *work, const struct cli_args *args,
		       const char *etc)
{
	static const char *const with[] = { "SECTION", "NAME", "VALUE", "FROM",
					    NULL };
	static const char *const without[] = { "SECTION", "NAME", "VALUE",
					       NULL };
	bool origin = cli_has(args, "origin");
	cleanup_table struct out_table *table =
		out_table_new(origin ? with : without);
	struct config_shown shown = { .origin = origin, .table = table };
	int r = 0;

	shown.effective = cli_has(args, "effective");
	if (!table || json_open(&shown.doc) < 0) {
		cli_error("out of memory; try again");
		return CLI_UNKNOWN;
	}
	shown.list = json_put_array(&shown.doc, shown.doc.root, "values");
	config_read(work, etc);
	config_each(&work->config, config_tell, &shown);
	if (cli_has(args, "json")) {
		r = json_print(&shown.doc, false);
	} else if (out_table_rows(table)) {
		r = out_table_print(table, "");
	}
	json_closep(&shown.doc);
	if (r < 0 || work->unreadable) {
		return CLI_UNKNOWN;
	}
	return work->bad ? CLI_NO : CLI_YES;
}

static int config_run(const struct cli_args *args)
{
	cleanup_free struct config_work *work = calloc(1, sizeof(*work));
	const char *etc = cli_value(args, "etc", 0);
	bool show = strcmp(args->operand[0], "show") == 0;

	etc = etc ? etc : CONFIG_ETC;
	if (!work) {
		cli_error("out of memory; try again");
		return CLI_UNKNOWN;
	}
	if (!show && (cli_has(args, "effective") || cli_has(args, "origin") ||
		      cli_has(args, "json"))) {
		cli_error("--effective, --origin and --json go with `config "
			  "show`");
		return CLI_UNKNOWN;
	}
	return show ? config_show(work, args, etc) : config_check(work, etc);
}

static const char *const config_words[] = { "check", "show", NULL };

static const struct cli_option config_options[] = {
	{ "etc", CLI_DIRECTORY, false, "DIR",
	  "where the configuration is (default " CONFIG_ETC ")" },
	{ "effective", CLI_FLAG, false, NULL,
	  "defaults as well, not only what is set" },
	{ "origin", CLI_FLAG, false, NULL, "file and line of each value" },
	CLI_OPTION_JSON,
	{ NULL, CLI_FLAG, false, NULL, NULL }
};

const struct cli_command cmd_config = {
	.name = "config",
	.synopsis = "check | show [--effective] [--origin] [--json]  "
		    "[--etc DIR]",
	.summary = "is the configuration good, and what does it come to",
	.help = "Needs no service.\nExit code: 0 good, 1 something in it is "
		"malformed, 2 could not read it.\n",
	.page = "bailey-config",
	.options = config_options,
	.words = config_words,
	.operand = CLI_WORD,
	.operand_min = 1,
	.operand_max = 1,
	.run = config_run,
};
