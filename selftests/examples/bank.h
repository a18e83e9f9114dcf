/* SPDX-License-Identifier: GPL-2.0 */
/* What the bank keeps in its region: this struct is the file format, there is no other. */
#ifndef SELFTESTS_EXAMPLES_BANK_H
#define SELFTESTS_EXAMPLES_BANK_H

#include <stdint.h>

#define BANK_ACCOUNTS	4096	/* at the bank */
#define BANK_DEPOSIT	1000	/* in each of them when the bank opens */
#define BANK_TELLERS	8	/* threads that move money, at most */
#define BANK_HISTORY	256	/* transfers that each of them remembers */

/**
 * struct bank_transfer - money that moved
 * @number: counts the transfers of one teller, from 1
 * @from: the account that has less now
 * @to: the account that has more now
 * @amount: how much
 */
struct bank_transfer {
	uint64_t number;
	uint32_t from;
	uint32_t to;
	int64_t amount;
};

/**
 * struct bank_account - money that stays
 * @balance: how much; never below 0
 * @teller: who changed it last, from 0
 * @number: by which of the teller's transfers
 */
struct bank_account {
	int64_t balance;
	uint32_t teller;
	uint32_t number;
};

/**
 * struct bank_teller - what one thread did
 * @done: transfers in all
 * @history: the last ones; transfer n is at n % BANK_HISTORY
 */
struct bank_teller {
	uint64_t done;
	struct bank_transfer history[BANK_HISTORY];
};

/**
 * struct bank - the whole bank
 * @accounts: BANK_ACCOUNTS, or 0 before the first deposits
 * @notice: the notice board: whatever anyone wants to say
 * @account: the customers' money
 * @teller: the staff
 */
struct bank {
	uint64_t accounts;
	char notice[4088];
	struct bank_account account[BANK_ACCOUNTS];
	struct bank_teller teller[BANK_TELLERS];
};

#endif
