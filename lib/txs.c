// SPDX-License-Identifier: LGPL-2.1-or-later
/* The table of transactions: which there are, and who may look at what they declared. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "err.h"
#include "part.h"
#include "tx.h"

#define KEEP_BYTES	(1024 * 1024UL)	/* memory that an unused transaction may keep */
#define KEEP_TXS	4		/* unused transactions that a thread keeps to itself */
#define IDS		64		/* numbers that a thread takes at once */
#define PAUSE		20000		/* nanoseconds for those who wait for the gate to open */
#define TRIES		100		/* most of these before it is closed again */
#define CHAIN_LAST	254		/* 0 is nobody's, the last TRACK_WATCH_TID's */
#define TURNS		0x3fffffU	/* of tids, with TXS_CHAINS in each */

/**
 * struct cache - what a thread needs to begin transactions without a lock
 * @txs: the table
 * @unused: some of its unused transactions
 * @count: how many
 * @last_id: the number it gave last
 * @ids: how many more are its own
 * @kept: the thread's end empties the cache
 */
struct cache {
	struct txs *txs;
	struct tx *unused;
	unsigned int count;
	uint64_t last_id;
	unsigned int ids;
	bool kept;
};

static __thread struct cache cache;
static pthread_key_t cache_key;

/* A thread has ended; its unused transactions are for all. */
static void empty_cache(void *arg)
{
	struct cache *c = arg;
	struct tx *tx;

	c->kept = false;
	if (!c->unused)
		return;
	pthread_mutex_lock(&c->txs->lock);
	while ((tx = c->unused)) {
		c->unused = tx->next;
		tx->next = c->txs->unused;
		c->txs->unused = tx;
	}
	pthread_mutex_unlock(&c->txs->lock);
	c->count = 0;
}

static void make_key(void)
{
	if (pthread_key_create(&cache_key, empty_cache))
		abort();
}

static uint64_t new_id(struct txs *txs)
{
	if (!cache.ids) {
		cache.last_id = __atomic_fetch_add(&txs->last_id, IDS, __ATOMIC_RELAXED);
		cache.ids = IDS;
	}
	cache.ids--;
	return ++cache.last_id;
}

/* Called with the lock. */
static struct tx *new_tx(struct txs *txs)
{
	struct tx *tx = calloc(1, sizeof(*tx));

	if (!tx)
		return NULL;
	tx->next_of_all = txs->all;
	txs->all = tx;
	return tx;
}

static struct tx *from_all(struct txs *txs)
{
	struct tx *tx;

	pthread_mutex_lock(&txs->lock);
	tx = txs->unused;
	if (tx)
		txs->unused = tx->next;
	else
		tx = new_tx(txs);
	pthread_mutex_unlock(&txs->lock);
	return tx;
}

struct tx *txs_take(struct txs *txs)
{
	struct tx *tx = cache.unused;

	if (tx) {
		cache.unused = tx->next;
		cache.count--;
	} else {
		tx = from_all(txs);
	}
	if (tx)
		__atomic_store_n(&tx->id, new_id(txs), __ATOMIC_RELAXED);
	return tx;
}

static bool has_room(struct txs *txs)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	if (!cache.kept) {
		pthread_once(&once, make_key);
		cache.kept = !pthread_setspecific(cache_key, &cache);
		cache.txs = txs;
	}
	return cache.kept && cache.count < KEEP_TXS;
}

static void trim(struct tx *tx)
{
	tx->n_undo = 0;
	tx->n_bytes = 0;
	tx->n_ranges = 0;
	tx->n_tracked = 0;
	tx->n_declared = 0;
	tx->declared_bytes = 0;
	tx->checked = false;
	if (tx->max_bytes <= KEEP_BYTES && tx->max_ranges * sizeof(*tx->ranges) <= KEEP_BYTES &&
	    tx->max_undo * sizeof(*tx->undo) <= KEEP_BYTES)
		return;
	free(tx->undo);
	free(tx->bytes);
	free(tx->ranges);
	tx->undo = NULL;
	tx->bytes = NULL;
	tx->ranges = NULL;
	tx->max_undo = 0;
	tx->max_bytes = 0;
	tx->max_ranges = 0;
}

void txs_give(struct txs *txs, struct tx *tx)
{
	trim(tx);
	__atomic_store_n(&tx->id, 0, __ATOMIC_RELAXED);
	if (has_room(txs)) {
		tx->next = cache.unused;
		cache.unused = tx;
		cache.count++;
		return;
	}
	pthread_mutex_lock(&txs->lock);
	tx->next = txs->unused;
	txs->unused = tx;
	pthread_mutex_unlock(&txs->lock);
}

void txs_start(struct txs *txs)
{
	txs->gate.closed = !gate_prepare();
	txs->shared = txs->gate.closed;
}

/* Whoever closes the gate for a while holds the lock; shared parts keep it closed. */
bool txs_wait_to_enter(struct txs *txs, struct tx *tx)
{
	while (!__atomic_load_n(&txs->shared, __ATOMIC_ACQUIRE)) {
		__atomic_fetch_add(&txs->waiting, 1, __ATOMIC_RELAXED);
		pthread_mutex_lock(&txs->lock);
		__atomic_fetch_sub(&txs->waiting, 1, __ATOMIC_RELAXED);
		pthread_mutex_unlock(&txs->lock);
		if (gate_enter(&txs->gate, &tx->inside))
			return true;
	}
	return false;
}

/*
 * Who stops all again and again would have the lock before those who wait for it run.  The number
 * of tries is bounded, for a thread of low priority may not run for long.
 */
static void give_way(struct txs *txs)
{
	const struct timespec pause = { .tv_nsec = PAUSE };
	unsigned int tries = TRIES;

	while (__atomic_load_n(&txs->waiting, __ATOMIC_RELAXED) && tries--)
		nanosleep(&pause, NULL);
}

bool txs_stop(struct txs *txs)
{
	give_way(txs);
	pthread_mutex_lock(&txs->lock);
	if (txs->shared) {
		pthread_mutex_unlock(&txs->lock);
		return false;
	}
	gate_close(&txs->gate);
	for (struct tx *tx = txs->all; tx; tx = tx->next_of_all)
		gate_wait(&tx->inside);
	return true;
}

void txs_go(struct txs *txs)
{
	if (!txs->shared)
		gate_open(&txs->gate);
	pthread_mutex_unlock(&txs->lock);
}

void txs_share(struct txs *txs)
{
	if (__atomic_load_n(&txs->shared, __ATOMIC_ACQUIRE) || !txs_stop(txs))
		return;
	for (struct tx *tx = txs->all; tx; tx = tx->next_of_all)
		for (struct tx_part *part = tx->parts; part; part = part->next)
			part_share(part);
	__atomic_store_n(&txs->shared, true, __ATOMIC_RELEASE);
	txs_go(txs);
}

/* Spare parts remember their region; called with the gate closed. */
static bool forget_region(struct tx *tx, const struct region *region)
{
	struct tx_part *part;

	for (part = tx->spare; part; part = part->next)
		if (part->region == region)
			part->region = NULL;
	for (part = tx->parts; part; part = part->next)
		if (part->region == region)
			return true;
	return false;
}

bool txs_forget(struct txs *txs, const struct region *region)
{
	bool used = false;

	if (!txs_stop(txs))
		return false;
	for (struct tx *tx = txs->all; tx; tx = tx->next_of_all)
		used |= forget_region(tx, region);
	txs_go(txs);
	return used;
}

size_t txs_open(struct txs *txs, tx_fn *fn, void *arg)
{
	size_t n = 0;

	pthread_mutex_lock(&txs->lock);
	for (struct tx *tx = txs->all; tx; tx = tx->next_of_all) {
		uint64_t id = __atomic_load_n(&tx->id, __ATOMIC_RELAXED);

		if (!id)
			continue;
		n++;
		if (fn)
			fn(arg, tx, id);
	}
	pthread_mutex_unlock(&txs->lock);
	return n;
}

int txs_take_chain(struct txs *txs, struct tx *tx)
{
	uint32_t chain = 1;

	pthread_mutex_lock(&txs->lock);
	while (chain <= CHAIN_LAST && txs->chains[chain])
		chain++;
	if (chain <= CHAIN_LAST) {
		txs->chains[chain] = true;
		tx->chain = chain;
		tx->tid = txs->turn++ % TURNS * TXS_CHAINS + chain;
	}
	pthread_mutex_unlock(&txs->lock);
	if (tx->chain)
		return 0;
	return err_set(ENOMEM, "%d tracked transactions share regions already: no more can",
		       CHAIN_LAST);
}

void txs_give_chain(struct txs *txs, struct tx *tx)
{
	if (!tx->chain)
		return;
	pthread_mutex_lock(&txs->lock);
	txs->chains[tx->chain] = false;
	pthread_mutex_unlock(&txs->lock);
	tx->chain = 0;
}

static void free_memory(struct tx *tx)
{
	parts_free(tx->parts);
	parts_free(tx->spare);
	free(tx->undo);
	free(tx->tracked);
	free(tx->bytes);
	free(tx->ranges);
	tx->parts = NULL;
	tx->spare = NULL;
	tx->undo = NULL;
	tx->tracked = NULL;
	tx->bytes = NULL;
	tx->ranges = NULL;
	tx->watches = NULL;
	tx->max_undo = 0;
	tx->max_tracked = 0;
	tx->max_bytes = 0;
	tx->max_ranges = 0;
	tx->chain = 0;
}

/* The transactions themselves stay, so that their handles are stale for good. */
void txs_end(struct txs *txs)
{
	pthread_mutex_lock(&txs->lock);
	for (struct tx *tx = txs->all; tx; tx = tx->next_of_all) {
		free_memory(tx);
		if (!tx->id)
			continue;
		trim(tx);
		__atomic_store_n(&tx->id, 0, __ATOMIC_RELAXED);
		tx->next = txs->unused;
		txs->unused = tx;
	}
	txs->checks.open = 0;
	memset(txs->chains, 0, sizeof(txs->chains));
	pthread_mutex_unlock(&txs->lock);
}
