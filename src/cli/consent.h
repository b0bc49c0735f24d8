/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/consent.h - what enabling a product means, in words, and the question
 */
#ifndef CLI_CONSENT_H
#define CLI_CONSENT_H

/* Prints what the product will see and may do, from its manifest. etc null:
 * /etc/bailey. Negative after saying why: no manifest, or a bad one. */
int consent_show(const char *name, const char *etc)
	__attribute__((warn_unused_result));
/* Asks on the terminal. 0 agreed, -ECANCELED not. */
int consent_ask(const char *name) __attribute__((warn_unused_result));

#endif
