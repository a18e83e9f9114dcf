// SPDX-License-Identifier: LGPL-2.1-or-later
/* The library's one instance, and what all public functions begin and end with. */
#include <pthread.h>

#include "instance.h"

struct instance rvm = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.layout = PTHREAD_MUTEX_INITIALIZER,
	.txs = TXS_INITIALIZER(&rvm.regions),
};

/* What an errno means wherever a function does not say otherwise. */
static const struct code common[] = {
	{ EIO, RVM_EIO }, { ENOENT, RVM_EIO }, { EUCLEAN, RVM_ELOG_DAMAGED },
	{ EPROTO, RVM_ELOG_VERSION_SKEW }, { ENAMETOOLONG, RVM_ENAME_TOO_LONG },
	{ ENOMEM, RVM_ENO_MEMORY }, { EMFILE, RVM_ENO_MEMORY }, { ENFILE, RVM_ENO_MEMORY },
	{ ENXIO, RVM_ENOT_MAPPED }, { EOVERFLOW, RVM_EOFFSET },
	{ EADDRINUSE, RVM_EOVERLAP }, { ERANGE, RVM_ERANGE }, { EFBIG, RVM_ETOO_BIG },
	{ EEXIST, RVM_ELOG }, { EOPNOTSUPP, RVM_ETRACKER }, { EACCES, RVM_EPERM },
	{ EPERM, RVM_EPERM }, { EROFS, RVM_EPERM }, { ENOSPC, RVM_ENO_SPACE },
	{ EDQUOT, RVM_ENO_SPACE }, { EDEADLK, RVM_ECONFLICT }, { EBUSY, RVM_ELOG_LOCKED },
	{ EINVAL, RVM_ELOG }, { ELOOP, RVM_EIO }, { EUSERS, RVM_EUNCOMMIT },
	{ EREMCHG, RVM_EFORGOTTEN },
	{ 0, RVM_EINTERNAL }
};

static rvm_return_t code_in(const struct code *m, int err)
{
	while (m->err && m->err != err)
		m++;
	return m->code;
}

rvm_return_t code_of(int err, const struct code *special)
{
	rvm_return_t code = 0;

	if (!err)
		return RVM_SUCCESS;
	if (special)
		code = code_in(special, -err);
	return code ? code : code_in(common, -err);
}

/*
 * The log is the parent's, and so are all locks and threads.  What is noted of transactions, as
 * how many threads wait to enter, stays as it was at the fork: no call of the child asks for it.
 */
static void begin_child(void)
{
	rvm.inherited |= rvm.up;
	rvm.up = false;
	pthread_mutex_init(&rvm.lock, NULL);
	pthread_mutex_init(&rvm.layout, NULL);
	pthread_mutex_init(&rvm.txs.lock, NULL);
	pthread_mutex_init(&rvm.txs.checks.lock, NULL);
}

void watch_forks(void)
{
	pthread_atfork(NULL, NULL, begin_child);
}

rvm_return_t refuse_child(void)
{
	return fail(RVM_EINIT, "a forked child must exec before it can use the library");
}

/* Every function but initialize starts here. */
rvm_return_t enter(void)
{
	err_clear();
	if (rvm.inherited)
		return refuse_child();
	if (!rvm.up)
		return fail(RVM_EINIT, "the library is not initialized: call rvm_initialize()");
	return RVM_SUCCESS;
}

rvm_return_t refuse_entry(void)
{
	rvm_return_t code = enter();

	return code ? code : fail(RVM_ELOG, "no log is open: set log_dev with rvm_set_options()");
}
