/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "content.h"

static void complain(void *context, const char *text)
{
	(void)bailey_log(context, 4, text);
}

static int load(struct bailey_client *client, struct ruleset *ret_rules)
{
	int directory = bailey_directory(client, BAILEY_DIRECTORY_CONTENT);

	if (directory < 0) {
		return directory;
	}
	return ruleset_load(directory, complain, client, ret_rules);
}

int content_init(struct content *ret_content, struct bailey_client *client)
{
	ret_content->client = client;
	pthread_mutex_init(&ret_content->lock, NULL);
	pthread_mutex_init(&ret_content->loading, NULL);
	atomic_init(&ret_content->newest, 0);
	ret_content->set[0].users = 1;
	return load(client, &ret_content->set[0].rules);
}

const struct ruleset *content_rules(const struct content *content)
{
	return &content->set[atomic_load(&content->newest)].rules;
}

/* Lock held. */
static void leave(struct content *content, unsigned index)
{
	struct content_set *set = &content->set[index];

	if (--set->users == 0) {
		ruleset_fini(&set->rules);
	}
}

int content_engine(struct content *content, struct engine *ret_engine)
{
	unsigned index;
	int result;

	pthread_mutex_lock(&content->lock);
	index = atomic_load(&content->newest);
	content->set[index].users++;
	pthread_mutex_unlock(&content->lock);
	result = engine_init(ret_engine, content->set[index].rules.rules);
	ret_engine->set = index;
	if (result < 0) {
		pthread_mutex_lock(&content->lock);
		leave(content, index);
		pthread_mutex_unlock(&content->lock);
	}
	return result;
}

static int free_set(struct content *content)
{
	for (unsigned i = 0; i < CONTENT_SETS; i++) {
		if (content->set[i].users == 0) {
			return (int)i;
		}
	}
	return -EBUSY;
}

static void publish(struct content *content, unsigned index,
		    const struct ruleset *rules)
{
	unsigned former = atomic_load(&content->newest);

	content->set[index] = (struct content_set){ *rules, 1 };
	atomic_store(&content->newest, index);
	leave(content, former);
}

int content_load(struct content *content)
{
	struct ruleset rules = { 0 };
	int result, index;

	pthread_mutex_lock(&content->loading);
	result = load(content->client, &rules);
	pthread_mutex_lock(&content->lock);
	index = free_set(content);
	if (result == 0 && index < 0) {
		ruleset_fini(&rules);
		result = index;
	}
	if (result == 0) {
		publish(content, (unsigned)index, &rules);
	}
	pthread_mutex_unlock(&content->lock);
	pthread_mutex_unlock(&content->loading);
	return result;
}

int content_is_old(const struct content *content, const struct engine *engine)
{
	return content != NULL &&
	       engine->set != atomic_load(&content->newest);
}

/* Without memory for another scanner the old one goes on: its set stays. */
void content_follow(struct content *content, struct engine *engine)
{
	struct engine next;
	unsigned former;

	if (!content_is_old(content, engine) ||
	    content_engine(content, &next) < 0) {
		return;
	}
	former = engine->set;
	engine_fini(engine);
	*engine = next;
	pthread_mutex_lock(&content->lock);
	leave(content, former);
	pthread_mutex_unlock(&content->lock);
}
