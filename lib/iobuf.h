/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Memory for large transfers past the page cache.
 *
 * It is in large pages, if there are any: a transfer to or from small ones is a list of hundreds of
 * pieces for the disk, more than some take at once.
 */
#ifndef RVM_LIB_IOBUF_H
#define RVM_LIB_IOBUF_H

#include <stddef.h>

/** iobuf_alloc() - get memory, for free(), aligned for any disk; Return: it, or NULL */
void *iobuf_alloc(size_t size);

#endif
