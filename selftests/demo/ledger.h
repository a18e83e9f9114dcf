/* SPDX-License-Identifier: GPL-2.0 */
/* The oracle's book: what the bank acknowledged, kept outside the bank. */
#ifndef SELFTESTS_DEMO_LEDGER_H
#define SELFTESTS_DEMO_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include "../examples/bank.h"

/**
 * struct ledger - all acknowledged transfers, added up
 * @balance: what each account must hold
 * @teller: what each teller must remember; done is the last acknowledged number
 * @transfers: acknowledged in all
 * @unheard: of these, learned from the bank after a crash cut the line off
 * @fault: the first contradiction, as text; "" if there is none
 */
struct ledger {
	int64_t balance[BANK_ACCOUNTS];
	struct bank_teller teller[BANK_TELLERS];
	uint64_t transfers;
	uint64_t unheard;
	char fault[256];
};

/**
 * ledger_open() - a new book in memory that is shared with forked children
 *
 * Return: the book, NULL without memory.
 */
struct ledger *ledger_open(void);

/**
 * ledger_fault() - note the first contradiction
 * @ledger: the book
 * @fmt: printf format
 *
 * Return: false always.
 */
bool ledger_fault(struct ledger *ledger, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/**
 * ledger_enter() - enter a transfer
 * @ledger: the book
 * @id: the teller
 * @transfer: what moved; its number must follow the teller's last one
 *
 * Return: true, or false with a fault noted.
 */
bool ledger_enter(struct ledger *ledger, unsigned int id, const struct bank_transfer *transfer);

/**
 * ledger_line() - enter a transfer from the line that the bank printed
 * @ledger: the book
 * @line: "transfer TELLER NUMBER FROM TO AMOUNT"; other lines are no transfers
 *
 * Return: true, or false with a fault noted.
 */
bool ledger_line(struct ledger *ledger, const char *line);

/**
 * ledger_read() - enter all transfers of a file of such lines
 * @ledger: the book
 * @path: the file; a last line without its end was cut off and is left out
 *
 * Return: true, or false with a fault noted.
 */
bool ledger_read(struct ledger *ledger, const char *path);

/**
 * ledger_audit() - compare a recovered bank with the book
 * @ledger: the book; transfers that committed but whose line was cut off are entered
 * @bank: the bank
 * @slack: how many of these a teller may have
 *
 * Proves that every acknowledged transfer is there, that nothing else is (each balance is
 * exact), and so that the sum is right.
 *
 * Return: true, or false with a fault noted.
 */
bool ledger_audit(struct ledger *ledger, const struct bank *bank, uint64_t slack);

#endif
