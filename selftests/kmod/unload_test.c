// SPDX-License-Identifier: GPL-2.0
/* The module goes only when nothing of it is in use, and its references are exact. */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "support.h"

#define PAGES	4

static int references(void)
{
	FILE *file = fopen("/sys/module/rvm_track/refcnt", "r");
	int n = -1;

	if (!file)
		return -1;
	if (fscanf(file, "%d", &n) != 1)
		n = -1;
	fclose(file);
	return n;
}

/* The superblocks go by a work item, after the last file. */
static bool idle(void)
{
	unsigned int tries;

	for (tries = 0; references() && tries < 1000; tries++)
		usleep(1000);
	return !references();
}

static int unload(void)
{
	return syscall(SYS_delete_module, "rvm_track", O_NONBLOCK) ? -errno : 0;
}

FIXTURE(unload) {
	struct client c;
	int seg;
};

FIXTURE_SETUP(unload)
{
	self->seg = segment_new(PAGES);
	ASSERT_LE(0, self->seg);
	ASSERT_EQ(0, client_open(&self->c));
	ASSERT_TRUE(idle());
}

FIXTURE_TEARDOWN(unload)
{
	client_close(&self->c);
	close(self->seg);
	EXPECT_TRUE(idle());
}

TEST_F(unload, is_refused_while_a_descriptor_is_open)
{
	int fd = cmd_create(&self->c, self->seg, 0, PAGES * PAGE, 0, 0);

	ASSERT_LE(0, fd);
	EXPECT_EQ(-EWOULDBLOCK, unload());
	close(fd);
}

TEST_F(unload, is_refused_while_a_mapping_is_left)
{
	static const uint64_t areas[] = { RVM_TRACK_MMAP_DATA, RVM_TRACK_MMAP_CTL,
					  RVM_TRACK_MMAP_WORDS, RVM_TRACK_MMAP_SLOTS };
	unsigned int i;
	void *p;
	int fd;

	for (i = 0; i < 4; i++) {
		fd = cmd_create(&self->c, self->seg, 0, PAGES * PAGE, 0, 0);
		ASSERT_LE(0, fd);
		p = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, areas[i]);
		ASSERT_NE(MAP_FAILED, p);
		close(fd);
		EXPECT_EQ(-EWOULDBLOCK, unload());
		EXPECT_EQ(areas[i] ? 0 : segment_byte(0), ((unsigned char *)p)[areas[i] ? 100 : 0]);
		munmap(p, PAGE);
		EXPECT_TRUE(idle());
	}
}

TEST_F(unload, is_refused_while_a_path_descriptor_is_left)
{
	int fd = cmd_create(&self->c, self->seg, 0, PAGES * PAGE, 0, 0), path;
	char name[64];

	ASSERT_LE(0, fd);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	path = open(name, O_PATH);
	ASSERT_LE(0, path);
	close(fd);
	EXPECT_EQ(-EWOULDBLOCK, unload());
	close(path);
}

struct storm {
	struct client c;
	int seg;
	unsigned int first, failures;
};

static void *create_and_close(void *arg)
{
	struct storm *s = arg;
	unsigned int i;
	void *p;
	int fd;

	for (i = 0; i < 1500; i++) {
		fd = cmd_create(&s->c, s->seg, s->first * PAGE, PAGE, 0, 0);
		if (fd < 0) {
			s->failures++;
			continue;
		}
		if (i % 8 == 0) {
			p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
			s->failures += p == MAP_FAILED;
			*(volatile char *)p = 1;
			munmap(p, PAGE);
		}
		close(fd);
	}
	return NULL;
}

/* Each close drops the references that each open took, also when they race. */
TEST_F_TIMEOUT(unload, references_are_exact_after_six_thousand_regions, 120)
{
	static struct storm storm[4];
	pthread_t id[4];
	unsigned int i;

	for (i = 0; i < 4; i++) {
		storm[i].seg = self->seg;
		storm[i].first = i;
		ASSERT_EQ(0, client_open(&storm[i].c));
		ASSERT_EQ(0, pthread_create(&id[i], NULL, create_and_close, &storm[i]));
	}
	for (i = 0; i < 4; i++) {
		pthread_join(id[i], NULL);
		EXPECT_EQ(0, storm[i].failures);
		client_close(&storm[i].c);
	}
	EXPECT_TRUE(idle());
}

static volatile bool stop_creating;

static void *create_until_told(void *arg)
{
	struct storm *s = arg;
	int fd;

	while (!stop_creating) {
		if (!s->c.socket && client_open(&s->c)) {
			sched_yield();		/* the family is away */
			continue;
		}
		fd = cmd_create(&s->c, s->seg, 0, PAGE, 0, 0);
		if (fd >= 0)
			close(fd);
		else
			client_close(&s->c);	/* it may come back with another number */
		s->first++;
	}
	client_close(&s->c);
	return NULL;
}

/* Where the module file is: the machine that loaded it has written it down. */
static int open_module(void)
{
	char line[512], path[512] = "";
	FILE *file = fopen("/run/vm/config", "r");

	while (file && fgets(line, sizeof(line), file))
		sscanf(line, "MODULE=%511[^\n]", path);
	if (file)
		fclose(file);
	return open(path[0] == '\'' ? strtok(path + 1, "'") : path, O_RDONLY | O_CLOEXEC);
}

/* The module comes and goes under those who use it. */
TEST_F_TIMEOUT(unload, races_with_users_and_loses_none, 120)
{
	struct storm storm = { .seg = self->seg };
	int file = open_module(), unloaded = 0, tries;
	pthread_t id;

	ASSERT_LE(0, file);
	ASSERT_EQ(0, pthread_create(&id, NULL, create_until_told, &storm));
	for (tries = 0; tries < 20000 && unloaded < 10; tries++) {
		if (unload()) {
			sched_yield();
			continue;
		}
		unloaded++;
		ASSERT_EQ(0, syscall(SYS_finit_module, file, "", 0));
	}
	stop_creating = true;
	pthread_join(id, NULL);
	EXPECT_EQ(10, unloaded);
	EXPECT_LT(0, storm.first);
	close(file);
	/* It is the same to a new client. */
	client_close(&self->c);
	ASSERT_EQ(0, client_open(&self->c));
	close(cmd_create(&self->c, self->seg, 0, PAGE, 0, 0));
}

TEST_HARNESS_MAIN
