/* SPDX-License-Identifier: GPL-2.0 */
/* Where a worker works, and how it is started and waited for. */
#ifndef SELFTESTS_CRASH_PLACE_H
#define SELFTESTS_CRASH_PLACE_H

#include "worker.h"

/**
 * struct place - a worker and its files
 * @worker: the worker, with the best tracker here and the module's in the VM
 * @slowness: how much longer it may take here
 * @dir: a directory of its own
 * @log: path in it
 * @segment: path in it
 */
struct place {
	struct worker worker;
	unsigned int slowness;
	char dir[64];
	char log[80];
	char segment[80];
};

/**
 * place_make() - a directory in TMPDIR, and a worker that commits explicitly and flushes
 * @place: filled in
 *
 * Return: false if the machine, not the library, is at fault.
 */
bool place_make(struct place *place);

/** place_remove() - remove it all; after a fault the files stay for who looks for its cause */
void place_remove(struct place *place);

/** place_start() - fork the worker; Return: its pid */
pid_t place_start(struct place *place);

/** place_finish() - wait for a worker's end; Return: its status as of waitpid(2) */
int place_finish(pid_t pid);

/** place_random() - a random number below @limit that no seed repeats */
unsigned long place_random(unsigned long limit);

/** place_pause() - sleep so many microseconds */
void place_pause(unsigned long us);

#endif
