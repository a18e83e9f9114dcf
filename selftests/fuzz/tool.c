// SPDX-License-Identifier: GPL-2.0
/*
 * What the tools read: sizes as arguments, manifests and records of backups, logs that status and
 * dump look at, load maps.  Byte 0 of an input tells which; the rest is the text, the backup, the
 * log, or a segment's length, its first page and what else there is of the map.
 *
 * A size is what other arithmetic makes of it.  A backup is refused or read, and its paths are
 * whole.  Of a log each command ends with one of its exit codes, the one that the model's verdict
 * asks for, and changes nothing.  A load map that is taken is the one that the library would write.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "archive.h"
#include "command.h"
#include "crc.h"
#include "err.h"
#include "fuzz.h"
#include "loadmap.h"
#include "logimage.h"
#include "manifest.h"
#include "memdisk.h"
#include "model.h"
#include "mutate.h"
#include "os.h"

enum kind { SIZE, MANIFEST, LOG, MAP, KINDS };

/* Standard output and error go nowhere meanwhile. */
static void hush(bool on)
{
	static int out, err, null;

	if (!null) {
		out = dup(1);
		err = dup(2);
		null = open("/dev/null", O_WRONLY);
	}
	fflush(stdout);
	dup2(on ? null : out, 1);
	dup2(on ? null : err, 2);
}

static void judge_size(const char *text)
{
	static const char units[] = "KMGT";
	__uint128_t right = 0;
	const char *p = text, *why;
	uint64_t size;
	int shift = 0;

	for (; isdigit((unsigned char)*p) && right <= UINT64_MAX; p++)
		right = right * 10 + (*p - '0');
	while (isdigit((unsigned char)*p))
		p++;
	if (p > text && *p && strchr(units, toupper((unsigned char)*p)))
		shift = 10 * (strchr(units, toupper((unsigned char)*p++)) - units + 1);
	right <<= shift;
	why = command_size(text, &size);
	if (p == text || *p || !right || right > INT64_MAX)
		judge(why, "\"%s\" was taken for %llu bytes", text, (unsigned long long)size);
	else
		judge(!why && size == right, "\"%s\" %s: %llu", text, why ? why : "is wrong",
		      (unsigned long long)size);
}

/* A directory of real files, since a backup is one. */
static const char *place(void)
{
	const char *tmp = getenv("TMPDIR");
	static char dir[256];

	if (dir[0])
		return dir;
	snprintf(dir, sizeof(dir), "%s/rvm-fuzz.XXXXXX", tmp && *tmp ? tmp : "/tmp");
	if (!mkdtemp(dir))
		abort();
	return dir;
}

static void remove_place(void)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/" MANIFEST_NAME, place());
	unlink(path);
	snprintf(path, sizeof(path), "%s/" MANIFEST_RECORDS, place());
	unlink(path);
	rmdir(place());
}

static void put_file(const char *name, const uint8_t *data, size_t size)
{
	char path[512];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", place(), name);
	file = fopen(path, "w");
	if (!file || fwrite(data, 1, size, file) != size || fclose(file))
		abort();
}

static void no_progress(void *arg, uint64_t done, uint64_t total)
{
	(void)arg;
	judge(done <= total, "%llu bytes are done of %llu", (unsigned long long)done,
	      (unsigned long long)total);
}

static int take_bytes(void *arg, const struct format_range *range, const void *data)
{
	uint32_t *crc = arg;

	*crc = crc32c(*crc, data, range->length);
	return 0;
}

static void judge_archive(const struct archive *archive)
{
	uint32_t crc = 0;
	const struct archive_walk walk = { .bytes = take_bytes, .arg = &crc };
	uint64_t transactions;
	size_t i;
	int err, checked;

	judge(archive->manifest.path, "there is no path of the log");
	for (i = 0; i < archive->manifest.count; i++)
		judge(archive->manifest.segments[i].path, "there is no path of segment %zu", i);
	hush(true);
	checked = archive_check(archive, no_progress, NULL);
	hush(false);
	err = archive_records(archive, &walk, &transactions);
	judge(checked || !err, "the records of a good backup cannot be read: %d %s", err,
	      err_text());
	judge(err == 0 || err == -EUCLEAN || err == -EIO || err == -ENODATA || err == -ENOMEM,
	      "reading the records gives %d: %s", err, err_text());
}

/* Two bytes tell how long the MANIFEST is; the records follow it. */
static void judge_manifest(const uint8_t *data, size_t size)
{
	static int registered;
	struct archive archive;
	uint64_t length;
	int err;

	if (size < 2)
		return;
	length = mutate_get(data, 2);
	if (length > size - 2)
		length = size - 2;
	if (!registered++)
		atexit(remove_place);
	os = os_real;
	put_file(MANIFEST_NAME, data + 2, length);
	put_file(MANIFEST_RECORDS, data + 2 + length, size - 2 - length);
	err = archive_open(place(), &archive);
	if (!err) {
		judge_archive(&archive);
		archive_close(&archive);
	}
	judge(err == 0 || err == -EUCLEAN || err == -EPROTO || err == -ENOMEM,
	      "opening the backup gives %d: %s", err, err_text());
}

static int run(int (*command)(int argc, char **argv), const char *option, const char *more)
{
	char *argv[5] = { "rvm", IMAGE_LOG, (char *)option, (char *)more, NULL };
	int result;

	hush(true);
	result = command(more ? 4 : option ? 3 : 2, argv);
	hush(false);
	return result;
}

static int code_of(int err)
{
	if (!err)
		return RESULT_OK;
	return err == -EUCLEAN ? RESULT_DAMAGED : RESULT_FOREIGN;
}

/* Of the segments these commands know nothing; ro_compat keeps nobody from looking. */
static void judge_log(const uint8_t *data, size_t size)
{
	static const char *const options[][2] = {
		{ NULL, NULL }, { "--json", NULL }, { "--data", NULL }, { "--backward", "--data" },
		{ "--json", "--data" }, { "--backward", "--json" },
	};
	struct model_result result;
	unsigned int i;
	int code, status;

	if (size < 2 * FORMAT_BLOCK || size > IMAGE_MOST)
		return;
	mem_install();
	image_put(data, size);
	model_recover(data, size, IMAGE_LOG, NULL, 0, &result);
	status = run(command_status, NULL, NULL);
	judge(status == RESULT_OK || status == RESULT_DAMAGED || status == RESULT_FOREIGN,
	      "status ends with %d: %s", status, err_text());
	if (!mutate_get(data + 36, 4) && !mutate_get(data + FORMAT_BLOCK + 36, 4))
		judge(status == code_of(result.err), "status ends with %d, the model with %d: %s",
		      status, result.err, err_text());
	judge(run(command_status, "--json", NULL) == status, "status --json ends otherwise");
	for (i = 0; i < sizeof(options) / sizeof(*options); i++) {
		code = run(command_dump, options[i][0], options[i][1]);
		judge(code == status, "dump %s ends with %d, status with %d: %s",
		      options[i][0] ? options[i][0] : "", code, status, err_text());
	}
	judge(mem_find(IMAGE_LOG)->size == size &&
	      !memcmp(mem_find(IMAGE_LOG)->data, data, size), "the log was changed");
}

static bool overlap(uint64_t a, uint64_t b, const rvm_region_def_t *x, const rvm_region_def_t *y)
{
	return a < b ? b - a < x->length : a - b < y->length;
}

static void judge_defs(const rvm_region_def_t *defs, size_t count, uint64_t length)
{
	size_t i, j;

	for (i = 0; i < count; i++) {
		uint64_t offset = defs[i].offset.low, addr = (uintptr_t)defs[i].vmaddr;

		judge((offset | defs[i].length | addr) % LOADMAP_PAGE == 0 && offset &&
		      defs[i].length && defs[i].length <= length &&
		      offset <= length - defs[i].length, "region %zu cannot be", i);
		for (j = 0; j < i; j++) {
			judge(!overlap(offset, defs[j].offset.low, &defs[i], &defs[j]),
			      "regions %zu and %zu share bytes", i, j);
			judge(!addr || !defs[j].vmaddr ||
			      !overlap(addr, (uintptr_t)defs[j].vmaddr, &defs[i], &defs[j]),
			      "regions %zu and %zu share addresses", i, j);
		}
	}
}

/* There is one way to write a map. */
static void judge_taken(const struct disk_loadmap *map, const uint8_t *rest,
			const struct loadmap_more *more, const rvm_region_def_t *defs, size_t count)
{
	uint8_t *again = malloc(more->length + 1);
	struct disk_loadmap page;

	if (!again)
		abort();
	loadmap_encode(defs, count, more, &page, again);
	page.compat = map->compat;
	page.crc = map->crc;
	judge(!memcmp(&page, map, sizeof(page)) && !memcmp(again, rest, more->length),
	      "the map would be written otherwise");
	free(again);
}

static void judge_map(const uint8_t *data, size_t size)
{
	struct loadmap_more more;
	struct disk_loadmap map;
	rvm_region_def_t *defs;
	uint64_t length;
	uint8_t *rest;
	size_t count;
	int err;

	if (size < 8 + sizeof(map))
		return;
	length = mutate_get(data, 8);
	memcpy(&map, data + 8, sizeof(map));
	err = loadmap_check(&map, &count, &more);
	judge(err == 0 || err == -EUCLEAN || err == -EPROTO, "the map gives %d: %s", err,
	      err_text());
	if (err || more.length > size - 8 - sizeof(map))
		return;
	rest = malloc(more.length + 1);
	defs = calloc(count, sizeof(*defs));
	if (!rest || !defs)
		abort();
	memcpy(rest, data + 8 + sizeof(map), more.length);
	err = loadmap_decode(&map, rest, length, defs);
	judge(err == 0 || err == -EUCLEAN, "the regions give %d: %s", err, err_text());
	if (!err) {
		judge_defs(defs, count, length);
		judge_taken(&map, rest, &more, defs, count);
	}
	free(defs);
	free(rest);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text;

	if (!size || data[0] >= KINDS)
		return -1;
	switch (data[0]) {
	case SIZE:
		text = strndup((const char *)data + 1, size - 1);
		if (!text)
			abort();
		judge_size(text);
		free(text);
		break;
	case MANIFEST:
		judge_manifest(data + 1, size - 1);
		break;
	case LOG:
		judge_log(data + 1, size - 1);
		break;
	case MAP:
		judge_map(data + 1, size - 1);
		break;
	}
	return 0;
}

/* The checksum at the end of the text is of all before it. */
static void repair_manifest(uint8_t *text, size_t length)
{
	char end[MANIFEST_END_LENGTH + 1];

	if (length < MANIFEST_END_LENGTH)
		return;
	snprintf(end, sizeof(end), MANIFEST_END, crc32c(0, text, length - MANIFEST_END_LENGTH));
	memcpy(text + length - MANIFEST_END_LENGTH, end, MANIFEST_END_LENGTH);
}

/* A digit becomes another, or an escape or a quote comes in. */
static void change_text(uint8_t *text, size_t length)
{
	static const char some[] = "0123456789%-\"{}[],: e.";
	size_t n = 1 + mutate_below(3);

	while (n-- && length) {
		size_t at = mutate_below(length), tries = 64;

		while (!isdigit(text[at]) && tries--)
			at = mutate_below(length);
		text[at] = some[mutate_below(mutate_below(2) ? 10 : sizeof(some) - 1)];
	}
}

/* The text becomes longer or shorter, what follows is what it was; the new size of all. */
static size_t resize_text(uint8_t *text, uint64_t *length, size_t size)
{
	uint64_t room, at, n = 1 + mutate_below(8);

	if (*length <= MANIFEST_END_LENGTH)
		return size;
	room = *length - MANIFEST_END_LENGTH;
	at = mutate_below(room);
	if (mutate_below(2)) {
		memmove(text + at + n, text + at, size - at);
		*length += n;
		return size + n;
	}
	if (n >= room - at)
		return size;
	memmove(text + at, text + at + n, size - at - n);
	*length -= n;
	return size - n;
}

static size_t mutate_manifest(uint8_t *data, size_t size, size_t max)
{
	uint64_t length;

	if (size < 2 || max < size + 64)
		return size;
	length = mutate_get(data, 2);
	if (length > size - 2)
		length = size - 2;
	switch (mutate_below(4)) {
	case 0:
		size = 2 + resize_text(data + 2, &length, size - 2);
		break;
	case 1:
		if (size > 2 + length)
			mutate_bytes(data + 2 + length, size - 2 - length);
		break;
	default:
		change_text(data + 2, length);
	}
	mutate_put(data, 2, length);
	if (mutate_below(16))
		repair_manifest(data + 2, length);
	return size;
}

static size_t mutate_map(uint8_t *data, size_t size, size_t max)
{
	static const struct field fields[] = {
		{ 0, 8 }, { 8, 4 }, { 12, 4 }, { 16, 4 }, { 20, 4 }, { 24, 8 }, { 32, 8 },
		{ 40, 8 }, { 48, 4 }, { 52, 4 }, { 56, 8 }, { 4064, 4 },
	};
	uint8_t *map = data + 8;
	uint64_t count, length;

	if (size < 8 + LOADMAP_PAGE || size > max)
		return size;
	count = mutate_get(map + 24, 8);
	switch (mutate_below(4)) {
	case 0:
		mutate_field(data, 8);
		break;
	case 1:
		mutate_one(map, fields, sizeof(fields) / sizeof(*fields));
		break;
	default:	/* of the first or the last regions */
		if (count <= LOADMAP_FIRST || mutate_below(2))
			mutate_field(map + 64 + 8 * mutate_below(16), 8);
		else if (size > 8 + LOADMAP_PAGE + 64)
			mutate_field(map + LOADMAP_PAGE + 8 * mutate_below(8), 8);
	}
	length = mutate_get(map + 40, 8);
	if (length <= size - 8 - LOADMAP_PAGE && mutate_below(32))
		mutate_put(map + 48, 4, length ? crc32c(0, map + LOADMAP_PAGE, length) : 0);
	if (mutate_below(16))
		mutate_put(map + 4092, 4, crc32c(0, map, 4092));
	return size;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed)
{
	mutate_seed(seed);
	if (!size)
		return size;
	if (data[0] == LOG)
		return 1 + image_mutate(data + 1, size - 1, max - 1);
	if (data[0] == MANIFEST)
		return 1 + mutate_manifest(data + 1, size - 1, max - 1);
	if (data[0] == MAP)
		return 1 + mutate_map(data + 1, size - 1, max - 1);
	data[0] = SIZE;
	return 1 + LLVMFuzzerMutate(data + 1, size - 1, (max < 40 ? max : 40) - 1);
}
