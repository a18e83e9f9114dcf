/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The process's handlers of SIGSEGV and SIGBUS: they resolve, refuse or pass on a store.
 *
 * That of SIGBUS does nothing but to tell of a store that the module refused in a strict region,
 * before the default action.
 *
 * They are installed once and stay.  What they do not resolve goes where it
 * would have gone without them: to the handler that the program had installed
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
 *
 * Return: the verdict.
 */
typedef enum fault_verdict (*fault_fn)(void *addr, uint64_t ip);

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

/**
 * fault_install_bus() - install the handler of SIGBUS unless that is done already
 *
 * A program may replace it: then it is told, and nothing is printed.
 *
 * Return: 0, or a negative errno with a text.
 */
int fault_install_bus(void);

#endif
