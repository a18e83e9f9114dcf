// SPDX-License-Identifier: GPL-2.0
/* Trials of the rate of transactions: with this library, and with stores and copies alone. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "clock.h"
#include "files.h"
#include "rate.h"
#include "scratch.h"

#define RING		(1UL << 20)	/* where copies go */

uint64_t rate_measure(const struct setting *setting, transact_fn *fn, char *base,
		      void (*finish)(void), struct outcome *outcome)
{
	uint64_t written, start, cpu, done;

	files_settle(setting);
	written = scratch_written();
	start = clock_ns();
	cpu = clock_cpu_ns();
	tellers_start(setting, base, fn);
	done = tellers_end(start + setting->ms * 1000000UL);
	if (finish)
		check("rvm_flush", rvm_flush());
	outcome->rate = done / ((clock_ns() - start) / 1e9);
	outcome->core_rate = done / ((clock_cpu_ns() - cpu) / 1e9);
	if (finish)
		finish();
	outcome->disk_bytes = (double)(scratch_written() - written) / done;
	return done;
}

char *rate_memory(const struct setting *setting)
{
	char *base = mmap(NULL, setting->array, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (base == MAP_FAILED)
		die("mmap", strerror(errno));
	return base;
}

/* Old values to one place, new ones to another. */
static void copy_and_change(struct teller *teller)
{
	static __thread char old[TPCA_BYTES], ring[RING];
	static __thread size_t place;
	char *at[TPCA_RANGES];
	unsigned int i;
	size_t used;

	tpca_choose(teller, at);
	for (i = 0, used = 0; i < TPCA_RANGES; used += tpca_length(i), i++)
		memcpy(old + used, at[i], tpca_length(i));
	for (i = 0; i < TPCA_RANGES; i++)
		tpca_store(teller, at[i], tpca_length(i));
	if (place + TPCA_RECORD > RING)
		place = 0;
	for (i = 0, used = 64; i < TPCA_RANGES; used += tpca_length(i) + 16, i++)
		memcpy(ring + place + used, at[i], tpca_length(i));
	place += TPCA_RECORD;
	/* both are read by nobody: the compiler must not find out */
	__asm__ volatile("" : : "r"(old), "r"(ring) : "memory");
}

void trial_stores(const struct setting *setting, struct outcome *outcome)
{
	rate_measure(setting, tpca_change, rate_memory(setting), NULL, outcome);
}

void trial_copies(const struct setting *setting, struct outcome *outcome)
{
	rate_measure(setting, copy_and_change, rate_memory(setting), NULL, outcome);
}

static rvm_mode_t mode_end;

static void commit_restore(struct teller *teller)
{
	tpca_commit(teller, restore, mode_end);
}

static void commit_no_restore(struct teller *teller)
{
	tpca_commit(teller, no_restore, mode_end);
}

static void truncate_all(void)
{
	check("rvm_truncate", rvm_truncate());
}

static void measure_library(const struct setting *setting, transact_fn *fn,
			    struct outcome *outcome)
{
	rvm_log_info_t before, after;
	uint64_t done;
	char *base;

	mode_end = setting->flush ? flush : no_flush;
	base = files_open(setting, 50);
	check("rvm_query_log", rvm_query_log(&before));
	done = rate_measure(setting, fn, base, truncate_all, outcome);
	check("rvm_query_log", rvm_query_log(&after));
	outcome->log_bytes = (double)(after.tail - before.tail) / done;
}

void trial_restore(const struct setting *setting, struct outcome *outcome)
{
	measure_library(setting, commit_restore, outcome);
}

void trial_no_restore(const struct setting *setting, struct outcome *outcome)
{
	measure_library(setting, commit_no_restore, outcome);
}
