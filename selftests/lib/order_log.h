/* SPDX-License-Identifier: GPL-2.0 */
/* The log that the judge of the order of writes knows: what of it is durable; under its lock. */
#ifndef SELFTESTS_LIB_ORDER_LOG_H
#define SELFTESTS_LIB_ORDER_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format.h"
#include "order_file.h"

/** order_log_is() - is it the log's descriptor? */
bool order_log_is(int fd);

/** order_log_names() - is this file a segment of the log? */
bool order_log_names(const struct order_file *file);

/** order_log_head() - LSN of the first record that is not freed */
uint64_t order_log_head(void);

/** order_log_get() - durable bytes */
void order_log_get(uint64_t lsn, void *to, size_t length);

/** order_log_open() - both copies of a status were read; the log that counts is this one now */
void order_log_open(int fd, const unsigned char *copies);

/** order_log_status() - a status is about to be written, and the head may move */
void order_log_status(const struct format_status *status);

/** order_log_read() - bytes of it were read */
void order_log_read(uint64_t offset, const unsigned char *bytes, size_t length);

/** order_log_written() - bytes of it were written, durably if @sync */
void order_log_written(uint64_t offset, const unsigned char *bytes, size_t length, bool sync);

/** order_log_synced() - what was written is durable */
void order_log_synced(void);

/** order_log_walk() - learn from records that became durable */
void order_log_walk(void);

/** order_log_drop() - it is closed: nothing is known any more */
void order_log_drop(void);

/** order_log_freed() - over how many records the head has moved */
unsigned long order_log_freed(void);

#endif
