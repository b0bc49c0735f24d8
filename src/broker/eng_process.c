/* SPDX-License-Identifier: Apache-2.0 */
/* Who asks; see eng_process.h. Slots are named by number + 1, 0 is none. */
#include "broker/eng_process.h"

#include <stdatomic.h>
#include <string.h>

#include "base/hash.h"

#define TICK_NS 10000000ull             /* of /proc/PID/stat */
#define BUCKETS PROCESS_TABLE_ENTRIES

enum state { LIVE, EXITED, STATES };

struct entry {
	struct process process;
	uint64_t time_ns;               /* of the newest record in it */
	uint32_t epoch;                 /* of the table, when that came */
	uint32_t chain;                 /* next in its bucket */
	uint32_t older, newer;          /* neighbours in its list */
	uint32_t state;                 /* enum state: the list it is in */
};

struct list {
	uint32_t oldest, newest, count;
};

struct process_table {
	_Atomic uint32_t changing;      /* slot that is half changed */
	uint32_t used;                  /* slots ever used, from the first */
	uint32_t epoch;                 /* raised at each loss */
	uint64_t given_up;
	struct list list[STATES];
	uint32_t bucket[BUCKETS];
	struct entry entry[PROCESS_TABLE_ENTRIES];
};

static struct entry *at(struct process_table *table, uint32_t slot)
{
	return slot ? &table->entry[slot - 1] : NULL;
}

static uint32_t slot_of(const struct process_table *table,
			const struct entry *entry)
{
	return (uint32_t)(entry - table->entry) + 1;
}

/* Between these two a death costs the entry, and no more. */
static void change_begin(struct process_table *table,
			 const struct entry *entry)
{
	atomic_store(&table->changing, slot_of(table, entry));
	atomic_signal_fence(memory_order_seq_cst);
}

static void change_end(struct process_table *table)
{
	atomic_signal_fence(memory_order_seq_cst);
	atomic_store(&table->changing, 0);
}

static uint32_t *bucket_of(struct process_table *table, int32_t pid)
{
	return &table->bucket[hash_mix((uint32_t)pid) & (BUCKETS - 1)];
}

static struct entry *lookup(struct process_table *table, int32_t pid)
{
	struct entry *entry = at(table, *bucket_of(table, pid));

	while (entry && entry->process.pid != pid) {
		entry = at(table, entry->chain);
	}
	return entry;
}

static void chain_in(struct process_table *table, struct entry *entry)
{
	uint32_t *head = bucket_of(table, entry->process.pid);

	entry->chain = *head;
	*head = slot_of(table, entry);
}

static void chain_out(struct process_table *table, struct entry *entry)
{
	uint32_t *link = bucket_of(table, entry->process.pid);
	uint32_t slot = slot_of(table, entry);

	while (*link && *link != slot) {
		link = &at(table, *link)->chain;
	}
	if (*link) {
		*link = entry->chain;
	}
}

static void list_in(struct process_table *table, struct entry *entry,
		    enum state state)
{
	struct list *list = &table->list[state];
	struct entry *newest = at(table, list->newest);
	uint32_t slot = slot_of(table, entry);

	entry->state = state;
	entry->process.exited = state == EXITED;
	entry->older = list->newest;
	entry->newer = 0;
	if (newest) {
		newest->newer = slot;
	} else {
		list->oldest = slot;
	}
	list->newest = slot;
	list->count++;
}

static void list_out(struct process_table *table, struct entry *entry)
{
	struct list *list = &table->list[entry->state];
	struct entry *older = at(table, entry->older);
	struct entry *newer = at(table, entry->newer);

	if (older) {
		older->newer = entry->newer;
	} else {
		list->oldest = entry->newer;
	}
	if (newer) {
		newer->older = entry->older;
	} else {
		list->newest = entry->older;
	}
	list->count--;
}

static void move(struct process_table *table, struct entry *entry,
		 enum state state)
{
	list_out(table, entry);
	list_in(table, entry, state);
}

static struct entry *fresh(struct process_table *table)
{
	struct entry *entry = &table->entry[table->used];

	change_begin(table, entry);
	table->used++;
	return entry;
}

static struct entry *take_over(struct process_table *table,
			       struct entry *entry)
{
	change_begin(table, entry);
	if (entry->state == LIVE) {
		table->given_up++;
	}
	list_out(table, entry);
	chain_out(table, entry);
	return entry;
}

/* A slot for a new pid, in no list and no chain, its change begun. */
static struct entry *take_slot(struct process_table *table)
{
	struct list *exited = &table->list[EXITED];

	if (exited->count < PROCESS_TABLE_EXITED &&
	    table->used < PROCESS_TABLE_ENTRIES) {
		return fresh(table);
	}
	if (exited->count > 0) {
		return take_over(table, at(table, exited->oldest));
	}
	return take_over(table, at(table, table->list[LIVE].oldest));
}

/* The slot of a new process, live; of `known`, whose pid it has, if any. */
static struct entry *create(struct process_table *table, struct entry *known,
			    const struct process_record *record)
{
	struct entry *entry = known;

	if (known) {
		change_begin(table, known);
		list_out(table, known);
	} else {
		entry = take_slot(table);
		entry->process.pid = record->pid;
		chain_in(table, entry);
	}
	list_in(table, entry, LIVE);
	entry->process.generation = 0;
	entry->process.start_ns = record->start_ns / TICK_NS * TICK_NS;
	return entry;
}

static uint16_t copy_bytes(char *to, const char *from, unsigned int length,
			   size_t room)
{
	size_t n = length < room ? length : room;

	memcpy(to, from, n);
	return (uint16_t)n;
}

/* What every record says. */
static void fill_head(struct process_table *table, struct entry *entry,
		      const struct process_record *record)
{
	struct process *process = &entry->process;

	process->ppid = record->ppid;
	process->session = record->session;
	process->uid = record->uid;
	process->gid = record->gid;
	process->cgroup = record->cgroup;
	memcpy(process->comm, record->comm, sizeof process->comm);
	process->comm[sizeof process->comm - 1] = '\0';
	entry->time_ns = record->time_ns;
	entry->epoch = table->epoch;
}

/* The program, as the record says. */
static void fill_program(struct process *process,
			 const struct process_record *record)
{
	process->exe_device = record->exe_device;
	process->exe_inode = record->exe_inode;
	process->exe_truncated = record->path_truncated != 0 ||
		record->path_length > PROCESS_PATH;
	/* Names that are missing at the front: .../usr/bin/apt may say no more
	 * than /usr/bin/apt. */
	process->exe_foreign = record->path_foreign != 0 ||
		process->exe_truncated;
	process->exe_path_length = copy_bytes(process->exe_path, record->path,
		record->path_length, sizeof process->exe_path);
	process->arguments_length = copy_bytes(process->arguments,
		record->arguments, record->arguments_length,
		sizeof process->arguments);
}

static void copy_program(struct process *process, const struct process *from)
{
	process->exe_device = from->exe_device;
	process->exe_inode = from->exe_inode;
	process->exe_foreign = from->exe_foreign;
	process->exe_truncated = from->exe_truncated;
	process->exe_path_length = copy_bytes(process->exe_path,
		from->exe_path, from->exe_path_length,
		sizeof process->exe_path);
	process->arguments_length = copy_bytes(process->arguments,
		from->arguments, from->arguments_length,
		sizeof process->arguments);
}

static bool same_start(const struct entry *entry,
		       const struct process_record *record)
{
	return entry->process.start_ns == record->start_ns / TICK_NS * TICK_NS;
}

static bool started_before(const struct entry *entry,
			   const struct process_record *record)
{
	return entry->process.start_ns < record->start_ns / TICK_NS * TICK_NS;
}

/* Of a process that had this pid before the one we know. */
static bool out_of_date(const struct entry *known,
			const struct process_record *record)
{
	return known && !same_start(known, record) &&
		!started_before(known, record);
}

static bool uncertain(const struct process_table *table,
		      const struct entry *entry)
{
	return entry->process.uncertain || entry->epoch != table->epoch;
}

/* Does the record name a program, and another than this? */
static bool other_program(const struct process *process,
			  const struct process_record *record)
{
	return record->exe_inode != 0 &&
		(process->exe_inode != record->exe_inode ||
		 process->exe_device != record->exe_device);
}

/* Of one that is known from /proc on btrfs or an overlay: the kernel's number
 * of the file system is not that of stat(2). An exec was not missed. */
static bool other_device(const struct process_table *table,
			 const struct entry *creator,
			 const struct process_record *record)
{
	return !uncertain(table, creator) &&
	       creator->process.exe_inode == record->exe_inode;
}

/* The child runs what its creator runs. The kernel's own word on the program
 * stands above ours on the creator. */
static struct entry *apply_fork(struct process_table *table,
				struct entry *known,
				const struct process_record *record)
{
	int32_t pid = record->creator ? record->creator : record->ppid;
	struct entry *creator = lookup(table, pid);
	struct entry *entry;

	if (known && !started_before(known, record)) {
		return known;
	}
	if (creator && creator != known && creator->state == LIVE) {
		/* Heard of: it is not the one that gives way. */
		change_begin(table, creator);
		move(table, creator, LIVE);
		change_end(table);
	}
	entry = create(table, known, record);
	fill_head(table, entry, record);
	if (creator && creator != entry &&
	    (!other_program(&creator->process, record) ||
	     other_device(table, creator, record))) {
		copy_program(&entry->process, &creator->process);
		if (record->exe_inode) {
			entry->process.exe_device = record->exe_device;
		}
		/* One that ended creates nothing: it had this pid before. */
		entry->process.uncertain = uncertain(table, creator) ||
			creator->state != LIVE;
	} else {
		fill_program(&entry->process, record);
		entry->process.uncertain = record->exe_inode == 0;
	}
	change_end(table);
	return entry;
}

static struct entry *apply_exec(struct process_table *table,
				struct entry *known,
				const struct process_record *record)
{
	bool continues = known && same_start(known, record);
	struct entry *entry = known;

	if ((continues && record->time_ns <= known->time_ns) ||
	    out_of_date(known, record)) {
		return known;
	}
	if (continues) {
		change_begin(table, entry);
		move(table, entry, LIVE);
	} else {
		entry = create(table, known, record);
	}
	fill_head(table, entry, record);
	fill_program(&entry->process, record);
	entry->process.generation++;
	entry->process.uncertain = !continues && table->given_up > 0;
	change_end(table);
	return entry;
}

/* An exit of another process with this pid tells that ours is gone too. Last
 * threads that end at once may each bring a record. */
static struct entry *apply_exit(struct process_table *table,
				struct entry *known,
				const struct process_record *record)
{
	if (!known || out_of_date(known, record) || known->state != LIVE) {
		return NULL;
	}
	change_begin(table, known);
	move(table, known, EXITED);
	known->time_ns = record->time_ns;
	change_end(table);
	return same_start(known, record) ? known : NULL;
}

static bool other_arguments(const struct process *process,
			    const struct process_record *record)
{
	return process->arguments_length != record->arguments_length ||
		memcmp(process->arguments, record->arguments,
		       process->arguments_length) != 0;
}

static struct entry *apply_snapshot(struct process_table *table,
				    struct entry *known,
				    const struct process_record *record)
{
	struct entry *entry = known;

	if (known && same_start(known, record)) {
		if (known->state == EXITED ||
		    record->time_ns <= known->time_ns) {
			return known;
		}
		change_begin(table, known);
		move(table, known, LIVE);
		/* It may have been exec'ed while records were lost. */
		if (other_program(&known->process, record) ||
		    other_arguments(&known->process, record)) {
			known->process.generation++;
		}
		known->process.uncertain = false;
	} else if (out_of_date(known, record)) {
		return known;
	} else {
		entry = create(table, known, record);
		entry->process.uncertain = table->given_up > 0;
	}
	fill_head(table, entry, record);
	fill_program(&entry->process, record);
	change_end(table);
	return entry;
}

static struct entry *apply_ids(struct process_table *table,
			       struct entry *known,
			       const struct process_record *record)
{
	if (!known || known->state != LIVE || !same_start(known, record) ||
	    record->time_ns <= known->time_ns) {
		return known;
	}
	change_begin(table, known);
	move(table, known, LIVE);
	known->process.uid = record->uid;
	known->process.gid = record->gid;
	known->process.session = record->session;
	known->time_ns = record->time_ns;
	change_end(table);
	return known;
}

static const struct process *seen(const struct process_table *table,
				  struct entry *entry)
{
	if (!entry) {
		return NULL;
	}
	entry->process.uncertain = uncertain(table, entry);
	return &entry->process;
}

typedef struct entry *apply_record(struct process_table *table,
				   struct entry *known,
				   const struct process_record *record);

static apply_record *const apply_by_type[] = {
	[PROCESS_FORK] = apply_fork,
	[PROCESS_EXEC] = apply_exec,
	[PROCESS_EXIT] = apply_exit,
	[PROCESS_SNAPSHOT] = apply_snapshot,
	[PROCESS_IDS] = apply_ids,
};

const struct process *process_table_apply(struct process_table *table,
					  const struct process_record *record)
{
	size_t types = sizeof apply_by_type / sizeof apply_by_type[0];

	if (record->pid <= 0 || record->type >= types ||
	    !apply_by_type[record->type]) {
		return NULL;
	}
	return seen(table, apply_by_type[record->type](table,
		lookup(table, record->pid), record));
}

const struct process *process_table_find(struct process_table *table,
					 int32_t pid)
{
	return pid > 0 ? seen(table, lookup(table, pid)) : NULL;
}

const struct process *process_table_next(struct process_table *table,
					 uint32_t *cursor)
{
	while (*cursor < table->used) {
		struct entry *entry = &table->entry[(*cursor)++];

		if (entry->state == LIVE) {
			return seen(table, entry);
		}
	}
	return NULL;
}

void process_table_mark_uncertain(struct process_table *table)
{
	table->epoch++;
}

void process_table_snapshot_end(struct process_table *table, uint64_t since_ns)
{
	for (uint32_t i = 0; i < table->used; i++) {
		struct entry *entry = &table->entry[i];

		if (entry->state == LIVE && uncertain(table, entry) &&
		    entry->time_ns < since_ns) {
			change_begin(table, entry);
			move(table, entry, EXITED);
			change_end(table);
		}
	}
}

uint32_t process_table_count(const struct process_table *table)
{
	return table->list[LIVE].count;
}

uint64_t process_table_given_up(const struct process_table *table)
{
	return table->given_up;
}

size_t process_table_bytes(void)
{
	return sizeof(struct process_table);
}

void process_table_init(struct process_table *memory)
{
	memory->epoch = 1;
}

/* Lists and chains are made anew, in the order of the slots. */
void process_table_recover(struct process_table *table)
{
	uint32_t lost = atomic_load(&table->changing);

	memset(table->list, 0, sizeof table->list);
	memset(table->bucket, 0, sizeof table->bucket);
	if (lost && lost <= table->used) {
		/* Of no pid, first to be used again. */
		at(table, lost)->process.pid = 0;
		list_in(table, at(table, lost), EXITED);
		table->given_up++;
	}
	for (uint32_t slot = 1; slot <= table->used; slot++) {
		struct entry *entry = at(table, slot);

		if (slot == lost) {
			continue;
		}
		list_in(table, entry,
			entry->state == LIVE ? LIVE : EXITED);
		if (entry->process.pid > 0) {
			chain_in(table, entry);
		}
	}
	atomic_store(&table->changing, 0);
}
