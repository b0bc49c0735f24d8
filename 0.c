#include <bailey/client.h>

int begin(struct bailey_client *client);

int begin(struct bailey_client *client)
{
	struct bailey_subscription want[] = {
		{ sizeof(*want), BAILEY_EVENT_FILE_OPEN, 50,
		  BAILEY_WANT_FILE },
		{ sizeof(*want), BAILEY_EVENT_PROCESS_EXIT, 0,
		  BAILEY_WANT_OPTIONAL },
	};
	struct bailey_mute man_pages = {
		.size = sizeof(man_pages),
		.kind = BAILEY_EVENT_FILE_OPEN,
		.by = BAILEY_MUTE_PATH,
		.path = "/usr/share/man/",
	};
	int r = bailey_subscribe(client, want, 2);

	if (r == 0) {
		r = bailey_mute(client, &man_pages, 1);
	}
	return r < 0 ? r : bailey_ready(client);
}
