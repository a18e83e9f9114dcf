// SPDX-License-Identifier: LGPL-2.1-or-later
/* A gate that many threads pass all the time, and that somebody closes once in a long while. */
#include <linux/membarrier.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "gate.h"

#define LOOKS	200	/* before the first pause: mostly somebody is inside for less */
#define PAUSE	20000	/* nanoseconds */

static int membarrier(int cmd)
{
	return syscall(SYS_membarrier, cmd, 0, 0);
}

bool gate_prepare(void)
{
	return !membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED);
}

void gate_close(struct gate *gate)
{
	__atomic_store_n(&gate->closed, true, __ATOMIC_SEQ_CST);
	if (membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED))
		abort();
}

/* A pause, not a yield: who is inside may have a lower priority and the same processor. */
void gate_wait(const bool *inside)
{
	const struct timespec pause = { .tv_nsec = PAUSE };
	unsigned int looks = LOOKS;

	while (looks && __atomic_load_n(inside, __ATOMIC_ACQUIRE))
		looks--;
	while (__atomic_load_n(inside, __ATOMIC_ACQUIRE))
		nanosleep(&pause, NULL);
}

void gate_open(struct gate *gate)
{
	__atomic_store_n(&gate->closed, false, __ATOMIC_RELEASE);
}
