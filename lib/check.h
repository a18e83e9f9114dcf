/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Checked transactions: explicit ones that forgot no range.
 *
 * While a checked transaction is open all regions are watched: of each page that is stored to the
 * committed state is known.  When one ends, each byte that differs from it must be one that an
 * open transaction declared.  A program declares before it stores, so that holds at any time,
 * however many transactions are open, whichever threads they are of.
 *
 * Not judged is a region in which a transaction is tracked just then: what nobody declared is that
 * one's.  Bytes that are told of and let pass become part of the committed state in memory, without
 * a record, so that they are told of once.
 */
#ifndef RVM_LIB_CHECK_H
#define RVM_LIB_CHECK_H

#include <stdint.h>

struct region;
struct tx;
struct txs;

/**
 * check_begin() - make an explicit transaction that has just begun a checked one
 * @txs: the table
 * @tx: the transaction
 *
 * If no other is open, what was stored outside of any is told of before.
 *
 * Return: 0; -EOPNOTSUPP a region has no tracker; -EREMCHG there were such stores, and the program
 * does not let them pass: they are told of once; -ENOMEM, -EIO.  If it is not 0 the transaction is
 * open, and is not checked.
 */
int check_begin(struct txs *txs, struct tx *tx);

/**
 * check_end() - was everything declared?
 * @txs: the table
 * @tx: an open transaction that is going to be committed
 *
 * Return: 0; -EREMCHG bytes were forgotten; -ENOMEM, -EIO the tracker failed.
 */
int check_end(struct txs *txs, struct tx *tx);

/**
 * check_abort() - put back what was not declared, unless the program lets it pass
 * @txs: the table
 * @tx: an open transaction that is going to be aborted
 *
 * Return: 0; -ENOMEM, -EIO the tracker failed.
 */
int check_abort(struct txs *txs, struct tx *tx);

/** check_finish() - tx_finish() of a transaction that may be a checked one */
void check_finish(struct txs *txs, struct tx *tx, uint64_t lsn);

/** check_lock() - no region is judged until check_unlock(): they may come and go */
void check_lock(struct txs *txs);

/** check_unlock() - after check_lock() */
void check_unlock(struct txs *txs);

/**
 * check_mapped() - a region is new; the checks are locked
 * @txs: the table
 * @region: the region
 *
 * Return: 0; -EIO it cannot be watched.
 */
int check_mapped(struct txs *txs, struct region *region);

/** check_unmapping() - tell of what is in a region that goes, if asked to; the checks are locked */
void check_unmapping(struct txs *txs, struct region *region);

#endif
