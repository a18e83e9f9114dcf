/* SPDX-License-Identifier: GPL-2.0 */
/* A visit to the bank: open it in a process of its own, which recovers it first. */
#ifndef SELFTESTS_DEMO_VISIT_H
#define SELFTESTS_DEMO_VISIT_H

#include <rvm/rvm.h>

#include "ledger.h"

/**
 * struct site - where a bank is
 * @log: path of its log
 * @segment: path of its segment
 * @tracker: RVM_TRACK_* flag to map it with, 0 for the best
 */
struct site {
	char *log;
	char *segment;
	unsigned long tracker;
};

/**
 * visit_open() - initialize the library, which recovers, and map the bank
 * @site: where it is
 * @region: filled in
 * @ledger: notes the fault
 *
 * Return: the bank, or NULL with a fault noted.
 */
struct bank *visit_open(const struct site *site, rvm_region_t *region, struct ledger *ledger);

/**
 * visit() - recover the bank in a child process and do something there
 * @site: where it is
 * @ledger: passed to @fn, notes faults
 * @fn: called with the bank; false is a fault
 * @arg: passed to @fn
 *
 * Return: true, or false with a fault noted.
 */
bool visit(const struct site *site, struct ledger *ledger,
	   bool (*fn)(struct bank *bank, struct ledger *ledger, void *arg), void *arg);

#endif
