/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* CRC32C (Castagnoli), the checksum of everything in the log. */
#ifndef RVM_LIB_CRC_H
#define RVM_LIB_CRC_H

#include <stddef.h>
#include <stdint.h>

/**
 * crc32c() - the CRC32C of some bytes, continued
 * @crc: 0 at first, then what the call for the bytes before returned
 * @buf: the bytes
 * @length: how many
 *
 * Return: the CRC of all bytes so far, as iSCSI and RFC 3720 define it.
 */
uint32_t crc32c(uint32_t crc, const void *buf, size_t length);

#endif
