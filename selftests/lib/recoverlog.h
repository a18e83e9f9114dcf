/* SPDX-License-Identifier: GPL-2.0 */
/* Recovery of a log that nobody has open. */
#ifndef SELFTESTS_LIB_RECOVERLOG_H
#define SELFTESTS_LIB_RECOVERLOG_H

#include "log.h"
#include "recover.h"

/* Opens a log, recovers it and closes it; the first error. */
static inline int recover_closed(const char *path)
{
	struct log *log;
	int err;

	err = log_open(path, 0, false, &log);
	if (err)
		return err;
	err = recover_log(log, NULL, NULL, NULL);
	if (err)
		log_close(log);
	else
		err = log_close(log);
	return err;
}

#endif
