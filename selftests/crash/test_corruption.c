// SPDX-License-Identifier: GPL-2.0
/*
 * Logs that were damaged by something else than a crash: no bit of them is believed silently.
 *
 * A log of 64 KiB, all of it: status, dictionary, records.  What is damaged before the last flush
 * is reported, and neither log nor segment changes; of what the last flush wrote all or a part
 * may be missing, as after a torn write, unless the log was closed.
 */
#include <errno.h>
#include <stddef.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"

#include "err.h"
#include "memdisk.h"
#include "specimen_each.h"

#define BURSTS		100000

/* struct tally - what came of damaged logs */
struct tally {
	unsigned long reported;
	unsigned long dropped;
	unsigned long harmless;
};

/* Recovers the log that is there. */
static bool is_right(const struct specimen *s, struct tally *tally)
{
	static unsigned char before[BYTES];
	uint64_t size = mem_find(LOG)->size;
	int n;

	memcpy(before, mem_find(LOG)->data, size);
	n = specimen_recovered(s);
	if (n == COUNT) {
		tally->harmless++;
		return true;
	}
	if (n >= 0) {
		tally->dropped++;
		return !s->closed && n >= COUNT - LAST;
	}
	tally->reported++;
	return n == -EUCLEAN && !memcmp(before, mem_find(LOG)->data, size) &&
	       !memcmp(s->segment, mem_find(SEG)->data, SEG_BYTES);
}

static bool wrong(const char *what, unsigned long i)
{
	printf("# %s %lu: %s\n", what, i, err_text());
	fflush(stdout);
	return false;
}

/* Runs @fn for the numbers below @count, on all processors; tells what came of it. */
static bool in_parts(const struct specimen *s, unsigned long count,
		     bool (*fn)(const struct specimen *s, unsigned long i, struct tally *tally))
{
	unsigned long jobs = sysconf(_SC_NPROCESSORS_ONLN), job, i;
	bool good = true;
	int status;

	fflush(stdout);
	for (job = 0; job < jobs; job++) {
		struct tally tally = {};

		if (fork())
			continue;
		for (i = job; i < count && good; i += jobs)
			good = fn(s, i, &tally);
		printf("# %lu reported, %lu dropped with the tail, %lu harmless\n",
		       tally.reported, tally.dropped, tally.harmless);
		fflush(stdout);
		_exit(!good);
	}
	while (wait(&status) > 0)
		good &= !status;
	return good;
}

TEST_F(specimen, undamaged_it_has_all_transactions)
{
	specimen_put(&self->specimen);
	ASSERT_EQ(COUNT, specimen_recovered(&self->specimen));
}

static bool flip_bit(const struct specimen *s, unsigned long bit, struct tally *tally)
{
	specimen_put(s)[bit / 8] ^= 1 << bit % 8;
	return is_right(s, tally) || wrong("bit", bit);
}

TEST_F_TIMEOUT(specimen, each_of_the_524288_bits_may_be_flipped, 600)
{
	ASSERT_TRUE(in_parts(&self->specimen, 8UL * BYTES, flip_bit));
}

static bool put_burst(const struct specimen *s, unsigned long i, struct tally *tally)
{
	unsigned char *image = specimen_put(s);
	unsigned int seed = i, at, n;

	at = rand_r(&seed) % BYTES;
	n = 1 + rand_r(&seed) % (i % 4 ? 16 : 2048);
	/* what damages the last flush and groups before leaves no proof of those: log-format.md */
	if (at < s->last && at + n > s->last)
		n = s->last - at;
	for (; n-- && at < BYTES; at++)
		image[at] = i % 3 ? rand_r(&seed) : i % 2 ? 0xff : 0;
	return is_right(s, tally) || wrong("burst", i);
}

TEST_F_TIMEOUT(specimen, bursts_of_bytes_may_be_overwritten, 600)
{
	ASSERT_TRUE(in_parts(&self->specimen, BURSTS, put_burst));
}

static bool swap_sectors(const struct specimen *s, unsigned long i, struct tally *tally)
{
	unsigned int x = FIRST + i / SECTORS, y = i % SECTORS;
	unsigned char *image;

	if (y >= x || x >= SECTORS || y < FIRST)
		return true;
	image = specimen_put(s);
	memcpy(image + x * MEM_SECTOR, s->image + y * MEM_SECTOR, MEM_SECTOR);
	memcpy(image + y * MEM_SECTOR, s->image + x * MEM_SECTOR, MEM_SECTOR);
	return is_right(s, tally) || wrong("swap", i);
}

TEST_F_TIMEOUT(specimen, any_two_sectors_of_records_may_be_swapped, 600)
{
	ASSERT_TRUE(in_parts(&self->specimen, (unsigned long)SECTORS * SECTORS, swap_sectors));
}

static bool put_older(const struct specimen *s, unsigned long i, struct tally *tally)
{
	unsigned int n = i < SECTORS ? MEM_SECTOR : FORMAT_BLOCK;
	unsigned int at = i < SECTORS ? i * n : (i - SECTORS) * n;

	memcpy(specimen_put(s) + at, s->older + at, n);
	return is_right(s, tally) || wrong("older", i);
}

TEST_F_TIMEOUT(specimen, any_sector_and_any_block_may_be_an_older_one, 600)
{
	ASSERT_TRUE(in_parts(&self->specimen, SECTORS + BYTES / FORMAT_BLOCK, put_older));
}

static bool cut_off(const struct specimen *s, unsigned long i, struct tally *tally)
{
	int n;

	(void)tally;
	specimen_put(s);
	mem_put(LOG, s->image, i * MEM_SECTOR + i % 3);
	n = specimen_recovered(s);
	return (n == (i < 16 ? -EINVAL : -EUCLEAN) &&
		!memcmp(s->segment, mem_find(SEG)->data, SEG_BYTES)) || wrong("cut", i);
}

TEST_F_TIMEOUT(specimen, a_file_that_was_cut_off_anywhere_is_refused, 600)
{
	unsigned long i;
	struct tally tally;

	for (i = 0; i < SECTORS; i++)
		ASSERT_TRUE(cut_off(&self->specimen, i, &tally));
}

#include "broken.h"

static bool says(const char *text)
{
	const char *both = NULL;
	char twice[512];

	if (*text == 'S')
		both = "log /log: both statuses are damaged (byte 0: %s; byte 4096: %s)";
	if (*text == 'D')
		both = "log /log: both segment dictionaries are damaged (%s; %s)";
	if (both)
		snprintf(twice, sizeof(twice), both, text + 1, text + 1);
	return !strcmp(err_text(), both ? twice : text);
}

TEST(each_named_image_is_refused_with_its_own_words)
{
	struct specimen *s = calloc(1, sizeof(*s));
	unsigned int i, bad = 0;

	ASSERT_EQ(0, specimen_make(s, false));
	for (i = 0; i < ARRAY_SIZE(broken); i++) {
		int err;

		specimen_break(s, &broken[i]);
		err = specimen_recovered(s);
		if (err == -broken[i].err && says(broken[i].text))
			continue;
		bad++;
		TH_LOG("%s: %d \"%s\"", broken[i].name, err, err_text());
	}
	ASSERT_GE(ARRAY_SIZE(broken), 40);
	ASSERT_EQ(0, bad);
	free(s);
}

TEST_HARNESS_MAIN
