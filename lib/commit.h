/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Commit and abort.
 *
 * An explicit transaction logs the bytes it declared, a tracked one those in
 * which its pages differ from their committed state, less those that an open explicit
 * transaction has declared.  Both copy them at the end of the transaction, so
 * what is stored later is never logged.
 */
#ifndef RVM_LIB_COMMIT_H
#define RVM_LIB_COMMIT_H

#include <stdbool.h>
#include <stdint.h>

struct truncator;
struct tx;
struct txs;

/**
 * commit() - end a transaction and make its changes permanent
 * @txs: the table
 * @tr: the log, and who makes room in it
 * @tx: an open transaction
 * @durable: wait until the record, and all before it, is durable
 * @ticket: set to the LSN that is durable when and only when the transaction is
 *
 * Return: 0; -EREMCHG a checked transaction forgot bytes, -EFBIG, -ENOMEM, or an error of
 * truncation: the transaction is still open and nothing has changed; -EDEADLK it and another
 * tracked one have stored to the same page: it has ended and is undone; -EIO the log or the
 * tracker failed: the transaction has ended, and whether it is durable is known after recovery.
 */
int commit(struct txs *txs, struct truncator *tr, struct tx *tx, bool durable, uint64_t *ticket);

/**
 * abort_tx() - end a transaction and undo its changes
 * @txs: the table
 * @tr: the log, and who truncates it
 * @tx: an open transaction
 *
 * Of one that keeps no old values and is too big for the log they are read from the segments, after
 * a truncation.
 *
 * Return: 0; -EPERM it keeps no old values and fits into the log, or an error of truncation or of
 * that reading: it is still open; -EIO the tracker failed.
 */
int abort_tx(struct txs *txs, struct truncator *tr, struct tx *tx);

#endif
