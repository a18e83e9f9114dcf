// SPDX-License-Identifier: GPL-2.0
/*
 * Recovery of a whole log: it ends as the model's does, with the same error or the same bytes in
 * the segments.  No record whose checksum is wrong is applied, because the model applies none.
 * A log that is refused is left as it is, and so are the segments.  After a recovery the log is
 * empty, and another one changes nothing, whether the log was closed or the power failed.
 */
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "fuzz.h"
#include "log.h"
#include "logimage.h"
#include "memdisk.h"
#include "model.h"
#include "mutate.h"
#include "recover.h"

static uint8_t expected[IMAGE_SEGMENTS][IMAGE_BYTES];

/* Opens and recovers it; *@out stays open if that succeeds. */
static int recover(struct log **out, struct recover_stats *stats)
{
	int err = log_open(IMAGE_LOG, 0, false, out);

	if (err)
		return err;
	err = recover_log(*out, NULL, NULL, stats);
	if (err)
		log_close(*out);
	return err;
}

static void wanted(const uint8_t *log, size_t size, struct model_result *result)
{
	struct model_file files[IMAGE_SEGMENTS];
	unsigned int i;

	for (i = 0; i < IMAGE_SEGMENTS; i++) {
		memcpy(expected[i], mem_find(image_segment(i))->data, IMAGE_BYTES);
		files[i].path = image_segment(i);
		files[i].bytes = expected[i];
		files[i].size = IMAGE_BYTES;
	}
	model_recover(log, size, IMAGE_LOG, files, IMAGE_SEGMENTS, result);
}

static void judge_segments(const char *when)
{
	unsigned int i;

	for (i = 0; i < IMAGE_SEGMENTS; i++)
		judge(mem_find(image_segment(i))->size == IMAGE_BYTES &&
		      !memcmp(mem_find(image_segment(i))->data, expected[i], IMAGE_BYTES),
		      "%s segment %s has other bytes than the model's", when, image_segment(i));
}

/* What recovery left is an empty log, by the model too, and so it stays. */
static void judge_again(const char *when)
{
	const struct mem_file *file = mem_find(IMAGE_LOG);
	struct recover_stats stats;
	struct model_result result;
	struct log *log;
	int err;

	wanted(file->data, file->size, &result);
	judge(!result.err && !result.records && result.head == result.tail,
	      "%s the log is not empty: %d, %lu records", when, result.err, result.records);
	err = recover(&log, &stats);
	judge(!err, "%s recovery fails: %d %s", when, err, err_text());
	judge(!stats.records, "%s recovery applies %llu records", when,
	      (unsigned long long)stats.records);
	judge_segments(when);
	judge(!log_close(log), "%s the log cannot be closed: %s", when, err_text());
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct recover_stats stats;
	struct model_result result;
	struct log *log;
	int err;

	if (!size || size > IMAGE_MOST)
		return -1;
	image_put(data, size);
	wanted(data, size, &result);
	err = recover(&log, &stats);
	if (result.odd) {
		if (!err)
			log_close(log);
		return 0;
	}
	judge(err == result.err, "recovery gives %d (%s), the model's %d", err, err_text(),
	      result.err);
	judge_segments("after recovery");
	if (err) {
		judge(mem_find(IMAGE_LOG)->size == size &&
		      !memcmp(mem_find(IMAGE_LOG)->data, data, size), "a refused log was changed");
		return 0;
	}
	judge(stats.records == result.records, "%llu records were applied, not %lu",
	      (unsigned long long)stats.records, result.records);
	mem.dead = true;	/* so the close writes nothing */
	log_close(log);
	mem_power_loss(0);
	judge_again("after a crash");
	judge_again("after a close");
	return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed)
{
	mutate_seed(seed);
	return image_mutate(data, size, max);
}
