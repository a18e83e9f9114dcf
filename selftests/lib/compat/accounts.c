// SPDX-License-Identifier: GPL-2.0
/*
 * A program as it was written for CMU RVM 1.3: makes its log, maps its data,
 * moves money, aborts once.  It names nothing that is new here.
 *
 *	accounts LOG DATA init	make the log, give each account 100
 *	accounts LOG DATA move	move 1 from each account to the next, some aborted
 *	accounts LOG DATA sum	print the sum
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rvm/rvm.h>

#define ACCOUNTS 1000

struct account {
	long number;
	long balance;
};

static void check(rvm_return_t ret, char *what)
{
	if (ret == RVM_SUCCESS)
		return;
	fprintf(stderr, "%s: %s\n", what, rvm_return(ret));
	exit(1);
}

static struct account *map_accounts(char *data, rvm_region_t *region)
{
	rvm_init_region(region);
	region->data_dev = data;
	RVM_ZERO_OFFSET(region->offset);
	region->length = RVM_ROUND_LENGTH_UP_TO_PAGE_SIZE(ACCOUNTS * sizeof(struct account));
	check(rvm_map(region, NULL), "rvm_map");
	return (struct account *)region->vmaddr;
}

static void make_log(char *log)
{
	rvm_options_t *options = rvm_malloc_options();
	rvm_offset_t length = RVM_MK_OFFSET(0, 256 * 1024);

	check(RVM_INIT(NULL), "RVM_INIT");
	options->log_dev = log;
	check(rvm_create_log(options, &length, 0644), "rvm_create_log");
	check(rvm_terminate(), "rvm_terminate");
	rvm_free_options(options);
}

static void fill(struct account *accounts)
{
	rvm_tid_t *tid = rvm_malloc_tid();
	int i;

	check(rvm_begin_transaction(tid, no_restore), "rvm_begin_transaction");
	check(rvm_set_range(tid, accounts, ACCOUNTS * sizeof(*accounts)), "rvm_set_range");
	for (i = 0; i < ACCOUNTS; i++) {
		accounts[i].number = i;
		accounts[i].balance = 100;
	}
	check(rvm_end_transaction(tid, flush), "rvm_end_transaction");
	rvm_free_tid(tid);
}

static void move(struct account *accounts)
{
	rvm_tid_t tid;
	int i;

	rvm_init_tid(&tid);
	for (i = 0; i < ACCOUNTS; i++) {
		struct account *from = &accounts[i];
		struct account *to = &accounts[(i + 1) % ACCOUNTS];
		long balance = to->balance + 1;

		check(rvm_begin_transaction(&tid, restore), "rvm_begin_transaction");
		check(rvm_set_range(&tid, &from->balance, sizeof(from->balance)), "set_range");
		from->balance--;
		check(rvm_modify_bytes(&tid, &to->balance, &balance, sizeof(balance)),
		      "rvm_modify_bytes");
		if (i % 10 == 9)
			check(rvm_abort_transaction(&tid), "rvm_abort_transaction");
		else
			check(rvm_end_transaction(&tid, i % 100 ? no_flush : flush),
			      "rvm_end_transaction");
	}
	check(rvm_flush(), "rvm_flush");
}

static void print_sum(struct account *accounts)
{
	long sum = 0;
	int i;

	for (i = 0; i < ACCOUNTS; i++)
		sum += accounts[i].balance;
	printf("sum %ld first %ld tenth %ld\n", sum, accounts[0].balance, accounts[9].balance);
}

int main(int argc, char **argv)
{
	rvm_options_t options;
	rvm_region_t region;
	struct account *accounts;

	if (argc != 4)
		return 2;
	if (!strcmp(argv[3], "init"))
		make_log(argv[1]);
	rvm_init_options(&options);
	options.log_dev = argv[1];
	options.truncate = 30;
	options.flags = RVM_ALL_OPTIMIZATIONS;
	check(RVM_INIT(&options), "RVM_INIT");
	accounts = map_accounts(argv[2], &region);
	if (!strcmp(argv[3], "init"))
		fill(accounts);
	if (!strcmp(argv[3], "move"))
		move(accounts);
	print_sum(accounts);
	check(rvm_unmap(&region), "rvm_unmap");
	check(rvm_terminate(), "rvm_terminate");
	return 0;
}
