/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The words for bytes that were changed and not declared. */
#ifndef RVM_LIB_FORGOTTEN_H
#define RVM_LIB_FORGOTTEN_H

#include <rvm/rvm.h>

#define FORGOTTEN_SYMBOL	512	/* bytes of text */

/**
 * forgotten_symbol() - what is known of an instruction
 * @instruction: its address, or NULL
 * @text: FORGOTTEN_SYMBOL bytes
 *
 * Return: @text, as "transfer+0x2a (bank+0x1c2a)"; "" if nothing is known.
 */
const char *forgotten_symbol(const void *instruction, char *text);

/** forgotten_error() - note it as the text of an error for this thread */
void forgotten_error(const rvm_forgotten_t *forgotten);

#endif
