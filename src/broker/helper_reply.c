/* SPDX-License-Identifier: Apache-2.0 */
/* broker/helper_reply.c - replies, from jobs through the loop to the monitor */
#include "broker/helper_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void job_reply(int channel, const struct helper_request *request,
	       struct helper_reply *reply, const int *fds, size_t count)
{
	static struct helper_message message;   /* large; one thread */

	reply->job = request->job;
	reply->index = request->index;
	message.prepared = 0;
	message.reply = *reply;
	if (pass_send(channel, &message, sizeof(message), fds, count, 0) < 0) {
		_exit(1);
	}
}

void job_done(int channel, const struct helper_request *request, int error,
	      const char *text)
{
	struct helper_reply reply = { .type = HELPER_DONE,
				      .error = error < 0 ? -error : error };

	snprintf(reply.text, sizeof(reply.text), "%s", text ? text : "");
	job_reply(channel, request, &reply, NULL, 0);
}

void job_complain(int channel, const struct helper_request *request,
		  const char *format, ...)
{
	struct helper_reply reply = { .type = HELPER_COMPLAINT, .more = 1 };
	va_list list;

	va_start(list, format);
	vsnprintf(reply.text, sizeof(reply.text), format, list);
	va_end(list);
	job_reply(channel, request, &reply, NULL, 0);
}

void loop_reply(const struct helper *helper,
		const struct helper_request *request,
		struct helper_reply *reply, const int *fds, size_t count)
{
	reply->job = request->job;
	reply->index = request->index;
	reply->purpose = request->purpose;
	reply->try = request->try;
	/* If the monitor is gone the loop sees it at its next turn. */
	(void)!pass_send(helper->socket, reply, sizeof(*reply), fds, count, 0);
}
