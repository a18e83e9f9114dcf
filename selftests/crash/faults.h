/* SPDX-License-Identifier: GPL-2.0 */
/* Recovery of the disk in memory, with crashes and errors at each of its calls. */
#ifndef SELFTESTS_CRASH_FAULTS_H
#define SELFTESTS_CRASH_FAULTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FAULTS_FAILED	((uint64_t)-1)	/* no hash */

/**
 * faults_recover() - recover the disk
 * @text: filled in if that fails
 * @room: bytes of it
 *
 * Return: the hash of what the segments hold then, see script_hash(); or FAULTS_FAILED.
 */
uint64_t faults_recover(char *text, size_t room);

/**
 * faults_check() - recover the disk over and over, with a fault at each call, and a second one
 * @states: hashes of what may come of it
 * @count: how many
 * @faults: counts the recoveries
 * @text: filled in if anything else comes of it
 * @room: bytes of it
 */
bool faults_check(const uint64_t *states, unsigned int count, uint64_t *faults, char *text,
		  size_t room);

#endif
