// SPDX-License-Identifier: LGPL-2.1-or-later
/* The spool: transactions that are committed but that nobody waits for, as one record to be. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "format.h"
#include "spool.h"

#define BLOCK_SHIFT	9	/* small: few ranges meet in one; large: few are cut */
#define BLOCK_MASK	((1U << BLOCK_SHIFT) - 1)
#define TABLE_BITS	11
#define TABLE_SIZE	(1U << TABLE_BITS)

/* struct piece - bytes of one block on their way into the spool */
struct piece {
	uint64_t offset;
	uint32_t length;
	uint32_t segment;
	const char *data;
};

int spool_init(struct spool *spool, uint32_t max_bytes)
{
	memset(spool, 0, sizeof(*spool));
	spool->max_bytes = max_bytes;
	spool->max_ranges = max_bytes / 16;
	spool->bytes = malloc(max_bytes);
	spool->ranges = malloc(spool->max_ranges * sizeof(*spool->ranges));
	spool->table = calloc(TABLE_SIZE, sizeof(*spool->table));
	spool->live = malloc(spool->max_ranges * sizeof(*spool->live));
	spool->out = malloc(spool->max_ranges * sizeof(*spool->out));
	if (spool->bytes && spool->ranges && spool->table && spool->live && spool->out)
		return 0;
	return err_set(ENOMEM, "out of memory for a spool of %u bytes", max_bytes);
}

void spool_free(struct spool *spool)
{
	free(spool->bytes);
	free(spool->ranges);
	free(spool->table);
	free(spool->live);
	free(spool->out);
	memset(spool, 0, sizeof(*spool));
}

/*
 * A transaction makes at most one range of each block it touches, and one more for each range
 * that is there already and splits it.
 */
uint64_t spool_bound(const struct spool *spool, const struct log_range *ranges,
		     unsigned int count)
{
	uint64_t bytes = spool->n_bytes;
	uint64_t pieces = 2 * (uint64_t)spool->n_ranges;
	unsigned int i;

	for (i = 0; i < count; i++) {
		if (ranges[i].length > spool->max_bytes)
			return 0;
		bytes += ranges[i].length;
		pieces += ((ranges[i].offset & BLOCK_MASK) + ranges[i].length + BLOCK_MASK)
			  >> BLOCK_SHIFT;
	}
	if (bytes > spool->max_bytes || pieces > spool->max_ranges ||
	    spool->n_live == spool->max_ranges)
		return 0;
	return format_record_length(pieces, bytes);
}

static uint32_t *slot_of(struct spool *spool, uint32_t segment, uint64_t offset)
{
	uint64_t block = (offset >> BLOCK_SHIFT) + ((uint64_t)segment << 40);

	return &spool->table[block * 0x9e3779b97f4a7c15ULL >> (64 - TABLE_BITS)];
}

static void append(struct spool *spool, uint32_t *slot, const struct piece *piece)
{
	struct spool_range *r = &spool->ranges[spool->n_ranges++];

	r->offset = piece->offset;
	r->length = piece->length;
	r->segment = piece->segment;
	r->at = spool->n_bytes;
	r->owner = spool->n_live - 1;
	r->next = *slot;
	*slot = spool->n_ranges;
	spool->live[r->owner]++;
	memcpy(spool->bytes + r->at, piece->data, piece->length);
	spool->n_bytes += piece->length;
}

/* A range changes hands; whoever has none left was wholly covered. */
static void own(struct spool *spool, struct spool_range *r)
{
	uint32_t owner = spool->n_live - 1;

	if (r->owner == owner)
		return;
	spool->stats.ranges++;
	spool->live[owner]++;
	if (!--spool->live[r->owner])
		spool->stats.eliminated++;
	r->owner = owner;
}

/* Drop the first @n bytes of a piece. */
static void advance(struct piece *piece, uint32_t n)
{
	piece->offset += n;
	piece->data += n;
	piece->length -= n;
}

/* The bytes that @r shares with @piece take their new values. */
static void overwrite(struct spool *spool, struct spool_range *r, const struct piece *piece)
{
	uint32_t skip = piece->offset - r->offset;
	uint32_t n = r->length - skip;

	if (n > piece->length)
		n = piece->length;
	memcpy(spool->bytes + r->at + skip, piece->data, n);
	spool->stats.bytes += n;
	if (n == r->length)
		own(spool, r);
}

/*
 * What is there already, from range @i on, takes the new values; what is not is appended.  The
 * ranges are disjoint, so what lies left of one can meet only those after it in the chain.
 */
static void put(struct spool *spool, uint32_t *slot, struct piece piece, uint32_t i)
{
	for (; i; i = spool->ranges[i - 1].next) {
		struct spool_range *r = &spool->ranges[i - 1];
		struct piece left = piece;

		if (r->segment != piece.segment || r->offset >= piece.offset + piece.length ||
		    piece.offset >= r->offset + r->length)
			continue;
		if (piece.offset < r->offset) {
			left.length = r->offset - piece.offset;
			put(spool, slot, left, r->next);
			r = &spool->ranges[i - 1];
			advance(&piece, left.length);
		}
		overwrite(spool, r, &piece);
		if (piece.offset + piece.length <= r->offset + r->length)
			return;
		advance(&piece, r->offset + r->length - piece.offset);
	}
	append(spool, slot, &piece);
}

void spool_add(struct spool *spool, uint64_t tid, const struct log_range *ranges,
	       unsigned int count)
{
	spool->tid = tid;
	spool->live[spool->n_live++] = 0;
	for (; count; ranges++, count--) {
		struct piece piece = {
			.offset = ranges->offset,
			.segment = ranges->segment,
			.data = ranges->data,
		};
		uint64_t left = ranges->length;

		for (; left; left -= piece.length) {
			uint32_t *slot = slot_of(spool, piece.segment, piece.offset);

			piece.length = BLOCK_MASK + 1 - (piece.offset & BLOCK_MASK);
			if (piece.length > left)
				piece.length = left;
			put(spool, slot, piece, *slot);
			piece.offset += piece.length;
			piece.data += piece.length;
		}
	}
}

uint64_t spool_length(const struct spool *spool)
{
	return format_record_length(spool->n_ranges, spool->n_bytes);
}

static bool continues(const struct spool *spool, const struct spool_range *r,
		      const struct log_range *before)
{
	assert((const char *)before->data + before->length == spool->bytes + r->at);
	return before->segment == r->segment && before->offset + before->length == r->offset;
}

/* Ranges that continue the one before them in the segment, as they do in memory, are one. */
unsigned int spool_take(struct spool *spool)
{
	struct log_range *out = spool->out;
	unsigned int n = 0;
	uint32_t i;

	for (i = 0; i < spool->n_ranges; i++) {
		const struct spool_range *r = &spool->ranges[i];

		if (n && continues(spool, r, &out[n - 1])) {
			out[n - 1].length += r->length;
			continue;
		}
		out[n++] = (struct log_range) {
			.segment = r->segment,
			.offset = r->offset,
			.length = r->length,
			.data = spool->bytes + r->at,
		};
	}
	return n;
}

void spool_clear(struct spool *spool)
{
	memset(spool->table, 0, TABLE_SIZE * sizeof(*spool->table));
	spool->n_ranges = 0;
	spool->n_bytes = 0;
	spool->n_live = 0;
	memset(&spool->stats, 0, sizeof(spool->stats));
}
