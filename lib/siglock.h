/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A lock that a signal handler may take.
 *
 * Whoever takes it elsewhere has all signals blocked, and stores to no region meanwhile.
 */
#ifndef RVM_LIB_SIGLOCK_H
#define RVM_LIB_SIGLOCK_H

#include <signal.h>

/**
 * struct siglock - the lock; all 0 is free
 * @state: 0 free, 1 taken, 2 taken and waited for
 */
struct siglock {
	int state;
};

/** siglock_take() - take it, in a handler that runs with all signals blocked */
void siglock_take(struct siglock *lock);

/** siglock_give() - after siglock_take() */
void siglock_give(struct siglock *lock);

/** siglock_block() - block all signals, and take it; @saved is filled for siglock_unblock() */
void siglock_block(struct siglock *lock, sigset_t *saved);

/** siglock_unblock() - after siglock_block() */
void siglock_unblock(struct siglock *lock, const sigset_t *saved);

#endif
