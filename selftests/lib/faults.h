/* SPDX-License-Identifier: GPL-2.0 */
/* What the suites of faults share: stores that raise a signal, and children that die of one. */
#ifndef SELFTESTS_LIB_FAULTS_H
#define SELFTESTS_LIB_FAULTS_H

#include "test_track.h"

#include <setjmp.h>

#define REGION_PAGES	16

static sigjmp_buf jump;
static volatile int caught;
static void *volatile caught_addr;
static volatile int caught_code;
static sigset_t caught_mask;

static inline void jump_out(int sig, siginfo_t *info, void *context)
{
	caught = sig;
	caught_addr = info->si_addr;
	caught_code = info->si_code;
	pthread_sigmask(SIG_SETMASK, NULL, &caught_mask);
	siglongjmp(jump, 1);
}

static inline void exit_99(int sig)
{
	_exit(99);
}

static inline void catch(int sig, int flags)
{
	struct sigaction action = { .sa_sigaction = jump_out, .sa_flags = SA_SIGINFO | flags };

	sigaddset(&action.sa_mask, SIGUSR1);
	sigaction(sig, &action, NULL);
}

/* Store; the signal that it raised, 0 for none. */
static inline int try_store(char *at)
{
	caught = 0;
	if (!sigsetjmp(jump, 1))
		*(volatile char *)at = 1;
	return caught;
}

/* What one child does, so that its death is seen. */
static inline int status_of(void (*fn)(void *arg), void *arg)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		fn(arg);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	return status;
}

#endif
