// SPDX-License-Identifier: LGPL-2.1-or-later
/* Durable tickets: durable, wait_durable, durable_fd. */
#include <time.h>

#include "instance.h"
#include "log.h"

/* What an errno means of a ticket. */
static const struct code waiting[] = {
	{ ETIMEDOUT, RVM_ETIMEOUT }, { EINVAL, RVM_ELSN },
	{ 0, 0 }
};

rvm_bool_t rvm_durable(rvm_lsn_t lsn)
{
	return !enter_log() && log_durable(rvm.log) >= lsn ? rvm_true : rvm_false;
}

static int wait_until(rvm_lsn_t lsn, long ms)
{
	struct timespec deadline;

	clock_gettime(CLOCK_MONOTONIC, &deadline);
	deadline.tv_sec += ms / 1000;
	deadline.tv_nsec += ms % 1000 * 1000000;
	if (deadline.tv_nsec >= 1000000000) {
		deadline.tv_sec++;
		deadline.tv_nsec -= 1000000000;
	}
	return log_wait(rvm.log, lsn, &deadline);
}

rvm_return_t rvm_wait_durable(rvm_lsn_t lsn, long timeout)
{
	rvm_return_t code = enter_log();

	if (code)
		return code;
	return code_of(timeout < 0 ? log_flush(rvm.log, lsn) : wait_until(lsn, timeout), waiting);
}

rvm_return_t rvm_durable_fd(int *fd)
{
	rvm_return_t code = enter_log();

	if (code)
		return code;
	if (!fd)
		return fail(RVM_EOPTIONS, "no room for the answer: fd is NULL");
	return log_event_fd(rvm.log, fd) ? RVM_ENO_MEMORY : RVM_SUCCESS;
}
