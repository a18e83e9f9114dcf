/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A log, a region and a truncator without its thread, on the disk in memory: what may be written
 * when is checked at each write.
 */
#ifndef SELFTESTS_LIB_GAME_H
#define SELFTESTS_LIB_GAME_H

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "kselftest_harness.h"

#include "dirty.h"
#include "increment.h"
#include "logfile.h"
#define truncate_log empty_log	/* the helper there, not the library's function */
#include "logtest.h"
#undef truncate_log
#include "region.h"
#include "track.h"
#include "truncate.h"

#define MOST 700
#define PAGES (SEG_SIZE / TRACK_PAGE_SIZE)

/* A region whose memory is what transactions that ended made of it, as a twin is. */
static const struct track_ops twin_ops = { .name = "twin" };

/*
 * struct game - a log, a region and a truncator without its thread
 * @memory: the committed state
 * @blocked: of each page: it has an uncommitted reference
 * @epochs: truncation is not by steps: what is blocked takes the log's bytes
 * @needed: of each page: end of the newest record whose bytes are in @memory
 * @copied: pages that were copied
 * @refused: pages that were not, for their references
 * @pause: what others do while the library waits
 */
static struct game {
	struct log *log;
	struct segment *segment;
	struct tracker tracker;
	struct region region;
	struct regions regions;
	struct truncator tr;
	unsigned char memory[SEG_SIZE];
	bool blocked[PAGES];
	bool epochs;
	uint64_t needed[PAGES];
	unsigned int wrong;
	uint64_t copied;
	uint64_t refused;
	void (*pause)(void);
} game;

static inline bool copy_pages(void *arg, struct region *region, const uint64_t *pages, size_t n,
			      char *to, bool *copied)
{
	size_t i;

	if (n > TRUNCATE_BATCH)
		abort();
	for (i = 0; i < n; i++) {
		if (copied[i])
			abort();	/* it is asked for again */
		copied[i] = !game.blocked[pages[i]];
		game.copied += copied[i];
		game.refused += !copied[i];
		if (copied[i])
			memcpy(to + i * TRACK_PAGE_SIZE,
			       game.memory + pages[i] * TRACK_PAGE_SIZE, TRACK_PAGE_SIZE);
	}
	return true;
}

static inline bool may_write(uint64_t page)
{
	if (game.blocked[page])
		return game.epochs;
	return game.needed[page] <= log_durable(game.log);
}

/*
 * The order checker: no page is written before its records are durable or while it is
 * referenced, and no status before the segment is synced.
 */
static inline ssize_t check_and_write(int fd, const struct iovec *iov, int count, uint64_t offset,
				      bool sync)
{
	struct mem_file *file = mem_file(fd), *segment = mem_find(SEG);
	uint64_t at;

	if (file == segment)
		for (at = offset; at < offset + iov[0].iov_len; at += TRACK_PAGE_SIZE)
			game.wrong += !may_write(at / TRACK_PAGE_SIZE);
	else if (offset < 8192)
		game.wrong += memcmp(segment->data, segment->stable, SEG_SIZE) != 0;
	return mem_pwritev(fd, iov, count, offset, sync);
}

static inline int start_game(uint64_t area, bool separate_syncs)
{
	int err;

	memset(&game, 0, sizeof(game));
	statistics_start();
	err = make_disk(area);
	mem.sync_writes = !separate_syncs;
	if (!err)
		err = open_log(0, &game.log);
	if (!err)
		err = segment_open(SEG, 0, &game.segment);
	if (err)
		return err;
	game.segment->id = 1;
	game.tracker.ops = &twin_ops;
	game.region.segment = game.segment;
	game.region.length = SEG_SIZE;
	game.region.tracker = &game.tracker;
	game.region.log = game.log;
	dirty_init(&game.region.dirty, SEG_SIZE / TRACK_PAGE_SIZE);
	pthread_rwlock_init(&game.regions.lock, NULL);
	game.regions.first = &game.region;
	game.regions.segments = game.segment;
	game.tr.log = game.log;
	game.tr.regions = &game.regions;
	game.tr.copy = copy_pages;
	os.pwritev = check_and_write;
	return 0;
}

static inline void end_game(void)
{
	os.pwritev = mem_pwritev;
	dirty_free(&game.region.dirty);
	segment_close(game.segment);
	log_close(game.log);
}

/* Commits transaction @number: note, append, make it the committed state. */
static inline int commit_number(uint64_t number, uint64_t *lsn)
{
	unsigned int i;
	struct tx tx;
	int err = 0;

	make_tx(&tx, number, MOST);
	for (i = 0; i < tx.count && !err; i++)
		err = region_note_dirty(&game.region, tx.ranges[i].offset / TRACK_PAGE_SIZE,
					(tx.ranges[i].offset + tx.ranges[i].length - 1) /
					TRACK_PAGE_SIZE);
	if (!err)
		err = log_append(game.log, number, tx.ranges, tx.count, lsn);
	for (i = 0; i < tx.count && !err; i++) {
		uint64_t at = tx.ranges[i].offset, end = at + tx.ranges[i].length;

		memcpy(game.memory + at, tx.data[i], tx.ranges[i].length);
		for (; at < end; at = (at / TRACK_PAGE_SIZE + 1) * TRACK_PAGE_SIZE)
			game.needed[at / TRACK_PAGE_SIZE] = *lsn;
	}
	return err;
}

/* Steps until one moves nothing. */
static inline int make_all_steps(void)
{
	bool moved = true;
	int err = 0;

	while (moved && !err)
		err = increment_step(&game.tr, &moved);
	return err;
}

static inline uint64_t head(void)
{
	struct log_state state;

	log_state(game.log, &state);
	return state.head;
}

/* What truncation came to, or -ENOMSG if one that failed moved the head, or left pages busy. */
static inline int unmoved(int err, uint64_t before)
{
	return game.region.busy.count || (err && head() != before) ? -ENOMSG : err;
}

/* For the library: who waits here for a blocked page waits for nobody. */
int nanosleep(const struct timespec *pause, struct timespec *left)
{
	if (game.pause)
		game.pause();
	return 0;
}

#endif
