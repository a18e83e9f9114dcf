// SPDX-License-Identifier: LGPL-2.1-or-later
/* A lock that a signal handler may take. */
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "siglock.h"

void siglock_take(struct siglock *lock)
{
	int state = 0;

	if (__atomic_compare_exchange_n(&lock->state, &state, 1, false, __ATOMIC_ACQUIRE,
					__ATOMIC_RELAXED))
		return;
	while (__atomic_exchange_n(&lock->state, 2, __ATOMIC_ACQUIRE))
		syscall(SYS_futex, &lock->state, FUTEX_WAIT_PRIVATE, 2, NULL, NULL, 0);
}

void siglock_give(struct siglock *lock)
{
	if (__atomic_exchange_n(&lock->state, 0, __ATOMIC_RELEASE) == 2)
		syscall(SYS_futex, &lock->state, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

void siglock_block(struct siglock *lock, sigset_t *saved)
{
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, saved);
	siglock_take(lock);
}

void siglock_unblock(struct siglock *lock, const sigset_t *saved)
{
	siglock_give(lock);
	pthread_sigmask(SIG_SETMASK, saved, NULL);
}
