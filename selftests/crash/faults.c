// SPDX-License-Identifier: GPL-2.0
/* Recovery of the disk in memory, with crashes and errors at each of its calls. */
#include "blocks.h"
#include "err.h"
#include "faults.h"
#include "log.h"
#include "memdisk.h"
#include "recover.h"
#include "script.h"

#define DEPTH	2

/* What a call does that is not to succeed, and what is on the disk afterwards. */
enum fault {
	POWER_OLD,	/* power is lost at the call, nothing that was not synced survives */
	POWER_NEW,	/* the same, all of it survives */
	POWER_SOME,	/* the same, some of it */
	ERROR_ON,	/* the call returns EIO; power stays */
	ERROR_OLD,	/* the call returns EIO, then power is lost */
	ERROR_SOME,
	FAULTS,
};

static const char *const fault_names[] = {
	"power lost, old sectors", "power lost, new sectors", "power lost, some sectors",
	"EIO", "EIO, then power lost, old sectors", "EIO, then power lost, some sectors",
};

/* struct image - a copy of all files */
struct image {
	struct mem_file files[MEM_FILES];
};

/**
 * struct search - a search for a fault that recovery does not survive
 * @states: what may come of it
 * @count: how many
 * @faults: counts recoveries
 * @at: the calls that fail
 * @what: how
 * @text: what went wrong
 * @room: bytes of it
 */
struct search {
	const uint64_t *states;
	unsigned int count;
	uint64_t *faults;
	unsigned int at[DEPTH];
	enum fault what[DEPTH];
	char *text;
	size_t room;
};

static uint64_t segments_hash(void)
{
	const struct mem_file *second = mem_find(SCRIPT_B), *heap = mem_find(BLOCKS_FILE);

	return script_hash(mem_find(SCRIPT_A)->data, second ? second->data : (void *)"",
			   second ? second->size : 0,
			   heap ? blocks_hash_image(heap->data, heap->size) : 0);
}

static int recover(void)
{
	struct log *log;
	int err;

	err = log_open(SCRIPT_LOG, 0, false, &log);
	if (err)
		return err;
	err = recover_log(log, NULL, NULL, NULL);
	if (err)
		log_close(log);
	else
		err = log_close(log);
	return err;
}

uint64_t faults_recover(char *text, size_t room)
{
	if (recover()) {
		snprintf(text, room, "%s", err_text());
		return FAULTS_FAILED;
	}
	return segments_hash();
}

static void *copy(const void *bytes, size_t length)
{
	void *to = malloc(length + 1);

	if (!to)
		abort();
	return memcpy(to, bytes, length);
}

static void save(struct image *image)
{
	unsigned int i;

	memcpy(image->files, mem.files, sizeof(image->files));
	for (i = 0; i < MEM_FILES; i++) {
		struct mem_file *file = &image->files[i];

		if (!file->name[0])
			continue;
		file->data = copy(file->data, file->size);
		file->stable = copy(file->stable, file->size);
	}
}

/* A file may have lost its name, or a part of its length. */
static void put_back(const struct image *image)
{
	unsigned int i;

	mem_heal();
	for (i = 0; i < MEM_FILES; i++) {
		const struct mem_file *file = &image->files[i];
		struct mem_file *to;

		if (!file->name[0])
			continue;
		mem_put(file->name, file->data, file->size);
		to = mem_find(file->name);
		memcpy(to->stable, file->stable, file->size);
		to->stable_size = file->stable_size;
		to->entered = file->entered;
	}
}

static void forget(struct image *image)
{
	unsigned int i;

	for (i = 0; i < MEM_FILES; i++) {
		free(image->files[i].data);
		free(image->files[i].stable);
	}
}

static bool expected(const struct search *s, uint64_t value)
{
	unsigned int i;

	for (i = 0; i < s->count; i++)
		if (s->states[i] == value)
			return true;
	return false;
}

static bool wrong(const struct search *s, unsigned int depth, const char *what)
{
	unsigned int i;
	size_t n;

	n = snprintf(s->text, s->room, "recovery with faults: %s", what);
	for (i = 0; i < depth && n < s->room; i++)
		n += snprintf(s->text + n, s->room - n, "; at call %u of recovery %u: %s",
			      s->at[i], i + 1, fault_names[s->what[i]]);
	return false;
}

/* Without faults recovery succeeds, and does nothing more the next time. */
static bool finish(const struct search *s, unsigned int depth)
{
	uint64_t value;

	++*s->faults;
	if (recover())
		return wrong(s, depth, err_text());
	value = segments_hash();
	if (!expected(s, value))
		return wrong(s, depth, "another state");
	mem_power_loss(0);
	if (recover())
		return wrong(s, depth, err_text());
	return value == segments_hash() || wrong(s, depth, "another state the second time");
}

/* Recovers with that fault; *@hit: there was such a call. */
static bool recover_with(struct search *s, unsigned int depth, bool *hit)
{
	enum fault what = s->what[depth];
	bool power = what <= POWER_SOME;
	int err;

	mem.power_at = power ? s->at[depth] : 0;
	mem.fail_at = power ? 0 : s->at[depth];
	mem.fail_err = -EIO;
	err = recover();
	*hit = mem.dead || mem.failed;
	++*s->faults;
	if (!err && mem.dead)
		return wrong(s, depth + 1, "success without power");
	if (!err && !expected(s, segments_hash()))
		return wrong(s, depth + 1, "success with another state");
	switch (what) {
	case POWER_OLD:
	case ERROR_OLD:
		mem_power_loss(0);
		break;
	case POWER_NEW:
		mem_power_loss(1);
		break;
	case POWER_SOME:
	case ERROR_SOME:
		mem_power_loss(2 + s->at[depth]);
		break;
	default:
		mem_heal();
	}
	return true;
}

static bool search(struct search *s, unsigned int depth);

/* All faults at the calls from the first to the last; the second recovery has one of each kind. */
static bool search_calls(struct search *s, unsigned int depth, const struct image *image)
{
	unsigned int call, what;
	bool hit = true;

	for (call = 1; hit; call++) {
		for (what = depth ? call % 3 : 0; what < FAULTS; what += depth ? 3 : 1) {
			put_back(image);
			s->at[depth] = call;
			s->what[depth] = what;
			if (!recover_with(s, depth, &hit))
				return false;
			if (hit && !search(s, depth + 1))
				return false;
		}
	}
	return true;
}

static bool search(struct search *s, unsigned int depth)
{
	struct image image;
	bool good = true;

	save(&image);
	if (depth < DEPTH)
		good = search_calls(s, depth, &image);
	if (good) {
		put_back(&image);
		good = finish(s, depth);
	}
	forget(&image);
	return good;
}

bool faults_check(const uint64_t *states, unsigned int count, uint64_t *faults, char *text,
		  size_t room)
{
	struct search s = { .states = states, .count = count, .faults = faults, .text = text,
			    .room = room };

	return search(&s, 0);
}
