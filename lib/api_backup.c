// SPDX-License-Identifier: LGPL-2.1-or-later
/* Backup: rvm_backup. */
#include <pthread.h>

#include "backup.h"
#include "instance.h"

/* What an errno means in rvm_backup(). */
static const struct code backing_up[] = {
	{ EEXIST, RVM_EOPTIONS }, { ENOTDIR, RVM_EIO }, { EINVAL, RVM_EIO }, { ENODATA, RVM_EIO },
	{ EFBIG, RVM_ENO_SPACE },
	{ 0, 0 }
};

rvm_return_t rvm_backup(const char *dir, rvm_progress_t progress, void *arg)
{
	rvm_return_t code = enter_log();
	struct backup_stats stats;
	struct backup_source source;

	if (code)
		return code;
	if (!dir || !*dir)
		return fail(RVM_EOPTIONS, "no directory is named for the backup");
	source = (struct backup_source){
		.log = rvm.log,
		.regions = &rvm.regions,
		.progress = progress,
		.arg = arg,
	};
	pthread_mutex_lock(&rvm.layout);
	code = code_of(backup_make(&source, dir, &stats), backing_up);
	pthread_mutex_unlock(&rvm.layout);
	return code;
}
