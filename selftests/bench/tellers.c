// SPDX-License-Identifier: GPL-2.0
/* Threads that make transactions for some time. */
#include <pthread.h>

#include "clock.h"
#include "tellers.h"

#define CLOCK_EVERY	16	/* transactions between two looks at the clock */

static struct {
	struct teller teller[TELLERS_MAX];
	pthread_t thread[TELLERS_MAX];
	unsigned int count;
	transact_fn *transact;
	uint64_t end_ns;
} tellers;

static void *act(void *arg)
{
	struct teller *teller = arg;

	do {
		tellers.transact(teller);
		__atomic_store_n(&teller->done, teller->done + 1, __ATOMIC_RELAXED);
	} while (teller->done % CLOCK_EVERY ||
		 clock_ns() < __atomic_load_n(&tellers.end_ns, __ATOMIC_RELAXED));
	return NULL;
}

void tellers_start(const struct setting *setting, char *base, transact_fn *fn)
{
	unsigned int i;

	tellers.transact = fn;
	tellers.end_ns = UINT64_MAX;
	tellers.count = setting->threads;
	for (i = 0; i < tellers.count; i++) {
		tellers.teller[i] = (struct teller){
			.base = base, .size = setting->array, .id = i,
			.threads = tellers.count, .random = clock_ns() * 2 + 1,
		};
		if (pthread_create(&tellers.thread[i], NULL, act, &tellers.teller[i]))
			die("pthread_create", "no thread");
	}
}

uint64_t tellers_done(void)
{
	uint64_t done = 0;
	unsigned int i;

	for (i = 0; i < tellers.count; i++)
		done += __atomic_load_n(&tellers.teller[i].done, __ATOMIC_RELAXED);
	return done;
}

uint64_t tellers_end(uint64_t end_ns)
{
	unsigned int i;

	__atomic_store_n(&tellers.end_ns, end_ns, __ATOMIC_RELAXED);
	for (i = 0; i < tellers.count; i++)
		pthread_join(tellers.thread[i], NULL);
	return tellers_done();
}
