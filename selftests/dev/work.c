// SPDX-License-Identifier: GPL-2.0
/*
 * A program that commits numbered transactions, and tells what a segment holds of them.
 *
 *	work run LOG SEGMENT	commit until a write to the log fails, and print the number of each
 *				transaction that was acknowledged; then see that all calls fail, as
 *				long as the library is not initialized again
 *	work check LOG SEGMENT N  recover, and see that the first N are there, and nothing else but
 *				some that follow them
 *	work truncate LOG SEGMENT  commit, and truncate, for each line of the input
 *	work backup LOG SEGMENT DIRECTORY  commit, and make a backup that must fail beside it; print
 *				why it did, and how many transactions were acknowledged
 */
#include <pthread.h>
#include <rvm/rvm.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LENGTH	(1UL << 20)
#define RANGES	4
#define MOST	2048

/* struct change - the new values of one range */
struct change {
	unsigned long offset, length;
	unsigned char value;
};

static char *memory;
static char reason[1000];	/* why the last commit failed */

static void die(int status, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(status);
}

/* What the transaction @number changes, beside the number itself at byte 0. */
static void make_changes(struct change changes[RANGES], unsigned long number)
{
	unsigned int state = number * 2654435761U + 1;
	int i;

	for (i = 0; i < 4; i++)
		rand_r(&state);
	for (i = 0; i < RANGES; i++) {
		changes[i].length = 1 + rand_r(&state) % MOST;
		changes[i].offset = 8 + rand_r(&state) % (LENGTH - 8 - MOST);
		changes[i].value = number * 7 + i;
	}
}

static void open_log(char *log)
{
	rvm_options_t options;

	rvm_init_options(&options);
	options.log_dev = log;
	if (RVM_INIT(&options))
		die(3, "initialize: %s", rvm_error());
}

/* A page that is first read when its device is gone would end the program before a commit fails. */
static void map(char *segment)
{
	rvm_region_t region;
	size_t at;

	rvm_init_region(&region);
	region.data_dev = segment;
	region.length = LENGTH;
	if (rvm_map(&region, NULL))
		die(3, "map: %s", rvm_error());
	memory = region.vmaddr;
	for (at = 0; at < LENGTH; at += rvm_page_size())
		*(volatile char *)(memory + at);
}

static rvm_return_t change(rvm_tid_t *tid, unsigned long number)
{
	struct change changes[RANGES];
	rvm_return_t code;
	int i;

	make_changes(changes, number);
	code = rvm_modify_bytes(tid, memory, &number, sizeof(number));
	for (i = 0; i < RANGES && !code; i++) {
		code = rvm_set_range(tid, memory + changes[i].offset, changes[i].length);
		if (!code)
			memset(memory + changes[i].offset, changes[i].value, changes[i].length);
	}
	return code;
}

static rvm_return_t commit(unsigned long number)
{
	rvm_return_t code;
	rvm_tid_t tid;

	rvm_init_tid(&tid);
	code = rvm_begin_transaction(&tid, restore);
	if (!code)
		code = change(&tid, number);
	if (!code)
		code = rvm_end_transaction(&tid, flush);
	if (code) {
		snprintf(reason, sizeof(reason), "%s", rvm_error());
		rvm_abort_transaction(&tid);
	}
	return code;
}

static unsigned long held(void)
{
	unsigned long number;

	memcpy(&number, memory, sizeof(number));
	return number;
}

static void expect_error(const char *when, const char *call, rvm_return_t code)
{
	if (code != RVM_EIO)
		die(1, "%s: %s returned %s", when, call, rvm_return(code));
}

/* No call may succeed that says something is durable. */
static void expect_failures(const char *when)
{
	unsigned long next = held() + 1;
	int i;

	for (i = 0; i < 20; i++) {
		expect_error(when, "a commit", commit(next));
		expect_error(when, "a flush", rvm_flush());
		expect_error(when, "a truncation", rvm_truncate());
	}
	printf("%s: all calls fail\n", when);
	fflush(stdout);
}

static void check(char *segment, unsigned long least)
{
	unsigned char *right = calloc(1, LENGTH);
	struct change changes[RANGES];
	unsigned long number, n;
	int i;

	map(segment);
	number = held();
	if (number < least)
		die(1, "%lu transactions are there, %lu were acknowledged", number, least);
	for (n = 1; n <= number; n++) {
		make_changes(changes, n);
		for (i = 0; i < RANGES; i++)
			memset(right + changes[i].offset, changes[i].value, changes[i].length);
	}
	memcpy(right, &number, sizeof(number));
	if (memcmp(memory, right, LENGTH))
		die(1, "the segment does not hold what %lu transactions made", number);
	printf("%lu transactions are there\n", number);
	free(right);
}

/*
 * A commit has no room when the log is full and truncation fails, because a segment cannot be
 * written, or the log cannot be read.  Nothing is wrong with what was written before: a flush may
 * succeed, and another commit when truncation can go on.  So that it will, no page is held then.
 */
static rvm_return_t commit_at_last(unsigned long number)
{
	rvm_return_t code = commit(number);

	while (code && strstr(reason, "no room for the transaction")) {
		printf("%s\n", reason);
		fflush(stdout);
		usleep(100000);
		rvm_truncate();
		code = commit(number);
	}
	return code;
}

/* Or for the end of the input. */
static void wait_for_line(void)
{
	int c;

	do
		c = getchar();
	while (c != '\n' && c != EOF);
}

static void run(char *log, char *segment)
{
	unsigned long number, acknowledged = 0;
	rvm_return_t code;

	map(segment);
	for (number = held() + 1; !(code = commit_at_last(number)); number++) {
		acknowledged = number;
		printf("%lu\n", number);
		fflush(stdout);
	}
	expect_error("at last", "a commit", code);
	printf("failed: %s\n", reason);
	expect_failures("at once");
	wait_for_line();
	expect_failures("after a while");
	wait_for_line();
	rvm_terminate();
	open_log(log);
	check(segment, acknowledged);
	if (commit(held() + 1))
		die(1, "a commit after the log was opened again: %s", reason);
	rvm_terminate();
	printf("opened again\n");
}

static unsigned long done;	/* number of the last transaction that was acknowledged */
static int stop;

static void *commit_on(void *arg)
{
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		if (commit(held() + 1))
			die(1, "a commit beside a backup: %s", reason);
		__atomic_store_n(&done, held(), __ATOMIC_RELAXED);
	}
	return arg;
}

/* Until there are @more transactions. */
static void wait_for(unsigned long more)
{
	unsigned long until = __atomic_load_n(&done, __ATOMIC_RELAXED) + more;

	while (__atomic_load_n(&done, __ATOMIC_RELAXED) < until)
		usleep(1000);
}

static void fail_to_back_up(char *segment, char *dir)
{
	pthread_t thread;

	map(segment);
	done = held();
	if (pthread_create(&thread, NULL, commit_on, NULL))
		die(3, "no thread");
	wait_for(20);
	if (!rvm_backup(dir, NULL, NULL))
		die(1, "there is a backup");
	printf("%s\n", rvm_error());
	wait_for(200);
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	printf("acknowledged %lu\n", done);
	if (rvm_terminate())
		die(1, "terminate: %s", rvm_error());
}

static void truncate_often(char *segment)
{
	map(segment);
	do {
		if (commit(held() + 1))
			die(1, "commit: %s", reason);
		printf("%s\n", rvm_truncate() ? rvm_error() : "truncated");
		fflush(stdout);
	} while (getchar() != EOF);
}

int main(int argc, char **argv)
{
	if (argc < 4)
		die(2, "usage: work run|check|truncate|backup LOG SEGMENT [N|DIRECTORY]");
	open_log(argv[2]);
	if (!strcmp(argv[1], "run"))
		run(argv[2], argv[3]);
	else if (!strcmp(argv[1], "check") && argc == 5)
		check(argv[3], strtoul(argv[4], NULL, 10));
	else if (!strcmp(argv[1], "truncate"))
		truncate_often(argv[3]);
	else if (!strcmp(argv[1], "backup") && argc == 5)
		fail_to_back_up(argv[3], argv[4]);
	else
		die(2, "no such command: %s", argv[1]);
	return 0;
}
