/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The process's SIGSEGV handler: it resolves, refuses or passes on a store.
 *
 * It is installed once and stays.  What it does not resolve goes where it
 * would have gone without it: to the handler that the program had installed
 * before, or to the default action.
 */
#ifndef RVM_LIB_FAULT_H
#define RVM_LIB_FAULT_H

#include <stdint.h>

/**
 * enum fault_verdict - what becomes of a store to an address that refuses it
 * @FAULT_FOREIGN: pass it on
 * @FAULT_RESOLVED: try it again
 * @FAULT_REFUSED: the thread gets SIGBUS
 */
enum fault_verdict {
	FAULT_FOREIGN,
	FAULT_RESOLVED,
	FAULT_REFUSED,
};

/**
 * typedef fault_fn - judges a store; runs with all signals blocked
 * @addr: the address
 * @ip: the instruction
 * @offset: for FAULT_REFUSED, its offset in the region
 *
 * Return: the verdict.
 */
typedef enum fault_verdict (*fault_fn)(void *addr, uint64_t ip, uint64_t *offset);

/**
 * fault_check() - is SIGSEGV ours or still to be had?
 *
 * Return: 0; -EBUSY the program replaced the handler; with a text.
 */
int fault_check(void);

/**
 * fault_install() - install the handler unless that is done already
 * @fn: judges stores, always the same function
 *
 * Return: 0; -EBUSY the program replaced the handler; with a text.
 */
int fault_install(fault_fn fn);

#endif
