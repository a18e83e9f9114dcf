// SPDX-License-Identifier: GPL-2.0
/*
 * A log that is nothing but a file: one thread at a time writes for all that wait.  Or each thread
 * writes for itself, in no order at all.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "files.h"
#include "rate.h"

#define APPENDED	(32UL << 20)	/* bytes of the file */
#define GROUP_MAX	(TELLERS_MAX * 1024UL)
#define SECTOR		512UL

static struct {
	pthread_mutex_t lock;
	pthread_cond_t written;
	int fd;
	bool direct;
	bool leading;
	uint64_t appended;	/* records */
	uint64_t durable;
	size_t place;
	char *buffer;
} file = { .lock = PTHREAD_MUTEX_INITIALIZER, .written = PTHREAD_COND_INITIALIZER };

static void write_group(uint64_t records)
{
	size_t length = records * TPCA_RECORD;

	if (file.direct)
		length = (length + SECTOR - 1) & -SECTOR;
	if (file.place + length > APPENDED)
		file.place = 0;
	if (pwrite(file.fd, file.buffer, length, file.place) != (ssize_t)length ||
	    (!file.direct && fdatasync(file.fd)))
		die("append", strerror(errno));
	file.place += length;
}

static void append(struct teller *teller)
{
	uint64_t mine, group;

	tpca_change(teller);
	pthread_mutex_lock(&file.lock);
	mine = ++file.appended;
	while (file.durable < mine) {
		if (file.leading) {
			pthread_cond_wait(&file.written, &file.lock);
			continue;
		}
		file.leading = true;
		group = file.appended;
		pthread_mutex_unlock(&file.lock);
		write_group(group - file.durable);
		pthread_mutex_lock(&file.lock);
		file.durable = group;
		file.leading = false;
		pthread_cond_broadcast(&file.written);
	}
	pthread_mutex_unlock(&file.lock);
}

/* Each thread writes its own part of the file: all their writes are on their way at once. */
static void append_alone(struct teller *teller)
{
	size_t length = (TPCA_RECORD + SECTOR - 1) & -SECTOR;
	size_t part = (APPENDED / teller->threads) & -SECTOR;
	size_t place = teller->done * length % (part - part % length);

	tpca_change(teller);
	if (pwrite(file.fd, file.buffer, length, teller->id * part + place) != (ssize_t)length)
		die("append", strerror(errno));
}

static void measure(const struct setting *setting, int flags, transact_fn *fn,
		    struct outcome *outcome)
{
	file.fd = files_create(setting, "limit", APPENDED, flags);
	file.direct = flags;
	file.buffer = aligned_alloc(4096, GROUP_MAX);
	if (!file.buffer)
		die("append", "no memory");
	memset(file.buffer, 0x5a, GROUP_MAX);
	rate_measure(setting, fn, rate_memory(setting), NULL, outcome);
}

void trial_append(const struct setting *setting, struct outcome *outcome)
{
	measure(setting, 0, append, outcome);
}

void trial_direct(const struct setting *setting, struct outcome *outcome)
{
	measure(setting, O_DIRECT | O_DSYNC, append, outcome);
}

void trial_beside(const struct setting *setting, struct outcome *outcome)
{
	measure(setting, O_DIRECT | O_DSYNC, append_alone, outcome);
}
