// SPDX-License-Identifier: LGPL-2.1-or-later
/* CRC32C (Castagnoli), the checksum of everything in the log. */
#include <isa-l/crc.h>

#include "crc.h"

/* ISA-L counts in int. */
#define CHUNK 0x40000000U

uint32_t crc32c(uint32_t crc, const void *buf, size_t length)
{
	const unsigned char *p = buf;

	crc = ~crc;
	while (length) {
		size_t n = length < CHUNK ? length : CHUNK;

		/* ISA-L 2.30 declares the buffer without const; it only reads. */
		crc = crc32_iscsi((unsigned char *)p, n, crc);
		p += n;
		length -= n;
	}
	return ~crc;
}
