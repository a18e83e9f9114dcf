/* SPDX-License-Identifier: GPL-2.0 */
/* A directory for the files of a measurement, and what the process wrote to disks. */
#ifndef SELFTESTS_BENCH_SCRATCH_H
#define SELFTESTS_BENCH_SCRATCH_H

#include <limits.h>
#include <stdint.h>

/** scratch_make() - make a directory of its own in @dir; @path is filled in */
void scratch_make(const char *dir, char path[PATH_MAX]);

/** scratch_empty() - remove all files of a directory */
void scratch_empty(const char *path);

/** scratch_remove() - remove a directory and all files in it */
void scratch_remove(const char *path);

/** scratch_written() - bytes that this process had written to disks; 0 where nobody counts */
uint64_t scratch_written(void);

#endif
