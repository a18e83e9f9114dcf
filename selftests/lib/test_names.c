// SPDX-License-Identifier: GPL-2.0
/*
 * Names and lengths that are not durable: a program is killed while it makes its log or its
 * segment, or makes it longer; the next one takes what it finds and commits; then power fails.
 */
#include <errno.h>

#include "kselftest_harness.h"

/* In directories of their own: a sync of one does not make the other's name durable. */
#define LOG "/logs/log"
#define SEG "/segments/segment"

#include "logtest.h"
#include "recoverlog.h"
#include "region.h"

#define AREA	16384U
#define LONGER	(2 * SEG_SIZE)
#define CHOICES	4

/* struct program - what one does: makes what is missing, and commits a byte */
struct program {
	unsigned char value;
	uint64_t at;
	uint64_t grow;
};

static int open_or_make(struct log **log)
{
	int err = log_open(LOG, 0, false, log);

	if (err != -ENOENT)
		return err;
	err = log_create(LOG, AREA, 0600, false, NULL, NULL);
	return err ? err : log_open(LOG, 0, false, log);
}

static int commit(struct log *log, struct regions *regions, const struct program *p)
{
	struct log_range r = { .offset = p->at, .length = 1, .data = &p->value };
	struct segment *segment;
	uint64_t lsn;
	int err;

	err = regions_segment(regions, log, SEG, SEG_SIZE, &segment);
	if (!err && p->grow)
		err = segment_grow(segment, p->grow);
	if (err)
		return err;
	r.segment = segment->id;
	err = log_append(log, p->value, &r, 1, &lsn);
	return err ? err : log_flush(log, lsn);
}

/* It never ends by itself: 0 says that its commit was acknowledged. */
static int run(const struct program *p)
{
	struct regions regions;
	struct log *log;
	int err;

	regions_init(&regions);
	err = open_or_make(&log);
	if (err)
		return err;
	err = recover_log(log, NULL, NULL, NULL);
	if (!err)
		err = commit(log, &regions, p);
	mem.dead = true;
	log_close(log);
	regions_free(&regions);
	return err;
}

/* What is found of a committed byte: 0, or why not. */
static int find(const struct program *p)
{
	struct mem_file *file;
	int err = recover_closed(LOG);

	if (err)
		return err;
	file = mem_find(SEG);
	if (!file || file->size <= p->at)
		return err_set(ENODATA, "the segment is not there, or shorter");
	return file->data[p->at] == p->value ? 0 : err_set(ENOMSG, "the byte is not there");
}

/*
 * The first program is killed at each of its calls, the second commits and dies, power is lost.
 * @make: makes the disk
 */
static int kill_everywhere(int (*make)(void), const struct program *first,
			   const struct program *second)
{
	unsigned int at = 0, choice;
	bool killed;
	int err;

	do {
		at++;
		for (choice = 0; choice < CHOICES; choice++) {
			err = make();
			mem_heal();
			mem.power_at = at;
			run(first);
			killed = mem.calls >= at;
			mem_kill();
			if (!err)
				err = run(second);
			mem_power_loss(choice);
			if (!err)
				err = find(second);
			if (err)
				return err_add(err, "call %u, choice %u: ", at, choice);
		}
	} while (killed);
	return at < 8 ? err_set(ENOMSG, "only %u calls", at) : 0;
}

static int make_nothing(void)
{
	mem_install();
	return 0;
}

static int make_both(void)
{
	return make_disk(AREA);
}

TEST(a_program_may_be_killed_while_it_makes_log_and_segment)
{
	const struct program first = { .value = 1 }, second = { .value = 2 };

	ASSERT_EQ(0, kill_everywhere(make_nothing, &first, &second)) {
		TH_LOG("%s", err_text());
	}
}

TEST(a_program_may_be_killed_while_it_makes_a_segment_longer)
{
	const struct program first = { .value = 1, .grow = LONGER };
	const struct program second = { .value = 2, .at = LONGER - 1, .grow = LONGER };

	ASSERT_EQ(0, kill_everywhere(make_both, &first, &second)) {
		TH_LOG("%s", err_text());
	}
}

/* As `cp' leaves a file. */
static void unsettle(const char *name)
{
	struct mem_file *file = mem_find(name);

	memset(file->stable, 0, file->size);
	file->stable_size = 0;
	file->entered = false;
}

TEST(a_segment_that_was_made_longer_by_others_may_not_be_durable)
{
	const struct program first = { .value = 1 }, second = { .value = 2, .at = LONGER - 1 };

	ASSERT_EQ(0, make_both());
	ASSERT_EQ(0, run(&first));
	mem_kill();
	ASSERT_EQ(0, mem_grow(mem_find(SEG), LONGER));
	ASSERT_EQ(0, run(&second));
	mem_power_loss(0);
	ASSERT_EQ(0, find(&second)) {
		TH_LOG("%s", err_text());
	}
}

TEST(log_and_segment_that_were_copied_may_not_be_durable)
{
	const struct program program = { .value = 1 };

	ASSERT_EQ(0, make_both());
	unsettle(LOG);
	unsettle(SEG);
	ASSERT_EQ(0, run(&program));
	mem_power_loss(0);
	ASSERT_EQ(0, find(&program)) {
		TH_LOG("%s", err_text());
	}
}

TEST(recovery_frees_nothing_for_a_segment_that_is_not_durable)
{
	const struct program program = { .value = 1, .at = 5000 };

	ASSERT_EQ(0, make_both());
	ASSERT_EQ(0, run(&program));
	mem_power_loss(0);
	unsettle(SEG);
	ASSERT_EQ(0, find(&program));
	mem_power_loss(0);
	ASSERT_NE(NULL, mem_find(SEG));
	ASSERT_EQ(SEG_SIZE, mem_find(SEG)->size);
	ASSERT_EQ(1, mem_find(SEG)->data[5000]);
}

/* The disk itself: what is lost without a sync, and what is not. */
TEST(names_and_lengths_are_lost_unless_they_are_synced)
{
	int dir, fd;

	mem_install();
	fd = os.open("/file", O_RDWR | O_CREAT | O_EXCL, 0600);
	ASSERT_EQ(0, os.resize(fd, 4096));
	ASSERT_EQ(0, os.sync(fd));
	mem_power_loss(0);
	ASSERT_EQ(NULL, mem_find("/file"));
	fd = os.open("/file", O_RDWR | O_CREAT | O_EXCL, 0600);
	dir = os.open("/", O_RDONLY | O_DIRECTORY, 0);
	ASSERT_EQ(0, os.sync(os.open("/logs", O_RDONLY | O_DIRECTORY, 0)));
	mem_power_loss(0);
	ASSERT_EQ(NULL, mem_find("/file"));
	fd = os.open("/file", O_RDWR | O_CREAT | O_EXCL, 0600);
	ASSERT_EQ(0, os.sync(dir));
	ASSERT_EQ(0, os.resize(fd, 4096));
	mem_power_loss(0);
	ASSERT_EQ(0, mem_find("/file")->size);
	ASSERT_EQ(0, os.resize(fd, 4096));
	ASSERT_EQ(0, os.sync(fd));
	ASSERT_EQ(0, os.resize(fd, 8192));
	mem_power_loss(0);
	ASSERT_EQ(4096, mem_find("/file")->size);
	ASSERT_EQ(0, os.resize(fd, 8192));
	mem_power_loss(1);
	ASSERT_EQ(8192, mem_find("/file")->size);
}

TEST_HARNESS_MAIN
