// SPDX-License-Identifier: GPL-2.0
/* The log and its recovery once more, from Documentation/log-format.md. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "model.h"

#define SEGMENTS 512	/* entries of a dictionary that are looked at */

uint32_t model_crc(uint32_t crc, const void *bytes, size_t length)
{
	static uint32_t table[256];
	const uint8_t *p = bytes;
	uint32_t i, bit;

	for (i = 0; i < 256 && !table[255]; i++) {
		table[i] = i;
		for (bit = 0; bit < 8; bit++)
			table[i] = table[i] & 1 ? table[i] >> 1 ^ 0x82f63b78 : table[i] >> 1;
	}
	crc = ~crc;
	while (length--)
		crc = crc >> 8 ^ table[(crc ^ *p++) & 255];
	return ~crc;
}

uint64_t model_get(const uint8_t *at, unsigned int width)
{
	uint64_t value = 0;

	while (width--)
		value = value << 8 | at[width];
	return value;
}

static bool is_zero(const uint8_t *at, uint64_t length)
{
	while (length--)
		if (*at++)
			return false;
	return true;
}

/* A copy of the status: 0, or which of magic, version and the rest is wrong. */
static int read_status(const uint8_t *copy, struct model_status *s)
{
	if (memcmp(copy, "RVMLOG\x1a\n", 8))
		return -EINVAL;
	if (model_get(copy + 4092, 4) != model_crc(0, copy, 4092))
		return -EUCLEAN;
	if (model_get(copy + 8, 4) != 1)
		return -EPROTO;
	s->sector = model_get(copy + 12, 4);
	memcpy(s->uuid, copy + 16, 16);
	s->generation = model_get(copy + 44, 4);
	s->sequence = model_get(copy + 48, 8);
	s->dict_size = model_get(copy + 64, 8);
	s->area_offset = model_get(copy + 72, 8);
	s->area_size = model_get(copy + 80, 8);
	s->head = model_get(copy + 88, 8);
	s->tail_hint = model_get(copy + 96, 8);
	s->clean = copy[104] & 1;
	if (model_get(copy + 104, 4) > 1 || !is_zero(copy + 108, 3984))
		return -EUCLEAN;
	if (s->sector != 512 && s->sector != 1024 && s->sector != 2048 && s->sector != 4096)
		return -EUCLEAN;
	if (model_get(copy + 56, 8) != 8192 || !s->dict_size || s->dict_size % 4096 ||
	    s->dict_size > 1 << 30)
		return -EUCLEAN;
	if (s->area_offset != 8192 + 2 * s->dict_size || !s->area_size || s->area_size % 4096 ||
	    (__uint128_t)s->area_offset + s->area_size > INT64_MAX)
		return -EUCLEAN;
	if (!s->generation || !s->sequence || s->head % 8 || s->tail_hint % 8 ||
	    s->head < s->area_size || s->head >> 63)
		return -EUCLEAN;
	if (s->head > s->tail_hint ||
	    s->tail_hint > (__uint128_t)s->head + s->area_size)
		return -EUCLEAN;
	return 0;
}

int model_status(const uint8_t *log, uint64_t size, struct model_status *out)
{
	struct model_status s[2];
	int err[2], i;

	if (size < 8192)
		return -EINVAL;
	for (i = 0; i < 2; i++)
		err[i] = read_status(log + i * 4096, &s[i]);
	if (err[0] == -EPROTO || err[1] == -EPROTO)
		return -EPROTO;
	if (err[0] && err[1])
		return err[0] == -EINVAL && err[1] == -EINVAL ? -EINVAL : -EUCLEAN;
	i = err[0] || (!err[1] && s[1].sequence > s[0].sequence);
	*out = s[i];
	out->copy = i;
	/* ro_compat and incompat: there are no features yet */
	if (model_get(log + i * 4096 + 36, 8))
		return -EPROTO;
	return size < out->area_offset + out->area_size ? -EUCLEAN : 0;
}

/* struct segment - an entry of the dictionary */
struct segment {
	uint32_t id;
	uint64_t length;
	char path[PATH_MAX];
};

/* The entries of a copy of the dictionary into @out, or -1 if it is not valid. */
static int read_dict(const uint8_t *copy, uint64_t size, const uint8_t uuid[16],
		     struct segment *out)
{
	uint64_t end = size - 4, at = 24, count, i, length, filled;
	uint32_t last = 0;

	if (memcmp(copy, "RVMDCT\x1a\n", 8))
		return -1;
	if (model_get(copy + end, 4) != model_crc(model_crc(0, uuid, 16), copy, end))
		return -1;
	count = model_get(copy + 16, 4);
	if (!model_get(copy + 8, 8) || model_get(copy + 20, 4))
		return -1;
	for (i = 0; i < count; i++) {
		if (end - at < 32)
			return -1;
		length = model_get(copy + at + 4, 4);
		filled = (length + 7) / 8 * 8;
		if (length < 2 || length > 4095 || filled > end - at - 32)
			return -1;
		if (copy[at + 32] != '/' || memchr(copy + at + 32, 0, length) ||
		    !is_zero(copy + at + 32 + length, filled - length))
			return -1;
		if (model_get(copy + at, 4) <= last)
			return -1;
		last = model_get(copy + at, 4);
		if (i < SEGMENTS) {
			out[i].id = last;
			out[i].length = model_get(copy + at + 8, 8);
			memcpy(out[i].path, copy + at + 32, length);
			out[i].path[length] = '\0';
		}
		at += 32 + filled;
	}
	if (!is_zero(copy + at, end - at))
		return -1;
	return count < SEGMENTS ? count : SEGMENTS;
}

static int load_dict(const uint8_t *log, const struct model_status *s, struct segment *out)
{
	const uint8_t *copy = log + 8192;
	int count[2], i;

	for (i = 0; i < 2; i++)
		count[i] = read_dict(copy + i * s->dict_size, s->dict_size, s->uuid, out);
	if (count[0] < 0 && count[1] < 0)
		return -EUCLEAN;
	i = count[0] < 0 || (count[1] >= 0 && model_get(copy + s->dict_size + 8, 8) >
			     model_get(copy + 8, 8));
	return read_dict(copy + i * s->dict_size, s->dict_size, s->uuid, out);
}

static void fetch(const uint8_t *area, uint64_t size, uint64_t lsn, uint64_t length, uint8_t *out)
{
	uint64_t at = lsn % size, first = length < size - at ? length : size - at;

	memcpy(out, area + at, first);
	memcpy(out + first, area, length - first);
}

/* Conditions 7 to 10 of a record whose bytes are all there. */
static bool check_ranges(const struct model_record *r)
{
	uint64_t rest = r->length - 64, sum = 0, i;
	const uint8_t *range = r->bytes + 48;

	if (r->type == 2)
		return !r->count && !r->tid && is_zero(range, rest);
	if (!r->count || r->count > rest / 16)
		return false;
	for (i = 0; i < r->count; i++, range += 16) {
		uint64_t length = model_get(range + 8, 4);

		if (!length || !model_get(range + 12, 4) ||
		    (__uint128_t)model_get(range, 8) + length > UINT64_MAX)
			return false;
		sum += length;
	}
	rest -= 16ULL * r->count;
	return rest == (sum + 7) / 8 * 8 && is_zero(range + sum, rest - sum);
}

bool model_record(const uint8_t *area, const struct model_status *s, uint64_t lsn, uint64_t limit,
		  struct model_record *out)
{
	static uint8_t *bytes;
	static uint64_t room;
	uint8_t header[48], generation[4];
	uint32_t crc, i;

	if (limit < lsn || limit - lsn < 64)
		return false;
	fetch(area, s->area_size, lsn, sizeof(header), header);
	out->type = model_get(header + 8, 2);
	out->count = model_get(header + 12, 4);
	out->length = model_get(header + 16, 8);
	out->lsn = model_get(header + 24, 8);
	out->durable = model_get(header + 32, 8);
	out->tid = model_get(header + 40, 8);
	if (memcmp(header, "RVMR", 4) || model_get(header + 4, 4) != s->generation ||
	    out->lsn != lsn || (out->type != 1 && out->type != 2) || model_get(header + 10, 2) ||
	    out->length % 8 || out->length < 64 || out->length > limit - lsn ||
	    out->durable > lsn)
		return false;
	if (room < out->length) {
		free(bytes);
		room = out->length;
		bytes = malloc(room);
		if (!bytes)
			abort();
	}
	fetch(area, s->area_size, lsn, out->length, bytes);
	out->bytes = bytes;
	if (!check_ranges(out) || model_get(bytes + out->length - 16, 8) != out->length ||
	    memcmp(bytes + out->length - 4, "RVMT", 4))
		return false;
	for (i = 0; i < 4; i++)
		generation[i] = s->generation >> 8 * i;
	crc = model_crc(model_crc(model_crc(0, s->uuid, 16), generation, 4), bytes,
			out->length - 8);
	return model_get(bytes + out->length - 8, 4) == crc;
}

void model_range(const struct model_record *record, uint32_t i, const uint8_t **data,
		 struct model_range *out)
{
	const uint8_t *range = record->bytes + 48 + 16ULL * i;

	if (!*data)
		*data = record->bytes + 48 + 16ULL * record->count;
	out->offset = model_get(range, 8);
	out->length = model_get(range + 8, 4);
	out->segment = model_get(range + 12, 4);
	out->data = *data;
	*data += out->length;
}

/* struct target - a segment that some record names */
struct target {
	uint32_t id;
	uint64_t end;
	struct model_file *file;
	uint8_t *bytes;		/* what the file is to hold */
};

/* struct work - a recovery under way */
struct work {
	struct segment segments[SEGMENTS];
	int count;
	struct model_file *files;
	size_t file_count;
	struct target targets[SEGMENTS];
	int target_count;
};

static int find_target(struct work *w, uint32_t id, struct target **out)
{
	struct target *t;
	size_t j;
	int i;

	for (i = 0; i < w->target_count; i++)
		if (w->targets[i].id == id) {
			*out = &w->targets[i];
			return 0;
		}
	for (i = 0; i < w->count && w->segments[i].id != id; i++)
		;
	if (i == w->count)
		return -EUCLEAN;
	for (j = 0; j < w->file_count && strcmp(w->files[j].path, w->segments[i].path); j++)
		;
	if (j == w->file_count)
		return -ENOENT;
	if (w->files[j].size < w->segments[i].length)
		return -EUCLEAN;
	t = &w->targets[w->target_count++];
	t->id = id;
	t->end = 0;
	t->file = &w->files[j];
	t->bytes = malloc(t->file->size + 1);
	if (!t->bytes)
		abort();
	memcpy(t->bytes, t->file->bytes, t->file->size);
	*out = t;
	return 0;
}

static int apply(struct work *w, const struct model_record *record)
{
	const uint8_t *data = NULL;
	struct model_range r;
	struct target *t;
	uint32_t i;
	int err;

	if (!w->files)
		return 0;
	for (i = 0; i < record->count; i++) {
		model_range(record, i, &data, &r);
		err = find_target(w, r.segment, &t);
		if (err)
			return err;
		if (t->end < r.offset + r.length)
			t->end = r.offset + r.length;
		if (r.offset + r.length <= t->file->size)
			memcpy(t->bytes + r.offset, r.data, r.length);
	}
	return 0;
}

/* Does a record beyond @lsn prove that all below it was durable? */
static bool is_proven(const uint8_t *area, const struct model_status *s, uint64_t lsn,
		      uint64_t limit)
{
	struct model_record record;
	uint64_t at;

	for (at = lsn + 8; at < limit; at += 8)
		if (model_record(area, s, at, limit, &record) && record.durable > lsn)
			return true;
	return false;
}

static int walk(struct work *w, const uint8_t *area, const struct model_status *s,
		struct model_result *result)
{
	uint64_t limit = s->clean ? s->tail_hint : s->head + s->area_size;
	struct model_record record;
	uint64_t lsn = s->head;
	int err, i;

	while (model_record(area, s, lsn, limit, &record)) {
		err = record.type == 1 ? apply(w, &record) : 0;
		if (err)
			return err;
		result->records += record.type == 1;
		lsn += record.length;
	}
	result->tail = lsn;
	if (lsn < s->tail_hint || (!s->clean && is_proven(area, s, lsn, limit)))
		return -EUCLEAN;
	for (i = 0; i < w->target_count; i++)
		if (w->targets[i].end > w->targets[i].file->size)
			return -EUCLEAN;
	return 0;
}

static bool is_odd(const struct work *w, const char *path)
{
	int i, j;

	for (i = 0; i < w->count; i++) {
		if (!strcmp(w->segments[i].path, path))
			return true;
		for (j = 0; j < i; j++)
			if (!strcmp(w->segments[i].path, w->segments[j].path))
				return true;
	}
	return false;
}

void model_recover(const uint8_t *log, uint64_t size, const char *path, struct model_file *files,
		   size_t count, struct model_result *result)
{
	static struct work w;
	struct model_status s;
	int i;

	memset(result, 0, sizeof(*result));
	w.files = files;
	w.file_count = count;
	w.target_count = 0;
	result->err = model_status(log, size, &s);
	if (result->err)
		return;
	result->head = s.head;
	w.count = load_dict(log, &s, w.segments);
	if (w.count < 0) {
		result->err = w.count;
		return;
	}
	result->odd = is_odd(&w, path);
	result->err = walk(&w, log + s.area_offset, &s, result);
	for (i = 0; i < w.target_count; i++) {
		if (!result->err)
			memcpy(w.targets[i].file->bytes, w.targets[i].bytes,
			       w.targets[i].file->size);
		free(w.targets[i].bytes);
	}
}
