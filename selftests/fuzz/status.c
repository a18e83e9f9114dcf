// SPDX-License-Identifier: GPL-2.0
/*
 * The status: the library refuses exactly the logs that the model refuses, with the same error, and
 * reads the same from all others.  What it writes then is read again, by both, also if the second
 * write is lost.
 *
 * An input is the first 8192 bytes of a log, and 8 bytes that tell how long the file is.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "format.h"
#include "fuzz.h"
#include "memdisk.h"
#include "model.h"
#include "mutate.h"
#include "status.h"

#define BOTH	(2 * FORMAT_BLOCK)
#define SIZE	(BOTH + 8)
#define LOG	"/log"

static bool same(const struct format_status *a, const struct model_status *b)
{
	return a->sector == b->sector && !memcmp(a->uuid, b->uuid, sizeof(b->uuid)) &&
	       a->generation == b->generation && a->sequence == b->sequence &&
	       a->dict_size == b->dict_size && a->area_offset == b->area_offset &&
	       a->area_size == b->area_size && a->head == b->head &&
	       a->tail_hint == b->tail_hint && a->clean == b->clean;
}

/* Both read the log that is there: the same error, or the same status. */
static int load(struct logfile *file, struct format_status *status, struct status_copies *copies)
{
	struct model_status right;
	int err = status_load(file, status, copies);
	int wanted = model_status(mem_find(LOG)->data, file->size, &right);

	judge(err == wanted, "the status gives %d, the model's %d", err, wanted);
	if (err)
		return err;
	judge(same(status, &right), "the status says something else than the model's");
	judge(copies->newest == right.copy && copies->valid[right.copy], "another copy counts");
	judge(file->area_offset == right.area_offset && file->area_size == right.area_size,
	      "the record area is elsewhere");
	return 0;
}

/* What is stored is what is loaded, and if only one copy was written it is one of both. */
static void judge_store(struct logfile *file, struct format_status *status,
			struct status_copies *copies)
{
	const struct format_status before = *status;
	struct format_status after;
	uint8_t first[BOTH];
	int written = !copies->newest;

	memcpy(first, mem_find(LOG)->data, BOTH);
	if (before.sequence > UINT64_MAX - 2)
		return;
	judge(!status_store(file, status, copies), "it cannot be stored");
	judge(copies->valid[0] && copies->valid[1], "a copy is not valid after the store");
	judge(!load(file, &after, copies), "what was stored is refused");
	judge(after.sequence == before.sequence + 2 && after.head == before.head, "it was changed");
	memcpy(first + written * FORMAT_BLOCK, mem_find(LOG)->data + written * FORMAT_BLOCK,
	       FORMAT_BLOCK);
	mem_put(LOG, first, BOTH);
	judge(!load(file, &after, copies), "after one write it is refused");
	judge(after.sequence == before.sequence + 1, "after one write another copy counts");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct logfile file = { .path = (char *)LOG, .sector = MEM_SECTOR, .dsync = true };
	struct format_status status;
	struct status_copies copies;

	if (size != SIZE)
		return -1;
	if (!mem_find(LOG))
		mem_install();
	mem_put(LOG, data, BOTH);
	file.fd = os.open(LOG, 0, 0);
	file.size = mutate_get(data + BOTH, 8);
	if (!load(&file, &status, &copies))
		judge_store(&file, &status, &copies);
	return 0;
}

static const struct field fields[] = {
	{ 0, 8 }, { 8, 4 }, { 12, 4 }, { 16, 8 }, { 32, 4 }, { 36, 4 }, { 40, 4 }, { 44, 4 },
	{ 48, 8 }, { 56, 8 }, { 64, 8 }, { 72, 8 }, { 80, 8 }, { 88, 8 }, { 96, 8 }, { 104, 4 },
	{ 108, 8 }, { 2048, 1 }, { 4091, 1 },
};

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed)
{
	unsigned int copy;

	mutate_seed(seed);
	if (max < SIZE)
		return size;
	if (size < SIZE)
		memset(data + size, 0, SIZE - size);
	copy = mutate_below(2);
	switch (mutate_below(5)) {
	case 0:
		mutate_bytes(data + copy * FORMAT_BLOCK, 112);
		break;
	case 1:
		mutate_field(data + BOTH, 8);
		break;
	case 2:
		memcpy(data + copy * FORMAT_BLOCK, data + !copy * FORMAT_BLOCK, FORMAT_BLOCK);
		break;
	default:
		mutate_one(data + copy * FORMAT_BLOCK, fields, sizeof(fields) / sizeof(*fields));
	}
	for (copy = 0; copy < 2; copy++)
		if (mutate_below(16))
			repair_status(data + copy * FORMAT_BLOCK);
	return SIZE;
}
