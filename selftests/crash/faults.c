// SPDX-License-Identifier: GPL-2.0
/* Recovery of the disk in memory, with crashes and errors at each of its calls. */
#include <limits.h>

#include "blocks.h"
#include "err.h"
#include "faults.h"
#include "memdisk.h"
#include "recoverlog.h"
#include "script.h"

#define DEPTH	2

/* What happens at a call, and what is on the disk afterwards. */
enum fault {
	POWER_OLD,	/* power is lost at the call, nothing that was not synced survives */
	POWER_NEW,	/* the same, all of it survives */
	POWER_SOME,	/* the same, some of it */
	ERROR_ON,	/* the call returns EIO; power stays */
	ERROR_OLD,	/* the call returns EIO, then power is lost */
	ERROR_SOME,
	ERRORS_ON,	/* this call and all after it return EIO: what follows an error, too */
	ERRORS_SOME,	/* the same, then power is lost */
	ERROR_POWER,	/* the call returns EIO, and power is lost at the next one */
	NO_SPACE,	/* the call returns ENOSPC; power stays */
	SHORT_ON,	/* the call transfers a part: no error */
	SHORT_ERROR,	/* the same, and the call for the rest returns EIO */
	SHORT_POWER,	/* the same, and power is lost there */
	FAULTS,
};

#define NEVER	UINT_MAX

/**
 * struct kind - what a fault is made of
 * @name: what is told of it
 * @err: what the call returns; 0: power is lost there
 * @on: so do all calls after it
 * @next: what the next call returns, or 0
 * @power_next: power is lost at the next call
 * @loss: the choice of mem_power_loss() afterwards, or NEVER: power stays
 */
struct kind {
	const char *name;
	int err;
	bool on;
	int next;
	bool power_next;
	unsigned int loss;
};

static const struct kind kinds[FAULTS] = {
	[POWER_OLD] = { "power lost, old sectors", .loss = 0 },
	[POWER_NEW] = { "power lost, new sectors", .loss = 1 },
	[POWER_SOME] = { "power lost, some sectors", .loss = 2 },
	[ERROR_ON] = { "EIO", .err = -EIO, .loss = NEVER },
	[ERROR_OLD] = { "EIO, then power lost, old sectors", .err = -EIO, .loss = 0 },
	[ERROR_SOME] = { "EIO, then power lost, some sectors", .err = -EIO, .loss = 2 },
	[ERRORS_ON] = { "EIO from there on", .err = -EIO, .on = true, .loss = NEVER },
	[ERRORS_SOME] = {
		"EIO from there on, then power lost, some sectors",
		.err = -EIO, .on = true, .loss = 2
	},
	[ERROR_POWER] = {
		"EIO, power lost at the next call, some sectors",
		.err = -EIO, .power_next = true, .loss = 2
	},
	[NO_SPACE] = { "ENOSPC", .err = -ENOSPC, .loss = NEVER },
	[SHORT_ON] = { "a part transferred", .err = MEM_SHORT, .loss = NEVER },
	[SHORT_ERROR] = {
		"a part transferred, EIO for the rest",
		.err = MEM_SHORT, .next = -EIO, .loss = NEVER
	},
	[SHORT_POWER] = {
		"a part transferred, power lost before the rest, some sectors",
		.err = MEM_SHORT, .power_next = true, .loss = 2
	},
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

uint64_t faults_recover(char *text, size_t room)
{
	if (recover_closed(SCRIPT_LOG)) {
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
			      s->at[i], i + 1, kinds[s->what[i]].name);
	return false;
}

/* Without faults recovery succeeds, and does nothing more the next time. */
static bool finish(const struct search *s, unsigned int depth)
{
	uint64_t value;

	++*s->faults;
	if (recover_closed(SCRIPT_LOG))
		return wrong(s, depth, err_text());
	value = segments_hash();
	if (!expected(s, value))
		return wrong(s, depth, "another state");
	mem_power_loss(0);
	if (recover_closed(SCRIPT_LOG))
		return wrong(s, depth, err_text());
	return value == segments_hash() || wrong(s, depth, "another state the second time");
}

/* The next recovery meets a fault at that call. */
static void arrange(const struct kind *kind, unsigned int at)
{
	mem.power_at = kind->err ? kind->power_next ? at + 1 : 0 : at;
	mem.fail_at = kind->err ? at : 0;
	mem.fail_err = kind->err;
	mem.fail_on = kind->on;
	mem.fail_next = kind->next;
}

/* Recovers with that fault; *@hit: there was such a call. */
static bool recover_with(struct search *s, unsigned int depth, bool *hit)
{
	enum fault what = s->what[depth];
	const struct kind *kind = &kinds[what];
	int err;

	arrange(kind, s->at[depth]);
	err = recover_closed(SCRIPT_LOG);
	*hit = mem.dead || mem.failed;
	++*s->faults;
	if (!err && mem.dead)
		return wrong(s, depth + 1, "success without power");
	if (!err && kind->on && mem.failed > 1)
		return wrong(s, depth + 1, "success without a disk");
	if (err && what == SHORT_ON)
		return wrong(s, depth + 1, err_text());
	if (!err && !expected(s, segments_hash()))
		return wrong(s, depth + 1, "success with another state");
	if (kind->loss == NEVER)
		mem_heal();
	else
		mem_power_loss(kind->loss < 2 ? kind->loss : 2 + s->at[depth]);
	return true;
}

static bool search(struct search *s, unsigned int depth);

/*
 * All faults at the calls from the first to the last.  The second recovery has two at each, other
 * ones after another fault of the first, so that each pair comes up.
 */
static bool search_calls(struct search *s, unsigned int depth, const struct image *image)
{
	unsigned int call, i, first = depth ? s->at[0] + s->what[0] : 0;
	bool hit = true;

	for (call = 1; hit; call++) {
		for (i = 0; i < (depth ? 2 : FAULTS); i++) {
			put_back(image);
			s->at[depth] = call;
			s->what[depth] = (first + 2 * depth * call + i) % FAULTS;
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
