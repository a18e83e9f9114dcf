// SPDX-License-Identifier: GPL-2.0
/*
 * A program as it was written for CMU RVM 1.3: a bank. Accounts and the ledger are two regions of
 * one segment; tellers are threads that lock the two accounts of a transfer, in their order, and
 * write a line of the ledger each. Each run begins with an audit: the sum of all accounts, and
 * each account against the ledger.
 *
 *	bank LOG DATA TELLERS TRANSFERS [die]
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rvm/rvm.h>
#include <rvm/rvm_statistics.h>

#define ACCOUNTS	200
#define START		1000
#define TELLERS		16
#define LINES		500	/* of a teller */
#define PAGES_A		1
#define PAGES_L		((TELLERS * sizeof(struct ledger) + 4095) / 4096)

struct line {
	int from, to;
	long amount;
};

struct ledger {
	long count;
	struct line line[LINES];
};

static long *account;		/* the first is the flag that the bank was opened */
static struct ledger *ledger;
static long transfers, tellers;
static int die;
static pthread_mutex_t lock[ACCOUNTS + 1];

static void must(rvm_return_t ret, char *what)
{
	if (ret != RVM_SUCCESS) {
		fprintf(stderr, "%s: %s\n", what, rvm_return(ret));
		exit(1);
	}
}

static char *map(char *data, long page, long pages)
{
	rvm_region_t *region = rvm_malloc_region();
	char *at;

	region->data_dev = data;
	region->offset = RVM_MK_OFFSET(0, page * RVM_PAGE_SIZE);
	region->length = pages * RVM_PAGE_SIZE;
	must(rvm_map(region, NULL), "rvm_map");
	at = region->vmaddr;
	region->data_dev = NULL;
	rvm_free_region(region);
	return at;
}

static void open_bank(void)
{
	rvm_tid_t *tid = rvm_malloc_tid();
	long i;

	must(rvm_begin_transaction(tid, no_restore), "begin");
	must(rvm_set_range(tid, account, (ACCOUNTS + 1) * sizeof(long)), "rvm_set_range");
	for (i = 1; i <= ACCOUNTS; i++)
		account[i] = START;
	account[0] = 1;
	must(rvm_end_transaction(tid, flush), "end");
	rvm_free_tid(tid);
}

static void audit(void)
{
	long balance[ACCOUNTS + 1], sum = 0, lines = 0, t, i;

	for (i = 1; i <= ACCOUNTS; i++)
		balance[i] = START;
	for (t = 0; t < TELLERS; t++) {
		for (i = 0; i < ledger[t].count; i++) {
			balance[ledger[t].line[i].from] -= ledger[t].line[i].amount;
			balance[ledger[t].line[i].to] += ledger[t].line[i].amount;
		}
		lines += ledger[t].count;
	}
	for (i = 1; i <= ACCOUNTS; i++) {
		sum += account[i];
		if (account[i] != balance[i]) {
			printf("account %ld has %ld, not %ld\n", i, account[i], balance[i]);
			exit(1);
		}
	}
	printf("sum %ld, lines %ld\n", sum, lines);
	fflush(stdout);
}

static void transfer(rvm_tid_t *tid, struct ledger *own, int from, int to, long n)
{
	struct line line;
	long count = own->count + 1, less = account[from] - n % 50;

	line.from = from;
	line.to = to;
	line.amount = n % 50;
	must(rvm_begin_transaction(tid, restore), "begin");
	must(rvm_modify_bytes(tid, &account[from], &less, sizeof(less)), "rvm_modify_bytes");
	must(rvm_set_range(tid, &account[to], sizeof(long)), "rvm_set_range");
	account[to] += n % 50;
	must(rvm_modify_bytes(tid, &own->line[own->count], &line, sizeof(line)), "modify");
	must(rvm_modify_bytes(tid, &own->count, &count, sizeof(count)), "modify");
	if (die && n == transfers / 2)
		_exit(3);
	if (account[from] < 0 || n % 7 == 0)
		must(rvm_abort_transaction(tid), "abort");
	else
		must(rvm_end_transaction(tid, n % 10 ? no_flush : flush), "end");
}

static void *teller(void *arg)
{
	long me = (long)arg, n;
	unsigned int seed = me;
	rvm_tid_t tid;

	rvm_init_tid(&tid);
	for (n = 1; n <= transfers && ledger[me].count < LINES; n++) {
		int a = 1 + rand_r(&seed) % ACCOUNTS, b = 1 + rand_r(&seed) % ACCOUNTS;

		if (a == b)
			continue;
		pthread_mutex_lock(&lock[a < b ? a : b]);
		pthread_mutex_lock(&lock[a < b ? b : a]);
		transfer(&tid, &ledger[me], a, b, n);
		pthread_mutex_unlock(&lock[a]);
		pthread_mutex_unlock(&lock[b]);
	}
	return NULL;
}

static void counted(void)
{
	rvm_statistics_t *s = rvm_malloc_statistics();

	must(RVM_STATISTICS(s), "rvm_statistics");
	if (s->tot_flush_commit == 0 || s->tot_no_flush_commit == 0 || s->tot_abort == 0 ||
	    s->n_uncommit)
		printf("statistics count nothing\n");
	rvm_free_statistics(s);
}

int main(int argc, char **argv)
{
	rvm_options_t *options = rvm_malloc_options();
	pthread_t thread[TELLERS];
	long i;

	if (argc < 5)
		return 2;
	tellers = atol(argv[3]);
	transfers = atol(argv[4]);
	die = argc == 6;
	options->log_dev = argv[1];
	options->create_log_file = rvm_true;
	options->create_log_size = RVM_LENGTH_TO_OFFSET(0x8000);
	options->create_log_mode = 0600;
	options->truncate = 60;
	options->flags = RVM_ALL_OPTIMIZATIONS;
	must(RVM_INIT(options), "RVM_INIT");
	account = (long *)map(argv[2], 0, PAGES_A);
	ledger = (struct ledger *)map(argv[2], PAGES_A, PAGES_L);
	for (i = 0; i <= ACCOUNTS; i++)
		pthread_mutex_init(&lock[i], NULL);
	if (!account[0])
		open_bank();
	audit();
	for (i = 0; i < tellers; i++)
		pthread_create(&thread[i], NULL, teller, (void *)i);
	for (i = 0; i < tellers; i++)
		pthread_join(thread[i], NULL);
	if (transfers > 10)
		counted();
	must(rvm_truncate(), "rvm_truncate");
	must(rvm_terminate(), "rvm_terminate");
	options->log_dev = NULL;
	rvm_free_options(options);
	return 0;
}
