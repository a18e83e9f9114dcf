/* SPDX-License-Identifier: GPL-2.0 */
/* A transaction held open, and the proof that the segment has nothing of it. */
#ifndef SELFTESTS_DEMO_HOLD_H
#define SELFTESTS_DEMO_HOLD_H

#include "visit.h"

/**
 * hold_open() - hold a transaction open, try everything to have it written, look, kill it
 * @site: a bank that nobody has open
 * @ledger: the book; notes faults
 * @looks: counts how often the segment was read
 *
 * First proves, with a marker that does commit, that it would be found.
 *
 * Return: true, or false with a fault noted.
 */
bool hold_open(const struct site *site, struct ledger *ledger, unsigned int *looks);

#endif
