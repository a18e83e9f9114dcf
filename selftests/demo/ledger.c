// SPDX-License-Identifier: GPL-2.0
/* The oracle's book: what the bank acknowledged, kept outside the bank. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "ledger.h"

struct ledger *ledger_open(void)
{
	struct ledger *ledger = mmap(NULL, sizeof(*ledger), PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	unsigned int i;

	if (ledger == MAP_FAILED)
		return NULL;
	for (i = 0; i < BANK_ACCOUNTS; i++)
		ledger->balance[i] = BANK_DEPOSIT;
	return ledger;
}

bool ledger_fault(struct ledger *ledger, const char *fmt, ...)
{
	va_list args;

	if (ledger->fault[0])
		return false;
	va_start(args, fmt);
	vsnprintf(ledger->fault, sizeof(ledger->fault), fmt, args);
	va_end(args);
	return false;
}

bool ledger_enter(struct ledger *ledger, unsigned int id, const struct bank_transfer *transfer)
{
	struct bank_teller *teller;

	if (id >= BANK_TELLERS || transfer->from >= BANK_ACCOUNTS || transfer->to >= BANK_ACCOUNTS)
		return ledger_fault(ledger, "teller %u: transfer %lu is nonsense: %u to %u", id,
				    transfer->number, transfer->from, transfer->to);
	teller = &ledger->teller[id];
	if (transfer->number != teller->done + 1)
		return ledger_fault(ledger, "teller %u told transfer %lu after %lu",
				    id, transfer->number, teller->done);
	teller->done = transfer->number;
	teller->history[transfer->number % BANK_HISTORY] = *transfer;
	ledger->balance[transfer->from] -= transfer->amount;
	ledger->balance[transfer->to] += transfer->amount;
	ledger->transfers++;
	return true;
}

bool ledger_line(struct ledger *ledger, const char *line)
{
	struct bank_transfer transfer = { 0 };
	unsigned int id;

	if (strncmp(line, "transfer ", 9))
		return true;
	if (sscanf(line, "transfer %u %lu %u %u %ld", &id, &transfer.number,
		   &transfer.from, &transfer.to, &transfer.amount) != 5)
		return ledger_fault(ledger, "cannot read the line '%.80s'", line);
	return ledger_enter(ledger, id, &transfer);
}

bool ledger_read(struct ledger *ledger, const char *path)
{
	FILE *file = fopen(path, "re");
	char line[256];
	bool ok = true;

	if (!file)
		return ledger_fault(ledger, "cannot open %s: %s", path, strerror(errno));
	while (ok && fgets(line, sizeof(line), file))
		if (strchr(line, '\n'))
			ok = ledger_line(ledger, line);
	fclose(file);
	return ok;
}

/* Enter what the teller committed beyond the last line that arrived. */
static bool catch_up(struct ledger *ledger, const struct bank *bank, unsigned int id,
		     uint64_t slack)
{
	const struct bank_teller *is = &bank->teller[id];
	const struct bank_teller *known = &ledger->teller[id];

	if (is->done < known->done)
		return ledger_fault(ledger, "LOST: teller %u: %lu acknowledged, %lu found",
				    id, known->done, is->done);
	if (is->done > known->done + slack)
		return ledger_fault(ledger, "teller %u has transfer %lu, was told %lu",
				    id, is->done, known->done);
	while (known->done < is->done) {
		if (!ledger_enter(ledger, id, &is->history[(known->done + 1) % BANK_HISTORY]))
			return false;
		ledger->unheard++;
	}
	return true;
}

static bool audit_history(struct ledger *ledger, const struct bank *bank, unsigned int id)
{
	const struct bank_transfer *is = bank->teller[id].history;
	const struct bank_transfer *told = ledger->teller[id].history;
	unsigned int i;

	for (i = 0; i < BANK_HISTORY; i++)
		if (memcmp(&is[i], &told[i], sizeof(*is)))
			return ledger_fault(ledger, "teller %u: transfer %lu where %lu belongs",
					    id, is[i].number, told[i].number);
	return true;
}

static bool audit_accounts(struct ledger *ledger, const struct bank *bank)
{
	int64_t sum = 0;
	unsigned int i;

	for (i = 0; i < BANK_ACCOUNTS; i++)
		sum += bank->account[i].balance;
	if (sum != (int64_t)BANK_ACCOUNTS * BANK_DEPOSIT)
		return ledger_fault(ledger, "the sum is %ld, not %d", sum,
				    BANK_ACCOUNTS * BANK_DEPOSIT);
	for (i = 0; i < BANK_ACCOUNTS; i++)
		if (bank->account[i].balance != ledger->balance[i])
			return ledger_fault(ledger, "account %u holds %ld, not %ld", i,
					    bank->account[i].balance, ledger->balance[i]);
	return true;
}

bool ledger_audit(struct ledger *ledger, const struct bank *bank, uint64_t slack)
{
	unsigned int id;

	if (!bank->accounts)
		return !ledger->transfers ||
		       ledger_fault(ledger, "LOST: the bank is empty, as if it never opened");
	for (id = 0; id < BANK_TELLERS; id++)
		if (!catch_up(ledger, bank, id, slack) || !audit_history(ledger, bank, id))
			return false;
	return audit_accounts(ledger, bank);
}
