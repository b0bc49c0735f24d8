/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/log.h - one line to standard error, by the process that acts
 *
 * Library code does not log. Lines have the form `tag: text`; under systemd
 * the level goes in front as <N>. A full or closed standard error never
 * blocks and never ends the process: the line is dropped and counted.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

enum log_level { LOG_ERROR = 3, LOG_WARNING = 4, LOG_NOTICE = 5, LOG_INFO = 6,
		 LOG_DEBUG = 7 };

/* tag: name of the process, as in ps; kept, not copied. */
void log_init(const char *tag, enum log_level highest);
__attribute__((format(printf, 2, 3)))
void log_line(enum log_level level, const char *format, ...);
unsigned long log_dropped(void);

#define log_error(...) log_line(LOG_ERROR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_WARNING, __VA_ARGS__)
#define log_notice(...) log_line(LOG_NOTICE, __VA_ARGS__)
#define log_info(...) log_line(LOG_INFO, __VA_ARGS__)

#endif
