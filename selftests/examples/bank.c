// SPDX-License-Identifier: GPL-2.0
/* A bank whose accounts survive any crash: plain stores inside transactions. */
#include <argp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rvm/rvm.h>

#include "bank.h"

#define LOG_BYTES	(1UL << 20)

static struct {
	char *log;
	char *segment;
	unsigned long tracker;
	unsigned int tellers;
	unsigned long transfers;
} args = { .tellers = 4 };

static struct bank *bank;

/* End the program if a call of the library failed; nothing is lost by that. */
static void check(rvm_return_t ret)
{
	if (ret == RVM_SUCCESS)
		return;
	fprintf(stderr, "bank: %s: %s\n", rvm_return(ret), rvm_error());
	exit(1);
}

/* Move money: all of this happens, whatever happens, or nothing of it does. */
static bool transfer(unsigned int id, unsigned int from, unsigned int to, int64_t amount)
{
	struct bank_teller *teller = &bank->teller[id];
	uint64_t number;
	rvm_tid_t tid;

	rvm_init_tid(&tid);
	check(rvm_begin_transaction(&tid, rvm_tracked));

	number = ++teller->done;
	teller->history[number % BANK_HISTORY] =
		(struct bank_transfer){ number, from, to, amount };
	bank->account[from].balance -= amount;
	bank->account[from].teller = id;
	bank->account[from].number = number;
	bank->account[to].balance += amount;
	bank->account[to].teller = id;
	bank->account[to].number = number;

	if (bank->account[from].balance < 0) {
		check(rvm_abort_transaction(&tid));
		return false;
	}
	check(rvm_end_transaction(&tid, flush));
	return true;
}

/* Tell the customer: after this line the transfer may never be forgotten. */
static void acknowledge(unsigned int id, const struct bank_transfer *done)
{
	char line[96];
	int length = snprintf(line, sizeof(line), "transfer %u %lu %u %u %ld\n", id,
			      done->number, done->from, done->to, done->amount);

	if (fwrite(line, length, 1, stdout) != 1 || fflush(stdout))
		exit(1);
}

static void *work(void *arg)
{
	unsigned int id = (uintptr_t)arg, from, to;
	struct bank_teller *teller = &bank->teller[id];
	unsigned int seed = teller->done * BANK_TELLERS + id;
	unsigned long i;

	for (i = 0; !args.transfers || i < args.transfers;) {
		from = rand_r(&seed) % BANK_ACCOUNTS;
		to = rand_r(&seed) % BANK_ACCOUNTS;
		if (!transfer(id, from, to, 1 + rand_r(&seed) % (2 * BANK_DEPOSIT)))
			continue;
		acknowledge(id, &teller->history[teller->done % BANK_HISTORY]);
		i++;
	}
	return NULL;
}

/* The first time, the accounts get their first deposits. */
static void found(void)
{
	rvm_tid_t tid;
	unsigned int i;

	rvm_init_tid(&tid);
	check(rvm_begin_transaction(&tid, rvm_tracked));
	for (i = 0; i < BANK_ACCOUNTS; i++)
		bank->account[i].balance = BANK_DEPOSIT;
	bank->accounts = BANK_ACCOUNTS;
	check(rvm_end_transaction(&tid, flush));
}

/* Open the bank; what a crash left in the log is brought home first. */
static void open_bank(rvm_region_t *region)
{
	rvm_options_t options;

	rvm_init_options(&options);
	options.log_dev = args.log;
	options.create_log_file = rvm_true;
	options.create_log_size = RVM_MK_OFFSET(0, LOG_BYTES);
	options.create_log_mode = 0600;
	options.flags |= RVM_CREATE_SEGMENT | args.tracker;
	check(RVM_INIT(&options));

	rvm_init_region(region);
	region->data_dev = args.segment;
	region->dev_length = RVM_MK_OFFSET(0, RVM_ROUND_LENGTH_UP_TO_PAGE_SIZE(sizeof(*bank)));
	check(rvm_map(region, &options));
	bank = (struct bank *)region->vmaddr;
	if (!bank->accounts)
		found();
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	static const struct { const char *name; unsigned long flag; } trackers[] = {
		{ "best", 0 }, { "kmod", RVM_TRACK_KMOD },
		{ "uffd", RVM_TRACK_UFFD }, { "sigsegv", RVM_TRACK_SIGSEGV },
	};
	unsigned int i = 0;

	switch (key) {
	case 'n':
		args.transfers = strtoul(arg, NULL, 0);
		return 0;
	case 't':
		args.tellers = strtoul(arg, NULL, 0);
		if (args.tellers < 1 || args.tellers > BANK_TELLERS)
			argp_error(state, "a bank has 1 to %d tellers", BANK_TELLERS);
		return 0;
	case 'T':
		while (i < 4 && strcmp(arg, trackers[i].name))
			i++;
		if (i == 4)
			argp_error(state, "no such tracker: %s", arg);
		args.tracker = trackers[i].flag;
		return 0;
	case ARGP_KEY_ARG:
		if (state->arg_num == 0)
			args.log = arg;
		else if (state->arg_num == 1)
			args.segment = arg;
		else
			argp_usage(state);
		return 0;
	case ARGP_KEY_END:
		if (!args.segment)
			argp_usage(state);
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

int main(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{ "transfers", 'n', "N", 0, "Transfers of each teller (0: without end)", 0 },
		{ "tellers", 't', "N", 0, "Threads that move money (4)", 0 },
		{ "tracker", 'T', "NAME", 0, "best, kmod, uffd or sigsegv (best)", 0 },
		{ 0 }
	};
	static const struct argp argp = {
		options, parse, "LOG SEGMENT", "Move money and tell each transfer.", 0, 0, 0
	};
	pthread_t thread[BANK_TELLERS];
	rvm_region_t region;
	unsigned int i;

	argp_parse(&argp, argc, argv, 0, 0, 0);
	open_bank(&region);
	for (i = 0; i < args.tellers; i++)
		if (pthread_create(&thread[i], NULL, work, (void *)(uintptr_t)i))
			return 1;
	for (i = 0; i < args.tellers; i++)
		pthread_join(thread[i], NULL);
	check(rvm_unmap(&region));
	check(rvm_terminate());
	return 0;
}
