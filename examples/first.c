/* SPDX-License-Identifier: Apache-2.0 */
/* The smallest product: nobody opens a file called *.evil. */
#include <string.h>

#include <bailey/client.h>

int main(void)
{
	struct bailey_subscription opens = { sizeof(opens),
					     BAILEY_EVENT_FILE_OPEN, 0, 0 };
	struct bailey_client *client;
	struct bailey_event *event;
	struct bailey_string path;

	if (bailey_client_connect(&client, BAILEY_API, "", 0) < 0 ||
	    bailey_subscribe(client, &opens, 1) < 0 ||
	    bailey_ready(client) < 0) {
		return 1;
	}
	while (bailey_next(client, -1, &event) == 1) {
		int evil = bailey_event_string(event, BAILEY_FIELD_PATH,
					       &path) == 0 &&
			   path.length > 5 &&
			   !memcmp(path.bytes + path.length - 5, ".evil", 5);

		bailey_answer(client, event, evil ? BAILEY_VERDICT_DENY
						  : BAILEY_VERDICT_ALLOW,
			      BAILEY_SCOPE_ONCE, NULL);
		bailey_event_unref(event);
	}
	bailey_client_close(client);
	return 0;
}
