/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent_fill.c - a version's files are copied into its slot, beside the loop
 *
 * A version may have gigabytes, and a disk may take its time to sync them:
 * nobody's revert waits for that. So one thread copies, one version at a time
 * of all products; further ones wait. It touches the half slot only; records
 * are the loop's (store_fill_begin, store_fill_end). Job and result go over by
 * a byte in a pipe each way. Who is killed meanwhile leaves half a slot, which
 * the next start sweeps.
 *
 * The thread is there before the filter is, and the filter is the thread's
 * too (agent_confine.c).
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "agent/agent.h"
#include "base/log.h"
#include "base/text.h"

/* The loop's before `ask` was written and after `done` was read; the thread's
 * between. */
struct agent_fill {
	struct agent_product_state *p;
	struct store_filling filling;
	struct slot_blobs blobs;
	int dir;                        /* own; the blobs */
	bool site;
};

struct work {
	int ask, done;                  /* to read, to write */
	struct agent_fill *fill;
};

static struct work work;

static void *copy_all(void *unused)
{
	char byte;

	while (read(work.ask, &byte, 1) == 1) {
		store_fill_copy(&work.fill->filling);
		(void)!write(work.done, &byte, 1);
	}
	return NULL;
}

int agent_fill_open(struct agent *agent)
{
	sigset_t all, before;
	pthread_t thread;
	int ask[2], done[2];
	int r;

	if (pipe2(ask, O_CLOEXEC) < 0 || pipe2(done, O_CLOEXEC) < 0) {
		return result_errno();
	}
	work.ask = ask[0];
	work.done = done[1];
	agent->fill_ask = ask[1];
	agent->fill_done = done[0];
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&thread, NULL, copy_all, NULL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -r;
}

static struct store_words words_of(bool site)
{
	return (struct store_words){
		.by = site ? STATE_BY_PERSON : STATE_BY_PUBLISHER,
		.reason = site ? "brought, and signed by a site's key"
			       : "listed by signed metadata",
	};
}

static void over(struct agent_product_state *p,
		 const uint8_t hash[VERSION_HASH], int r)
{
	if (r == STORE_DONE || r == STORE_SAME) {
		agent_progress(p, hash, "verify", "", false, 0);
		return;
	}
	text_format(p->trouble, sizeof(p->trouble), "%s",
		    store_reason(p->store)[0] ? store_reason(p->store)
		    : r < 0 ? strerror(-r) : "it cannot be kept");
	log_warning("%s: %s: %s", p->told.name, agent_short(hash).text,
		    p->trouble);
	agent_put_off(p, hash);
	agent_progress(p, hash, "verify", p->trouble, true,
		       r < 0 ? -r : EBADMSG);
}

static void fill_free(struct agent_fill *fill)
{
	fd_closep(&fill->dir);
	free(fill);
}

static int fill_new(struct agent_product_state *p,
		    const struct agent_listed *l, struct agent_fill **ret_fill)
{
	struct store_words words = words_of(l->site);
	struct agent_fill *fill = calloc(1, sizeof(*fill));
	int r;

	if (!fill) {
		return -ENOMEM;
	}
	fill->p = p;
	fill->site = l->site;
	fill->dir = fcntl(l->blobs, F_DUPFD_CLOEXEC, 3);
	r = fill->dir < 0 ? result_errno() : 0;
	slot_blobs_init(&fill->blobs, fill->dir);
	if (r == 0) {
		r = store_fill_begin(p->store, l->description, l->length,
				     &fill->blobs.source, &words,
				     &fill->filling);
	}
	if (r != 0) {
		fill_free(fill);
		return r;
	}
	*ret_fill = fill;
	return 0;
}

bool agent_fill_begin(struct agent_product_state *p,
		      const uint8_t hash[VERSION_HASH])
{
	struct agent_listed *l = agent_listed_find(p, hash);
	struct agent_fill *fill = NULL;
	char byte = 0;
	int r;

	p->filling = true;
	if (work.fill) {
		return false;           /* agent_fill_turn thinks of it */
	}
	r = l ? fill_new(p, l, &fill) : -ENOENT;
	if (r == 0) {
		work.fill = fill;
		if (write(p->agent->fill_ask, &byte, 1) == 1) {
			return false;
		}
		work.fill = NULL;       /* cannot be: the pipe is empty */
		fill->filling.result = -EIO;
		r = store_fill_end(p->store, &fill->filling,
				   &(struct store_words){ 0 });
		fill_free(fill);
	}
	p->filling = false;
	over(p, hash, r);
	return true;
}

void agent_fill_turn(struct agent *agent)
{
	struct agent_fill *fill = work.fill;
	struct agent_product_state *p = fill ? fill->p : NULL;
	struct store_words words;
	uint8_t hash[VERSION_HASH];
	char byte;
	int r;

	if (read(agent->fill_done, &byte, 1) != 1 || !fill) {
		return;
	}
	words = words_of(fill->site);
	memcpy(hash, fill->filling.hash, sizeof(hash));
	r = store_fill_end(p->store, &fill->filling, &words);
	work.fill = NULL;
	fill_free(fill);
	over(p, hash, r);
	for (uint32_t i = 0; i < AGENT_PRODUCTS; i++) {
		if (agent->product[i].filling) {
			agent->product[i].filling = false;
			agent_think(&agent->product[i]);
		}
	}
}

bool agent_fill_works(void)
{
	return work.fill != NULL;
}
