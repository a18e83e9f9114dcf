// SPDX-License-Identifier: GPL-2.0
/* The gate: nobody is inside while it is closed, and what was done inside is seen then. */
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "gate.h"
#include "kselftest_harness.h"
#include "tx.h"

#define PASSERS	3
#define CLOSES	20000
#define COLD	(8 * 1024 * 1024)	/* more than caches hold */
#define STORES	24

struct passer {
	struct gate *gate;
	bool inside;
	bool busy;
	bool stop;
	unsigned long done;
	char *cold;
	pthread_t thread;
};

static char cold[PASSERS][COLD];

/* Stores that take their time, so that the one of gate_enter() is made late. */
static void store_slowly(char *mem, uint32_t *state)
{
	unsigned int i;

	for (i = 0; i < STORES; i++) {
		*state = *state * 1664525 + 1013904223;
		mem[*state % COLD] = 1;
	}
}

/* Nothing but the gate keeps the closer from seeing the middle of it. */
static void *pass(void *arg)
{
	struct passer *p = arg;
	uint32_t state = 1;

	while (!__atomic_load_n(&p->stop, __ATOMIC_RELAXED)) {
		store_slowly(p->cold, &state);
		if (!gate_enter(p->gate, &p->inside))
			continue;
		__atomic_store_n(&p->busy, true, __ATOMIC_RELAXED);
		__atomic_store_n(&p->done, p->done + 1, __ATOMIC_RELAXED);
		__atomic_store_n(&p->busy, false, __ATOMIC_RELAXED);
		gate_leave(&p->inside);
	}
	return NULL;
}

/* Counts how often somebody was inside a closed gate, or came in while it was closed. */
static unsigned int close_and_look(struct gate *gate, struct passer *p)
{
	unsigned long done[PASSERS];
	unsigned int i, again, wrong = 0;

	gate_close(gate);
	for (i = 0; i < PASSERS; i++)
		gate_wait(&p[i].inside);
	for (i = 0; i < PASSERS; i++)
		done[i] = __atomic_load_n(&p[i].done, __ATOMIC_RELAXED);
	for (again = 0; again < 50; again++)
		for (i = 0; i < PASSERS; i++)
			wrong += __atomic_load_n(&p[i].busy, __ATOMIC_RELAXED) ||
				 done[i] != __atomic_load_n(&p[i].done, __ATOMIC_RELAXED);
	gate_open(gate);
	return wrong;
}

static unsigned long passed(struct passer *p)
{
	unsigned long sum = 0;
	unsigned int i;

	for (i = 0; i < PASSERS; i++)
		sum += __atomic_load_n(&p[i].done, __ATOMIC_RELAXED);
	return sum;
}

TEST(nobody_is_inside_a_closed_gate)
{
	struct gate gate = { .closed = false };
	struct passer p[PASSERS] = { 0 };
	unsigned int i, closes, wrong = 0;
	unsigned long before;

	ASSERT_TRUE(gate_prepare());
	for (i = 0; i < PASSERS; i++) {
		p[i].gate = &gate;
		p[i].cold = cold[i];
		ASSERT_EQ(0, pthread_create(&p[i].thread, NULL, pass, &p[i]));
	}
	for (closes = 0; closes < CLOSES; closes++) {
		for (before = passed(p); before == passed(p);)
			;
		wrong += close_and_look(&gate, p);
	}
	for (i = 0; i < PASSERS; i++)
		__atomic_store_n(&p[i].stop, true, __ATOMIC_RELAXED);
	for (i = 0; i < PASSERS; i++)
		ASSERT_EQ(0, pthread_join(p[i].thread, NULL));
	EXPECT_EQ(0, wrong);
}

TEST(a_closed_gate_refuses_and_lets_nobody_be_inside)
{
	struct gate gate = { .closed = false };
	bool inside = false;

	ASSERT_TRUE(gate_prepare());
	EXPECT_TRUE(gate_enter(&gate, &inside));
	EXPECT_TRUE(inside);
	gate_leave(&inside);
	gate_close(&gate);
	EXPECT_FALSE(gate_enter(&gate, &inside));
	EXPECT_FALSE(inside);
	gate_wait(&inside);
	gate_open(&gate);
	EXPECT_TRUE(gate_enter(&gate, &inside));
}

#define WAITS	100
#define OVERTAKES 50	/* of one who waits: it may not run for long */

/* struct stops - transactions that are stopped again and again, and a thread that has one */
struct stops {
	struct txs txs;
	unsigned int waits;
	unsigned long overtaken;
};

static unsigned int waits(struct stops *s)
{
	return __atomic_load_n(&s->waits, __ATOMIC_ACQUIRE);
}

static bool somebody_waits(struct stops *s)
{
	return __atomic_load_n(&s->txs.waiting, __ATOMIC_RELAXED);
}

static void *enter_often(void *arg)
{
	struct stops *s = arg;
	struct tx *tx = txs_take(&s->txs);

	while (tx && waits(s) < WAITS) {
		if (!gate_enter(&s->txs.gate, &tx->inside)) {
			txs_wait_to_enter(&s->txs, tx);
			__atomic_fetch_add(&s->waits, 1, __ATOMIC_RELEASE);
		}
		gate_leave(&tx->inside);
	}
	return tx;
}

/* As truncation does it, which copies pages meanwhile; counts if who waited still does. */
static void stop_once(struct stops *s)
{
	bool waited = somebody_waits(s);
	unsigned int before = waits(s);

	txs_stop(&s->txs);
	s->overtaken += waited && somebody_waits(s) && waits(s) == before;
	memset(cold[0], 1, 32 * 4096);
	txs_go(&s->txs);
}

TEST(who_waits_enters_before_all_are_stopped_again)
{
	static struct stops s = { .txs = TXS_INITIALIZER(NULL) };
	pthread_t thread;
	void *tx;

	txs_start(&s.txs);
	ASSERT_FALSE(s.txs.shared);
	ASSERT_EQ(0, pthread_create(&thread, NULL, enter_often, &s));
	while (waits(&s) < WAITS)
		stop_once(&s);
	ASSERT_EQ(0, pthread_join(thread, &tx));
	ASSERT_NE(NULL, tx);
	TH_LOG("%lu times overtaken in %d waits", s.overtaken, WAITS);
	EXPECT_LT(s.overtaken, OVERTAKES * WAITS);
}

TEST_HARNESS_MAIN
