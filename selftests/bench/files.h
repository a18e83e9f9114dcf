/* SPDX-License-Identifier: GPL-2.0 */
/* The files of a trial: log, segment, others. */
#ifndef SELFTESTS_BENCH_FILES_H
#define SELFTESTS_BENCH_FILES_H

#include <limits.h>
#include <stddef.h>

#include "trial.h"

/** files_path() - the path of a trial's file */
void files_path(const struct setting *setting, const char *name, char path[PATH_MAX]);

/** files_create() - make a file, write all of it once; Return: a descriptor, open with @flags */
int files_create(const struct setting *setting, const char *name, size_t length, int flags);

/** files_forget() - have the page cache forget a file */
void files_forget(int fd);

/**
 * files_initialize() - initialize the library on a trial's log, which is made if it is missing
 * @setting: the trial
 * @truncate: percent, as in rvm_options_t
 */
void files_initialize(const struct setting *setting, long truncate);

/** files_open() - initialize, and map an array of accounts that is in memory already */
char *files_open(const struct setting *setting, long truncate);

/** files_settle() - wait until the disk has what making and removing files left to it */
void files_settle(const struct setting *setting);

#endif
