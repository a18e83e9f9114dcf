// SPDX-License-Identifier: GPL-2.0
/* Kill the bank again and again, or read its lines of before, and audit what recovers. */
#include <argp.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <unistd.h>

#include "hold.h"
#include "image.h"
#include "victim.h"
#include "visit.h"

static struct {
	struct site site;
	char *bank;
	char *tracker;
	char *tellers;
	char *acknowledged;
	char *label;
	unsigned int kills;
	unsigned int slowness;
	uint64_t slack;
} args = {
	.tracker = "best", .tellers = "4", .label = "demo", .kills = 100, .slowness = 1, .slack = 1,
};

/**
 * struct inspection - what is looked at after each crash
 * @image: the segment as the crash left it
 * @slack: see ledger_audit()
 */
struct inspection {
	struct image image;
	uint64_t slack;
};

static bool inspect(struct bank *bank, struct ledger *ledger, void *arg)
{
	struct inspection *inspection = arg;

	return ledger_audit(ledger, bank, inspection->slack) &&
	       image_audit(&inspection->image, bank, ledger);
}

static bool recover_and_inspect(struct ledger *ledger, struct inspection *inspection)
{
	int ret = image_read(&inspection->image, args.site.segment);

	if (ret)
		return ledger_fault(ledger, "%s: %s", args.site.segment, strerror(-ret));
	return visit(&args.site, ledger, inspect, inspection);
}

static unsigned long random_below(unsigned long limit)
{
	unsigned long value = 0;

	return getrandom(&value, sizeof(value), 0) == sizeof(value) ? value % limit : 0;
}

/* Most die while they work, one in four at its start, maybe while it recovers. */
static bool let_live(struct victim *victim, struct ledger *ledger, bool first)
{
	if (!first && !random_below(4))
		return victim_listen(victim, ledger, random_below(5000 * args.slowness));
	return victim_listen(victim, ledger, -1) &&
	       victim_listen(victim, ledger, random_below(20000 * args.slowness));
}

static bool kill_once(struct ledger *ledger, struct inspection *inspection, bool first)
{
	char *const argv[] = { args.bank, "-T", args.tracker, "-t", args.tellers, args.site.log,
			 args.site.segment, NULL };
	static struct victim victim;
	int ret = victim_start(&victim, argv);
	bool ok;

	if (ret)
		return ledger_fault(ledger, "%s: %s", args.bank, strerror(-ret));
	ok = let_live(&victim, ledger, first);
	return victim_kill(&victim, ledger) && ok && recover_and_inspect(ledger, inspection);
}

static void show(unsigned int done, const struct ledger *ledger, bool last)
{
	bool tty = isatty(STDERR_FILENO);

	if (!tty && done % 20 && !last)
		return;
	fprintf(stderr, "%s%s: killed %u of %u times, %lu transfers acknowledged, lost 0%s",
		tty ? "\r" : "", args.label, done, args.kills, ledger->transfers,
		tty && !last ? "" : "\n");
}

static bool kill_many(struct ledger *ledger, struct inspection *inspection)
{
	unsigned int i;

	for (i = 0; i < args.kills; i++) {
		if (!kill_once(ledger, inspection, !i))
			return false;
		show(i + 1, ledger, i + 1 == args.kills);
	}
	return true;
}

/* Continue from the lines of before, print those that the crash cut off. */
static bool audit_lines(struct ledger *ledger, struct inspection *inspection)
{
	uint64_t known[BANK_TELLERS], number;
	const struct bank_transfer *transfer;
	unsigned int id;

	if (!ledger_read(ledger, args.acknowledged))
		return false;
	for (id = 0; id < BANK_TELLERS; id++)
		known[id] = ledger->teller[id].done;
	if (!recover_and_inspect(ledger, inspection))
		return false;
	for (id = 0; id < BANK_TELLERS; id++) {
		for (number = known[id] + 1; number <= ledger->teller[id].done; number++) {
			transfer = &ledger->teller[id].history[number % BANK_HISTORY];
			printf("transfer %u %lu %u %u %ld\n", id, number,
			       transfer->from, transfer->to, transfer->amount);
		}
	}
	return true;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	static const struct { const char *name; unsigned long flag; } trackers[] = {
		{ "best", 0 }, { "kmod", RVM_TRACK_KMOD }, { "uffd", RVM_TRACK_UFFD },
		{ "sigsegv", RVM_TRACK_SIGSEGV }, { NULL, 0 }
	};
	unsigned int i = 0;

	switch (key) {
	case 'a':
		args.acknowledged = arg;
		args.slack = BANK_HISTORY - 1;
		return 0;
	case 'k':
		args.kills = strtoul(arg, NULL, 0);
		return 0;
	case 'l':
		args.label = arg;
		return 0;
	case 's':
		args.slowness = strtoul(arg, NULL, 0);
		return 0;
	case 't':
		args.tellers = arg;
		return 0;
	case 'T':
		while (trackers[i].name && strcmp(arg, trackers[i].name))
			i++;
		if (!trackers[i].name)
			argp_error(state, "no such tracker: %s", arg);
		args.tracker = arg;
		args.site.tracker = trackers[i].flag;
		return 0;
	case ARGP_KEY_ARG:
		if (state->arg_num > 2)
			argp_usage(state);
		*(state->arg_num == 0 ? &args.bank :
		  state->arg_num == 1 ? &args.site.log : &args.site.segment) = arg;
		return 0;
	case ARGP_KEY_END:
		if (!args.site.segment)
			argp_usage(state);
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp_option options[] = {
	{ "acknowledged", 'a', "FILE", 0,
	  "Kill nothing: audit the bank against the lines it printed into FILE", 0 },
	{ "kills", 'k', "N", 0, "How often (100)", 0 },
	{ "label", 'l', "TEXT", 0, "What the lines of progress begin with", 0 },
	{ "slowness", 's', "N", 0, "Let it live N times longer (1)", 0 },
	{ "tellers", 't', "N", 0, "Threads of the bank (4)", 0 },
	{ "tracker", 'T', "NAME", 0, "best, kmod, uffd or sigsegv (best)", 0 },
	{ 0 }
};

int main(int argc, char **argv)
{
	static const struct argp argp = {
		options, parse, "BANK LOG SEGMENT",
		"Kill BANK while it moves money, recover it, prove that nothing is lost.",
		0, 0, 0
	};
	struct inspection inspection = { 0 };
	struct ledger *ledger = ledger_open();
	unsigned int looks = 0;
	bool ok;

	argp_parse(&argp, argc, argv, 0, 0, 0);
	if (!ledger)
		return 1;
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	inspection.slack = args.slack;
	if (args.acknowledged)
		ok = audit_lines(ledger, &inspection);
	else
		ok = kill_many(ledger, &inspection) && hold_open(&args.site, ledger, &looks);
	if (!ok) {
		printf("%s: FAIL %s\n", args.label, ledger->fault);
		return 1;
	}
	printf("%s: ok transfers=%lu kills=%u unheard=%lu looks=%u lost=0\n",
	       args.label, ledger->transfers, args.acknowledged ? 0 : args.kills, ledger->unheard,
	       looks);
	return 0;
}
