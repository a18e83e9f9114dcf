/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Incremental truncation (section 5.1.2 of the paper): write out the first pages of the page
 * queue, from memory, and move the log's head to the first record of the next one.
 *
 *  1. Read D, the durable LSN.
 *  2. Take the first pages of the queue that begins lowest, and write them: pageout.h.  Where
 *     the tracker writes back, it is the module that does, after the log was flushed.
 *  3. Those with uncommitted references were not written: they are blocked and go back.
 *  4. Move the head to the lowest LSN that is queued, or to D if none is.
 *
 * Claim: every record below the new head is in the segments.  Let one of them reference page P.
 * Its commit noted P before the record was appended, with an LSN that is not above the record.
 * If P is queued with it still, the head is not above that.  Else P was taken since, and copied
 * without references; a commit that has noted P and whose bytes are not in the committed state
 * yet is a reference, so the copy has the record's bytes, and they were synced before step 4.
 * If nothing is queued, a record that is not in the segments was noted after step 1, and is not
 * below D.
 */
#ifndef RVM_LIB_INCREMENT_H
#define RVM_LIB_INCREMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct truncator;

/** increment_possible() - can every record in the log be written from memory? */
bool increment_possible(struct truncator *tr);

/**
 * increment_step() - make a step
 * @tr: the truncator, locked
 * @moved: set if the head was moved; else the first pages are blocked, or nothing is queued
 *
 * Return: 0, or a negative errno with a text; then nothing was freed.
 */
int increment_step(struct truncator *tr, bool *moved);

/**
 * increment_pages() - make steps 1 to 3 of few pages
 * @tr: the truncator, locked
 * @max: most pages, where that is less than a step has
 * @written: how many were written
 * @durable: D, for increment_move()
 *
 * Return: as increment_step().
 */
int increment_pages(struct truncator *tr, size_t max, size_t *written, uint64_t *durable);

/**
 * increment_move() - make step 4
 * @tr: the truncator, locked since increment_pages()
 * @durable: D, from there
 * @moved: set if the head was moved, else left alone
 *
 * Return: as increment_step().
 */
int increment_move(struct truncator *tr, uint64_t durable, bool *moved);

#endif
