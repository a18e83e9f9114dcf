// SPDX-License-Identifier: GPL-2.0
/* A new log on the disk in memory. */
#include "memdisk.h"
#include "smalllog.h"

void smalllog_make(const char *path, unsigned int area, unsigned int sector)
{
	struct format_status status = {
		.sector = sector,
		.generation = 1,
		.dict_size = SMALLLOG_DICT,
		.area_offset = SMALLLOG_AREA,
		.area_size = area,
		.head = area,
		.tail_hint = area,
		.clean = true,
	};
	unsigned char *image = calloc(1, SMALLLOG_AREA + area);
	unsigned int i;

	if (!image)
		abort();
	memset(status.uuid, 0x5a, sizeof(status.uuid));
	for (i = 0; i < 2; i++) {
		status.sequence = i + 1;
		format_status_encode(&status, (void *)(image + i * FORMAT_BLOCK));
		format_dict_encode(image + FORMAT_DICT_OFFSET + i * SMALLLOG_DICT, SMALLLOG_DICT,
				   status.uuid, i + 1, NULL, 0);
	}
	mem_put(path, image, SMALLLOG_AREA + area);
	free(image);
}
