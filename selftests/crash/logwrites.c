// SPDX-License-Identifier: GPL-2.0
/*
 * Workers on a dm-log-writes device, and each state in which a loss of power could have left it.
 *
 *	logwrites record DEVICE MARKS LOG SEGMENT [LOG SEGMENT]...
 *		work on logs and segments that are on /dev/mapper/DEVICE, put each acknowledgment
 *		into its block log as a mark, until there are so many
 *	logwrites replay BLOCKLOG IMAGE MOUNT LOG SEGMENT [LOG SEGMENT]...
 *		bring IMAGE, the file below the device, to the state at each flush and FUA write,
 *		have the workers recover and judge it, hold what they found against each mark; MOUNT
 *		is DEVICE:TYPE:DIRECTORY, or - for logs and segments on devices
 *
 * A write that was not flushed is in none of the states.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "blocklog.h"
#include "duty.h"

#define LOG_BYTES	(192 * 1024UL)	/* hardly more than the largest record */
#define WORKERS_MAX	4
#define BLOCK		4096UL
#define BUSY_US		10000	/* between two attempts to unmount */
#define BUSY_TRIES	500

static struct worker workers[WORKERS_MAX];
static unsigned int count;

static void __attribute__((noreturn, format(printf, 1, 2))) die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	exit(1);
}

static void make_workers(char **paths)
{
	for (count = 0; paths[0] && paths[1] && count < WORKERS_MAX; paths += 2, count++) {
		workers[count].log = paths[0];
		workers[count].segment = paths[1];
		workers[count].oracle = oracle_open(NULL);
		if (!workers[count].oracle || !duty_give(&workers[count], count, LOG_BYTES))
			die("out of memory");
	}
}

/* What the recording processes share. */
static struct {
	const char *device;
	atomic_ulong *marks;
	pid_t pid[WORKERS_MAX];
} recording;

static void put_mark(void *arg, size_t offset, uint64_t value)
{
	struct worker *worker = arg;
	char text[BLOCKLOG_TEXT];

	snprintf(text, sizeof(text), "%td.%zu.%lu", worker - workers, offset, value);
	if (!blocklog_mark(recording.device, text))
		_exit(98);
	++*recording.marks;
}

static void start_recording(unsigned int i)
{
	workers[i].oracle->noted = put_mark;
	workers[i].oracle->arg = &workers[i];
	recording.pid[i] = fork();
	if (!recording.pid[i])
		worker_run(&workers[i]);
}

/* A worker that ends before it is killed has found a fault. */
static void expect_all_alive(void)
{
	unsigned int i;
	int status;

	for (i = 0; i < count; i++)
		if (waitpid(recording.pid[i], &status, WNOHANG))
			die("worker %u: status %#x: %s", i, status, workers[i].state->why);
}

static void record(const char *device, unsigned long marks, char **paths)
{
	unsigned int i;

	make_workers(paths);
	recording.device = device;
	recording.marks = mmap(NULL, sizeof(*recording.marks), PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (recording.marks == MAP_FAILED)
		die("out of memory");
	for (i = 0; i < count; i++)
		start_recording(i);
	while (*recording.marks < marks) {
		expect_all_alive();
		usleep(10000);
	}
	for (i = 0; i < count; i++) {
		kill(recording.pid[i], SIGKILL);
		waitpid(recording.pid[i], NULL, 0);
	}
	printf("%lu acknowledgments are marked\n", *recording.marks);
}

/**
 * struct replay - a replay under way
 * @log: what was recorded
 * @state: the device as it is after the flushed part of the log so far
 * @image: the device of replay, in which recovery and file system write, too
 * @size: bytes of both
 * @device: of the file system; NULL: there is none
 * @type: its type
 * @dir: where it is mounted
 * @flushes: flushes and FUA writes so far
 * @marks: acknowledgments so far
 * @recovered: different states that were recovered
 * @changed: @state has changed since the last recovery
 */
static struct {
	struct blocklog log;
	char *state;
	char *image;
	size_t size;
	char *device;
	char *type;
	char *dir;
	unsigned long flushes;
	unsigned long marks;
	unsigned long recovered;
	bool changed;
} replay;

static void __attribute__((noreturn)) fail(const char *what, const char *why)
{
	die("entry %lu of %lu, %lu flushes, %lu acknowledgments: %s: %s", replay.log.next,
	    replay.log.entries, replay.flushes, replay.marks, what, why);
}

static void open_image(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		die("%s: %s", path, strerror(errno));
	replay.size = st.st_size;
	replay.image = mmap(NULL, replay.size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	replay.state = malloc(replay.size);
	if (replay.image == MAP_FAILED || !replay.state)
		die("out of memory for %s", path);
	memcpy(replay.state, replay.image, replay.size);
	close(fd);
}

static void split_mount(char *mount)
{
	if (!strcmp(mount, "-"))
		return;
	replay.device = strtok(mount, ":");
	replay.type = strtok(NULL, ":");
	replay.dir = strtok(NULL, ":");
	if (!replay.dir)
		die("%s: no DEVICE:TYPE:DIRECTORY", mount);
}

/* Nobody has the device open, so that nothing of it is cached. */
static void restore_image(void)
{
	size_t at;

	for (at = 0; at < replay.size; at += BLOCK)
		if (memcmp(replay.image + at, replay.state + at, BLOCK))
			memcpy(replay.image + at, replay.state + at, BLOCK);
}

static void mount_image(void)
{
	if (replay.device && mount(replay.device, replay.dir, replay.type, MS_NOATIME, NULL))
		fail("mount", strerror(errno));
}

/* What a worker had open is closed when it has ended, or soon after. */
static void unmount_image(void)
{
	int tries = BUSY_TRIES;

	while (replay.device && umount(replay.dir)) {
		if (errno != EBUSY || !--tries)
			fail("umount", strerror(errno));
		usleep(BUSY_US);
	}
}

static void recover_here(void)
{
	const struct worker *failed;

	replay.changed = false;
	replay.recovered++;
	restore_image();
	mount_image();
	failed = duty_recover(workers, count);
	if (failed)
		fail(failed->log, failed->state->why);
	unmount_image();
}

static void take_mark(const char *text)
{
	unsigned int number;
	uint64_t value;
	size_t offset;

	if (sscanf(text, "%u.%zu.%lu", &number, &offset, &value) != 3 || number >= count)
		return;
	replay.marks++;
	oracle_note(workers[number].oracle, offset, value);
	if (!oracle_agrees(workers[number].oracle))
		fail(workers[number].log, "it was acknowledged, but is not there");
}

static void replay_all(const char *blocklog, const char *image, char *mount, char **paths)
{
	struct blocklog_entry entry;
	unsigned int i;

	if (!blocklog_open(&replay.log, blocklog))
		die("%s: no log of dm-log-writes", blocklog);
	open_image(image);
	split_mount(mount);
	make_workers(paths);
	for (i = 0; i < count; i++)
		workers[i].tracker = RVM_TRACK_NONE;	/* nothing is tracked while they judge */
	while (replay.log.next < replay.log.entries) {
		if (!blocklog_apply(&replay.log, &entry, replay.state, replay.size))
			fail(blocklog, "the entry cannot be read");
		if (entry.length)
			replay.changed = true;
		if (entry.flags & BLOCKLOG_MARK)
			take_mark(entry.mark);
		if (!(entry.flags & (BLOCKLOG_FLUSH | BLOCKLOG_FUA)))
			continue;
		replay.flushes++;
		if (replay.changed)
			recover_here();
	}
	printf("%lu points: %lu flushes, %lu acknowledgments; %lu states recovered, lost 0\n",
	       replay.flushes + replay.marks, replay.flushes, replay.marks, replay.recovered);
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc >= 6 && !strcmp(argv[1], "record"))
		record(argv[2], strtoul(argv[3], NULL, 10), argv + 4);
	else if (argc >= 7 && !strcmp(argv[1], "replay"))
		replay_all(argv[2], argv[3], argv[4], argv + 5);
	else
		die("usage: logwrites record DEVICE MARKS LOG SEGMENT...\n"
		    "       logwrites replay BLOCKLOG IMAGE MOUNT LOG SEGMENT...");
	return 0;
}
