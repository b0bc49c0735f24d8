/* SPDX-License-Identifier: Apache-2.0 */
/* Writes bailey.event(5) from the rows of <bailey/tables.h>. Run at build. */
#include <stdio.h>

#include <bailey/tables.h>

static void row_item(int number, const char *name, const char *macro,
		     const char *kind, const char *help)
{
	printf(".It Cm %s Pq %d , %s\n.Dv %s :\n%s.\n", name, number, kind,
	       macro, help);
}

#define EVENT(sym, num, name, class, help)                                    \
	row_item(num, name, "BAILEY_EVENT_" #sym, #class, help);
#define NUMBER(sym, num, name, help)                                          \
	row_item(num, name, "BAILEY_FIELD_" #sym, "number", help);
#define STRING(sym, num, name, help)                                          \
	row_item(num, name, "BAILEY_FIELD_" #sym, "bytes", help);
#define KNOWN(sym, num, name, help)                                           \
	row_item(num, name, "BAILEY_KNOWN_" #sym, "known", help);
#define VERDICT(sym, num, name, help)                                         \
	row_item(num, name, "BAILEY_VERDICT_" #sym, "verdict", help);
#define SCOPE(sym, num, name, help)                                           \
	row_item(num, name, "BAILEY_SCOPE_" #sym, "scope", help);
#define ERROR(sym, num, text)                                                 \
	printf(".It Dv BAILEY_E_%s Pq %d\n%s.\n", #sym, num, text);

static void list_begin(void)
{
	puts(".Bl -tag -width Ds");
}

static void list_end(void)
{
	puts(".El");
}

static void head(void)
{
	puts(".\\\" SPDX-License-Identifier: Apache-2.0\n"
	     ".\\\" Made from include/bailey/tables.h by tools/man-events.c.\n"
	     ".Dd November 26, 2026\n"
	     ".Dt BAILEY.EVENT 5\n"
	     ".Os\n"
	     ".Sh NAME\n"
	     ".Nm bailey.event\n"
	     ".Nd event types, fields, verdicts and errors\n"
	     ".Sh DESCRIPTION\n"
	     "An event is something that a process did or wants to do.\n"
	     "Its type says what; its fields say who, about what and when.\n"
	     "Which of them this host knows, and how well, is printed by\n"
	     ".Ql bailey doctor\n"
	     "and answered by\n"
	     ".Xr bailey_field_known 3 .\n"
	     "Numbers never change their meaning.");
}

static void events(void)
{
	puts(".Ss Event types\n"
	     "AUTH is a question that waits for a verdict, NOTIFY is news,\n"
	     "CONTROL is about the session itself.");
	list_begin();
	BAILEY_EVENT_TABLE(EVENT)
	list_end();
}

static void fields(void)
{
	puts(".Ss Fields that are numbers\n"
	     "Read by\n.Xr bailey_event_number 3 .");
	list_begin();
	BAILEY_NUMBER_FIELD_TABLE(NUMBER)
	list_end();
	puts("Every event has sequence, kind_sequence and time.\n"
	     "Questions have all fields of the process and of the object, and\n"
	     "deadline; news of processes have those of the process.\n"
	     "links, changed and the like are the object's at that moment.");
	puts(".Ss Fields that are bytes\n"
	     "Read by\n.Xr bailey_event_string 3 .");
	list_begin();
	BAILEY_STRING_FIELD_TABLE(STRING)
	list_end();
}

static void values(void)
{
	puts(".Ss How a field is known");
	list_begin();
	BAILEY_KNOWN_TABLE(KNOWN)
	list_end();
	puts(".Ss Verdicts and their scopes");
	list_begin();
	BAILEY_VERDICT_TABLE(VERDICT)
	BAILEY_SCOPE_TABLE(SCOPE)
	list_end();
	puts(".Ss Errors\n"
	     "Returned negated, beside\n.Xr errno 3\nvalues.");
	list_begin();
	BAILEY_ERROR_TABLE(ERROR)
	list_end();
}

int main(void)
{
	head();
	events();
	fields();
	values();
	puts(".Sh SEE ALSO\n"
	     ".Xr bailey 3 ,\n"
	     ".Xr bailey_event_number 3 ,\n"
	     ".Xr bailey_next 3");
	return fflush(stdout) == 0 ? 0 : 1;
}
