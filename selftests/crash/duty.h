/* SPDX-License-Identifier: GPL-2.0 */
/* What each of several workers in the VM does: kinds of transactions, of commits, of truncation. */
#ifndef SELFTESTS_CRASH_DUTY_H
#define SELFTESTS_CRASH_DUTY_H

#include "worker.h"

#define DUTIES	4	/* different ones */

/**
 * duty_give() - say to a worker what it does, with the module as tracker
 * @worker: everything is filled in but its paths and its oracle
 * @number: of the duty, from 0; those from DUTIES on repeat the first ones
 * @log_bytes: record space of the log, if it is made
 *
 * Return: true, or false without memory.
 */
bool duty_give(struct worker *worker, unsigned int number, unsigned long log_bytes);

/**
 * duty_recover() - have workers recover and judge what is there, beside each other
 * @workers: their duties and oracles are those of who left it
 * @count: how many
 *
 * Return: NULL, or one that failed, with the reason in its state.
 */
const struct worker *duty_recover(struct worker *workers, unsigned int count);

#endif
