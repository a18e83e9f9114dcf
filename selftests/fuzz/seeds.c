// SPDX-License-Identifier: GPL-2.0
/*
 * seeds DIRECTORY: makes the inputs that the fuzzers begin with, by running the library on a disk
 * in memory.
 */
#include <rvm/rds.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "err.h"
#include "filecopy.h"
#include "fuzz.h"
#include "loadmap.h"
#include "log.h"
#include "logimage.h"
#include "manifest.h"
#include "memdisk.h"
#include "model.h"
#include "mutate.h"
#include "recover.h"
#include "smalllog.h"

#define LOG	IMAGE_LOG
#define AREA	8192U
#define BYTES	(SMALLLOG_AREA + AREA)
#define ADDR	((char *)0x40000000UL)

static const char *top;

#define need(what) judge(what, "%s failed: %s", #what, err_text())

static void save(const char *kind, const char *name, const void *data, size_t size)
{
	char path[4096];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", top, kind);
	mkdir(path, 0777);
	snprintf(path, sizeof(path), "%s/%s/%s", top, kind, name);
	file = fopen(path, "w");
	need(file && fwrite(data, 1, size, file) == size && !fclose(file));
}

/* For the tools the same with a byte before it that tells what it is. */
static void save_tool(const char *name, int kind, const void *data, size_t size)
{
	uint8_t *copy = malloc(size + 1);

	need(copy);
	copy[0] = kind;
	memcpy(copy + 1, data, size);
	save("tool", name, copy, size + 1);
	free(copy);
}

/* Logs, each saved as a log, for its status, and for the tools. */

static void save_log(const char *name)
{
	const struct mem_file *file = mem_find(LOG);
	uint8_t status[2 * FORMAT_BLOCK + 8];

	save("log", name, file->data, file->size);
	save_tool(name, 2, file->data, file->size);
	memcpy(status, file->data, sizeof(status) - 8);
	mutate_put(status + sizeof(status) - 8, 8, file->size);
	save("status", name, status, sizeof(status));
}

static void append(struct log *log, unsigned int n, unsigned int count, unsigned int length,
		   uint64_t *lsn)
{
	static uint8_t data[AREA];
	struct log_range ranges[8];
	unsigned int i;

	memset(data, 'a' + n % 26, sizeof(data));
	for (i = 0; i < count; i++)
		ranges[i] = (struct log_range){ .segment = 1 + (n + i) % 2,
						.offset = (n * 1000 + i * 300) % 9000,
						.length = length + i, .data = data };
	need(!log_append(log, n, ranges, count, lsn));
}

static struct log *open_log(unsigned int sector)
{
	struct log *log;
	uint8_t none[1] = {};
	uint32_t id;
	unsigned int i;

	mem_install();
	image_put(none, 1);
	mem.sector = sector;
	smalllog_make(LOG, AREA, sector);
	need(!log_open(LOG, 0, false, &log));
	need(!recover_log(log, NULL, NULL, NULL));
	for (i = 0; i < IMAGE_SEGMENTS; i++)
		need(!log_name_segment(log, image_segment(i), IMAGE_BYTES, &id));
	return log;
}

static void flush_one(struct log *log, unsigned int n)
{
	uint64_t lsn;

	append(log, n, 1 + n % 3, 20 + 37 * n % 300, &lsn);
	need(!log_flush(log, lsn));
}

static void make_logs(void)
{
	struct log *log = open_log(512);
	uint64_t lsn;
	unsigned int n;

	save_log("empty");
	for (n = 1; n <= 4; n++)
		flush_one(log, n);
	save_log("four");
	append(log, 5, 8, 90, &lsn);
	append(log, 6, 1, 1, &lsn);
	need(!log_flush(log, lsn));
	save_log("group");
	memset(mem_find(LOG)->data + SMALLLOG_AREA + log_durable(log) % AREA - 512, 0, 512);
	save_log("torn");
	log_close(log);
	mem_install();

	log = open_log(512);
	for (n = 1; n <= 4; n++)
		flush_one(log, n);
	need(!log_close(log));
	save_log("closed");

	log = open_log(512);
	for (n = 1; n <= 20; n++) {
		flush_one(log, n);
		if (n % 4 == 0 && n < 20)
			need(!log_set_head(log, log_durable(log)));
	}
	save_log("wrapped");
	log_close(log);

	log = open_log(4096);
	flush_one(log, 1);
	save_log("sectors");
	log_close(log);
}

/* Records, as record.c wants them: moved to where it puts them. */
static void save_record(const char *name, const uint8_t *bytes, uint64_t length, uint8_t near,
			uint64_t given)
{
	uint8_t *input = malloc(4 + length), *copy = malloc(length), uuid[FORMAT_UUID];

	need(input && copy);
	memcpy(copy, bytes, length);
	memset(uuid, 0x5a, sizeof(uuid));
	mutate_put(copy + 24, 8, 2 * 0x20000 - 64 * (1 + near));
	mutate_put(copy + 32, 8, 4096);
	repair_record(copy, length, uuid, 2);
	input[0] = near;
	input[1] = 0;
	input[2] = 'x';
	input[3] = 0x5a;
	memcpy(input + 4, copy, given - 16);
	memcpy(input + 4 + given - 16, copy + length - 16, 16);
	save("record", name, input, 4 + given);
	free(copy);
	free(input);
}

static void make_records(void)
{
	struct log *log = open_log(512);
	const uint8_t *area = mem_find(LOG)->data + SMALLLOG_AREA;
	uint8_t *large = calloc(1, 100064);
	struct model_status s = {};
	struct model_record record;
	uint64_t lsn, at;
	char name[32];
	int n = 0;

	append(log, 1, 1, 5, &lsn);
	append(log, 2, 3, 100, &lsn);
	append(log, 3, 8, 300, &lsn);
	need(!log_flush(log, lsn));
	area = mem_find(LOG)->data + SMALLLOG_AREA;
	need(!model_status(area - SMALLLOG_AREA, BYTES, &s));
	for (at = s.head; model_record(area, &s, at, s.head + AREA, &record); at += record.length) {
		snprintf(name, sizeof(name), "record%d", n++);
		save_record(name, record.bytes, record.length, n * 3, record.length);
	}
	need(n == 4);
	log_close(log);
	/* one of 100 kB, most of which record.c fills in */
	need(large);
	memset(large, 'x', 100064);
	memcpy(large, (uint8_t[]){ 'R', 'V', 'M', 'R', 2, 0, 0, 0, 1, 0, 0, 0, 1 }, 13);
	mutate_put(large + 12, 4, 1);
	mutate_put(large + 16, 8, 100064);
	mutate_put(large + 40, 8, 9);
	mutate_put(large + 48, 8, 4000);
	mutate_put(large + 56, 4, 100064 - 80);
	mutate_put(large + 60, 4, 1);
	mutate_put(large + 100064 - 16, 8, 100064);
	mutate_put(large + 100064 - 4, 4, FORMAT_TRAILER_MAGIC);
	save_record("long", large, 100064, 7, 48 + 16 + 32 + 16);
	free(large);
}

/* Heaps. */

static void open_library(void)
{
	rvm_options_t options;

	mem_install();
	mem.mappable = true;
	smalllog_make(LOG, 65536, MEM_SECTOR);
	rvm_init_options(&options);
	options.log_dev = LOG;
	options.flags |= RVM_TRACK_NONE | RVM_CREATE_SEGMENT;
	need(!RVM_INIT(&options));
}

static void save_heap(const char *name)
{
	const struct mem_file *file;

	need(!rvm_truncate());
	file = mem_find("/segment");
	save("heap", name, file->data, file->size);
}

static void make_heap(const char *name, unsigned int pages, unsigned int statics,
		      unsigned long chunk, unsigned int blocks)
{
	rvm_offset_t length = rvm_mk_offset(0, (1 + pages + statics) * 4096);
	char *block[64];
	unsigned int i;
	int err;

	open_library();
	need(!rds_zap_heap("/segment", length, ADDR, statics * 4096, pages * 4096, 8, chunk, &err));
	if (blocks) {
		need(!rds_load_heap("/segment", length, NULL, &err));
		for (i = 0; i < blocks; i++) {
			block[i] = rds_malloc(10 + 23 * i % 200, NULL, &err);
			need(block[i]);
		}
		for (i = 0; i < blocks; i += 3)
			need(!rds_free(block[i], NULL, &err));
		need(!rds_unload_heap(&err));
	}
	save_heap(name);
	need(!rvm_terminate());
}

static void make_map(const char *name, size_t count)
{
	rvm_region_def_t *defs = calloc(count, sizeof(*defs));
	uint8_t *input = calloc(1, 8 + 3 * LOADMAP_PAGE);
	uint64_t length = (count * 2 + 10) * 4096;
	struct loadmap_more more;
	size_t i;

	need(defs && input);
	for (i = 0; i < count; i++)
		RVM_INIT_REGION(defs[i], rvm_mk_offset(0, (5 + i * 2) * 4096), 4096,
				i % 3 ? ADDR + i * 8192 : NULL);
	need(!loadmap_check_defs(defs, count, length));
	need(!loadmap_place(defs, count, length, &more));
	mutate_put(input, 8, length);
	loadmap_encode(defs, count, &more, (void *)(input + 8), input + 8 + LOADMAP_PAGE);
	save_tool(name, 3, input, 8 + LOADMAP_PAGE + more.length);
	free(input);
	free(defs);
}

/* A backup of a log without segments' copies, and one whose segment is missing. */
static void make_manifest(const char *name, unsigned int segments)
{
	struct manifest_segment segment = { .id = 1, .path = "/a b%\"c", .length = 4096 };
	struct manifest m = { .path = "/a/log", .generation = 2, .sector = 512, .size = AREA,
			      .segments = &segment, .count = segments };
	struct log *log = open_log(512);
	struct filecopy_digest digest;
	struct model_status s;
	uint8_t *input;
	size_t length;
	char *text;
	int fd;

	flush_one(log, 2);
	need(!model_status(mem_find(LOG)->data, BYTES, &s));
	memcpy(m.uuid, s.uuid, sizeof(m.uuid));
	m.generation = s.generation;
	m.base = s.head;
	m.head = s.head;
	m.tail = log_durable(log);
	m.length = m.tail - m.base;
	mem_put("/one", mem_find(LOG)->data + s.area_offset + s.head % AREA, m.length);
	fd = os.open("/one", 0, 0);
	need(!filecopy_digest(fd, m.length, NULL, &digest));
	m.digest = digest;
	text = manifest_text(&m, &length);
	input = malloc(2 + length + m.length);
	need(text && input);
	mutate_put(input, 2, length);
	memcpy(input + 2, text, length);
	memcpy(input + 2 + length, mem_find("/one")->data, m.length);
	save_tool(name, 1, input, 2 + length + m.length);
	free(input);
	free(text);
	log_close(log);
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "Usage: seeds DIRECTORY\n");
		return 2;
	}
	top = argv[1];
	mkdir(top, 0777);
	make_logs();
	make_records();
	make_heap("new", 2, 1, 32, 0);
	make_heap("used", 3, 0, 32, 24);
	make_heap("coarse", 2, 1, 208, 9);
	make_map("map-few", 3);
	make_map("map-many", 130);
	make_manifest("backup", 0);
	make_manifest("backup-segment", 1);
	save_tool("size", 0, "64M", 3);
	save_tool("size-long", 0, "9223372036854775807", 19);
	return 0;
}

/* For mutate.c, of which this program needs little. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max)
{
	(void)data;
	(void)max;
	return size;
}
