/* SPDX-License-Identifier: GPL-2.0 */
/* A running bank whose lines the oracle reads until it kills it. */
#ifndef SELFTESTS_DEMO_VICTIM_H
#define SELFTESTS_DEMO_VICTIM_H

#include <stdio.h>
#include <sys/types.h>

#include "ledger.h"

/**
 * struct victim - a bank that is about to die
 * @pid: the process
 * @fd: what it prints
 * @used: bytes in @buffer that are not a whole line yet
 * @buffer: what it printed
 */
struct victim {
	pid_t pid;
	int fd;
	size_t used;
	char buffer[65536];
};

/**
 * victim_start() - start a bank
 * @victim: filled in
 * @argv: its command line
 *
 * Return: 0 or a negative errno.
 */
int victim_start(struct victim *victim, char *const *argv);

/**
 * victim_listen() - enter in the ledger what the bank tells, for some time
 * @victim: a bank that was started
 * @ledger: the book
 * @us: microseconds; -1: until its first line, which must come within a minute
 *
 * Return: true, or false with a fault noted: a bank that ends by itself is one.
 */
bool victim_listen(struct victim *victim, struct ledger *ledger, long us);

/**
 * victim_kill() - SIGKILL, then enter what it still had told
 * @victim: a bank that was started
 * @ledger: the book
 *
 * Return: true, or false with a fault noted.
 */
bool victim_kill(struct victim *victim, struct ledger *ledger);

#endif
