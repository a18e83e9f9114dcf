// SPDX-License-Identifier: GPL-2.0
/* The crash states of a run. */
#include "faults.h"
#include "seen.h"
#include "states.h"

#define SECTOR_MAX	4096U
#define FILE_MAX	131072U
#define SECTORS		(FILE_MAX / 512)
#define PENDING		1024
#define KILLS		20	/* kills are so much rarer than losses of power */
#define SYNCS		8	/* under way at once */

/**
 * struct pending - something that is not durable
 * @what: MEM_WRITE: a sector; MEM_SIZED; MEM_NAMED
 * @file: of which file
 * @number: of the write
 * @syncs: those under way that will make it durable, a bit for each
 * @returned: the write has returned, so that a sync that begins now is about it
 * @sector: which
 * @size: of MEM_SIZED
 * @hash: of the sector
 * @bytes: of the sector
 */
struct pending {
	enum mem_what what;
	int file;
	unsigned int number;
	unsigned int syncs;
	bool returned;
	unsigned int sector;
	uint64_t size;
	uint64_t hash;
	unsigned char bytes[SECTOR_MAX];
};

/**
 * struct side - a file
 * @stable: what is durable
 * @seen: what a reader sees
 * @size: durable
 * @exists: its name is durable
 * @hash: of each durable sector
 * @at: of the image that is made: the last chosen write of each sector + 1, or 0
 */
struct side {
	unsigned char stable[FILE_MAX];
	unsigned char seen[FILE_MAX];
	uint64_t size;
	bool exists;
	uint64_t hash[SECTORS];
	unsigned int at[SECTORS];
};

/* How a sector that is not whole looks. */
enum tear {
	WHOLE,
	FIRST_HALF,
	SECOND_HALF,
	GARBAGE,
	ZERO,
	TEARS,
};

static const char *const tear_names[] = { "", "first half of", "second half of", "garbage for",
					  "zeros for" };

/**
 * struct disk - the disk after some events
 * @script: what was run
 * @run: what it did
 * @sector: bytes written as one
 * @files: its files
 * @sum: of the hashes of all durable sectors
 * @pending: what is not durable, in the order in which it was done
 * @count: how many
 * @syncs: numbers of the syncs under way; 0: none
 * @chosen: of the image at hand: which of them are on the disk
 * @torn: which one is torn
 * @tear: how
 * @low: number of the first state that may be found
 * @high: of the last
 * @every: of so many new images one is recovered with faults
 * @counts: what was done
 * @failure: what went wrong
 */
static struct disk {
	const struct script *script;
	const struct script_run *run;
	unsigned int sector;
	struct side files[TRACE_FILES];
	uint64_t sum;
	struct pending pending[PENDING];
	unsigned int count;
	unsigned int syncs[SYNCS];
	bool chosen[PENDING];
	unsigned int torn;
	enum tear tear;
	unsigned int low;
	unsigned int high;
	unsigned int every;
	struct states_count *counts;
	struct states_failure *failure;
} disk;

/* The hash of an image is the sum of those of its sectors, so that little work changes it. */
static uint64_t hash_sector(int file, unsigned int sector, const void *bytes)
{
	return seen_hash(file * 65536 + sector + 17, bytes, disk.sector);
}

static void settle_sector(struct side *side, int file, unsigned int sector, const void *bytes)
{
	disk.sum -= side->hash[sector];
	memcpy(side->stable + sector * disk.sector, bytes, disk.sector);
	side->hash[sector] = hash_sector(file, sector, bytes);
	disk.sum += side->hash[sector];
}

static void load(const struct trace *trace)
{
	unsigned int s;
	int i;

	for (i = 0; i < TRACE_FILES; i++) {
		const struct trace_image *image = &trace->files[i];
		struct side *side = &disk.files[i];

		memset(side, 0, sizeof(*side));
		memcpy(side->stable, image->bytes, image->size);
		memcpy(side->seen, image->bytes, image->size);
		side->size = image->size;
		side->exists = image->exists;
		for (s = 0; s * disk.sector < FILE_MAX; s++) {
			side->hash[s] = hash_sector(i, s, side->stable + s * disk.sector);
			disk.sum += side->hash[s];
		}
	}
}

static void forget(struct pending *p)
{
	p->number = 0;
	p->syncs = 0;
}

/* What is durable is pending no more, nor is what was written there before. */
static void settle(bool (*is)(const struct pending *p, unsigned int number), unsigned int number)
{
	unsigned int i, j, kept;

	for (i = 0; i < disk.count; i++) {
		struct pending *p = &disk.pending[i];
		struct side *side = p->file == MEM_DIR ? NULL : &disk.files[p->file];

		if (!is(p, number))
			continue;
		if (p->what == MEM_WRITE)
			settle_sector(side, p->file, p->sector, p->bytes);
		else if (p->what == MEM_SIZED)
			side->size = p->size;
		else
			side->exists = true;
		for (j = 0; j <= i; j++)
			if (disk.pending[j].what == p->what && disk.pending[j].file == p->file &&
			    disk.pending[j].sector == p->sector)
				forget(&disk.pending[j]);
	}
	for (i = 0, kept = 0; i < disk.count; i++)
		if (disk.pending[i].number)
			disk.pending[kept++] = disk.pending[i];
	disk.count = kept;
}

static bool of_write(const struct pending *p, unsigned int number)
{
	return p->number == number;
}

static bool of_sync(const struct pending *p, unsigned int slot)
{
	return p->syncs >> slot & 1;
}

/* Where a sync under way is noted; 0: where another one may be. */
static unsigned int slot_of(unsigned int number)
{
	unsigned int slot = 0;

	while (disk.syncs[slot] != number)
		if (++slot == SYNCS)
			abort();
	return slot;
}

static struct pending *add(const struct mem_event *event)
{
	struct pending *p = &disk.pending[disk.count++];

	if (disk.count > PENDING)
		abort();
	memset(p, 0, offsetof(struct pending, bytes));
	p->what = event->what;
	p->file = event->file;
	p->number = event->number ? event->number : UINT32_MAX;
	return p;
}

/* A sector holds what a reader would see of it once the write is done. */
static void note_write(const struct mem_event *event)
{
	struct side *side = &disk.files[event->file];
	unsigned int s = event->offset / disk.sector;

	if (event->offset + event->length > FILE_MAX)
		abort();
	memcpy(side->seen + event->offset, event->bytes, event->length);
	for (; s * disk.sector < event->offset + event->length; s++) {
		struct pending *p = add(event);

		p->sector = s;
		memcpy(p->bytes, side->seen + s * disk.sector, disk.sector);
		p->hash = hash_sector(event->file, s, p->bytes);
	}
}

static void note_return(const struct mem_event *event)
{
	unsigned int i;

	for (i = 0; i < disk.count; i++) {
		struct pending *p = &disk.pending[i];

		if (p->number == event->number)
			p->returned = true;
		if (event->durable && p->what == MEM_SIZED && p->file == event->file)
			p->number = event->number;
	}
	if (event->durable)
		settle(of_write, event->number);
}

/* A name is the directory's; a sync of the file makes its size durable, too. */
static void note_sync(const struct mem_event *event)
{
	unsigned int slot = slot_of(0), i;

	disk.syncs[slot] = event->number;
	for (i = 0; i < disk.count; i++) {
		struct pending *p = &disk.pending[i];
		bool name = p->what == MEM_NAMED;

		if (event->file == MEM_DIR ? name : !name && p->file == event->file &&
		    (p->what == MEM_SIZED || p->returned))
			p->syncs |= 1U << slot;
	}
}

/* The first of several syncs that returns makes durable what it is about. */
static void note_synced(const struct mem_event *event)
{
	unsigned int slot = slot_of(event->number), i;

	settle(of_sync, slot);
	for (i = 0; i < disk.count; i++)
		disk.pending[i].syncs &= ~(1U << slot);
	disk.syncs[slot] = 0;
}

static void note_disk(const struct mem_event *event)
{
	switch (event->what) {
	case MEM_WRITE:
		note_write(event);
		break;
	case MEM_WRITTEN:
		note_return(event);
		break;
	case MEM_SYNC:
		note_sync(event);
		break;
	case MEM_SYNCED:
		note_synced(event);
		break;
	case MEM_SIZED:
		add(event)->size = event->length;
		break;
	case MEM_NAMED:
		add(event);
		break;
	}
}

static void fill(unsigned char *to, const struct pending *p, const unsigned char *old)
{
	unsigned int half = disk.sector / 2, i, seed = p->number * 31 + p->sector;

	memcpy(to, old, disk.sector);
	switch (disk.tear) {
	case FIRST_HALF:
		memcpy(to, p->bytes, half);
		break;
	case SECOND_HALF:
		memcpy(to + half, p->bytes + half, half);
		break;
	case GARBAGE:
		for (i = 0; i < disk.sector; i++)
			to[i] = rand_r(&seed) >> 7;
		break;
	case ZERO:
		memset(to, 0, disk.sector);
		break;
	default:
		memcpy(to, p->bytes, disk.sector);
	}
}

/* The bytes of a pending sector in the image at hand. */
static const unsigned char *bytes_of(unsigned int i, unsigned char torn[SECTOR_MAX])
{
	const struct pending *p = &disk.pending[i];
	const struct side *side = &disk.files[p->file];

	if (disk.tear == WHOLE || i != disk.torn)
		return p->bytes;
	fill(torn, p, side->stable + p->sector * disk.sector);
	return torn;
}

/* Sizes and names of the image at hand; its sectors beyond the end of their file are none. */
static void choose_sizes(uint64_t size[TRACE_FILES], bool exists[TRACE_FILES])
{
	unsigned int i;

	for (i = 0; i < TRACE_FILES; i++) {
		size[i] = disk.files[i].size;
		exists[i] = disk.files[i].exists;
	}
	for (i = 0; i < disk.count; i++) {
		const struct pending *p = &disk.pending[i];

		if (disk.chosen[i] && p->what == MEM_SIZED)
			size[p->file] = p->size;
		if (disk.chosen[i] && p->what == MEM_NAMED)
			exists[p->file] = true;
	}
}

static uint64_t hash_image(const uint64_t size[TRACE_FILES], const bool exists[TRACE_FILES])
{
	unsigned char torn[SECTOR_MAX];
	uint64_t sum = disk.sum, meta[2 * TRACE_FILES];
	unsigned int i;

	for (i = disk.count; i--;) {
		const struct pending *p = &disk.pending[i];
		struct side *side = &disk.files[p->file];

		if (!disk.chosen[i] || p->what != MEM_WRITE || side->at[p->sector] ||
		    p->sector * disk.sector >= size[p->file])
			continue;
		side->at[p->sector] = i + 1;
		sum -= side->hash[p->sector];
		sum += disk.tear == WHOLE || i != disk.torn ? p->hash :
		       hash_sector(p->file, p->sector, bytes_of(i, torn));
	}
	for (i = 0; i < disk.count; i++)
		if (disk.pending[i].what == MEM_WRITE)
			disk.files[disk.pending[i].file].at[disk.pending[i].sector] = 0;
	for (i = 0; i < TRACE_FILES; i++) {
		meta[2 * i] = size[i];
		meta[2 * i + 1] = exists[i];
	}
	return seen_hash(sum, meta, sizeof(meta));
}

static const char *name_of(int file)
{
	return disk.run->trace.files[file].name;
}

/* Puts the image at hand into the memory that recovery works on. */
static void make_image(const uint64_t size[TRACE_FILES], const bool exists[TRACE_FILES])
{
	unsigned char torn[SECTOR_MAX];
	unsigned int i;

	for (i = 0; i < TRACE_FILES; i++) {
		if (exists[i])
			mem_put(name_of(i), disk.files[i].stable, size[i]);
		else if (name_of(i)[0])
			mem_unlink(name_of(i));
	}
	for (i = 0; i < disk.count; i++) {
		const struct pending *p = &disk.pending[i];
		uint64_t at = p->sector * disk.sector;

		if (disk.chosen[i] && p->what == MEM_WRITE && exists[p->file] &&
		    at < size[p->file])
			memcpy(mem_find(name_of(p->file))->data + at, bytes_of(i, torn),
			       disk.sector);
	}
	for (i = 0; i < TRACE_FILES; i++)
		if (exists[i])
			memcpy(mem_find(name_of(i))->stable, mem_find(name_of(i))->data, size[i]);
}

static bool in_window(uint64_t value)
{
	unsigned int i;

	for (i = disk.low; i <= disk.high; i++)
		if (disk.run->states[i] == value)
			return true;
	return false;
}

/* Which pending writes are on the disk, as ranges of their numbers. */
static void describe(char *text, size_t room)
{
	unsigned int i, first = 0;
	size_t n;

	n = snprintf(text, room, "of %u pending:", disk.count);
	for (i = 0; i <= disk.count; i++) {
		bool on = i < disk.count && disk.chosen[i];

		if (on && (!i || !disk.chosen[i - 1]))
			first = i;
		if (!on && i && disk.chosen[i - 1] && n < room)
			n += snprintf(text + n, room - n, " %u-%u", first, i - 1);
	}
	if (disk.tear != WHOLE && n < room)
		snprintf(text + n, room - n, ", %s %u", tear_names[disk.tear], disk.torn);
}

static bool refuse(uint64_t value, const char *text)
{
	describe(disk.failure->how, sizeof(disk.failure->how));
	if (text)
		snprintf(disk.failure->why, sizeof(disk.failure->why), "%s", text);
	else
		snprintf(disk.failure->why, sizeof(disk.failure->why),
			 "%s, not one of the states %u to %u",
			 value == FAULTS_FAILED ? "recovery fails" : "recovered to another state",
			 disk.low, disk.high);
	return false;
}

static bool recover_new(const uint64_t size[TRACE_FILES], const bool exists[TRACE_FILES],
			uint64_t image, uint64_t *value)
{
	char text[512];

	make_image(size, exists);
	*value = faults_recover(text, sizeof(text));
	disk.counts->images++;
	seen_add(image, *value);
	if (*value == FAULTS_FAILED)
		return refuse(*value, text);
	if (!disk.every || image % disk.every)
		return true;
	make_image(size, exists);
	if (faults_check(disk.run->states + disk.low, disk.high - disk.low + 1,
			 &disk.counts->faults, text, sizeof(text)))
		return true;
	return refuse(*value, text);
}

/* Of a file that was made durable only what is. */
static void unsettle(struct mem_file *file, const struct side *side)
{
	memcpy(file->stable, side->stable, file->size);
	file->stable_size = side->size;
	file->entered = side->exists;
}

/*
 * The program is killed, power stays: the next one reads what is not durable, too, and power may
 * be lost while it recovers.
 */
static bool check_kill(void)
{
	uint64_t size[TRACE_FILES];
	bool exists[TRACE_FILES];
	char text[512];
	unsigned int i;

	memset(disk.chosen, true, disk.count);
	choose_sizes(size, exists);
	if (!disk.every || hash_image(size, exists) % (disk.every / KILLS + 1))
		return true;
	make_image(size, exists);
	for (i = 0; i < TRACE_FILES; i++)
		if (exists[i])
			unsettle(mem_find(name_of(i)), &disk.files[i]);
	if (faults_check(disk.run->states + disk.low, disk.high - disk.low + 1,
			 &disk.counts->faults, text, sizeof(text)))
		return true;
	return refuse(0, text);
}

/* Recovers the image at hand, unless that was done before, and looks at what came of it. */
static bool check(void)
{
	uint64_t size[TRACE_FILES];
	bool exists[TRACE_FILES];
	uint64_t image, value;

	choose_sizes(size, exists);
	image = hash_image(size, exists);
	if (!seen_find(image, &value) && !recover_new(size, exists, image, &value))
		return false;
	disk.counts->checks++;
	return in_window(value) || refuse(value, NULL);
}

static void choose_all(bool on)
{
	memset(disk.chosen, on, disk.count);
}

static bool check_all_subsets(void)
{
	unsigned int set, i;

	for (set = 0; set < 1U << disk.count; set++) {
		for (i = 0; i < disk.count; i++)
			disk.chosen[i] = set >> i & 1;
		if (!check())
			return false;
	}
	return true;
}

/* One alone, and all but that. */
static bool check_single(unsigned int i, bool others)
{
	choose_all(others);
	disk.chosen[i] = !others;
	return check();
}

/* What was written before, or from there on. */
static bool check_front(unsigned int n, bool others)
{
	choose_all(others);
	memset(disk.chosen, !others, n);
	return check();
}

static bool check_random(unsigned int seed)
{
	unsigned int i;

	for (i = 0; i < disk.count; i++)
		disk.chosen[i] = rand_r(&seed) >> 5 & 1;
	return check();
}

static bool check_some_subsets(void)
{
	unsigned int i, done = 4 * disk.count;

	for (i = 0; i < disk.count; i++)
		if (!check_single(i, false) || !check_single(i, true) ||
		    !check_front(i, false) || !check_front(i, true))
			return false;
	for (i = 0; i == 0 || done + i < STATES_SEEDS; i++)
		if (!check_random(i * 7919 + disk.count))
			return false;
	return true;
}

static bool check_torn(unsigned int i)
{
	enum tear last = disk.pending[i].file == 0 ? ZERO : SECOND_HALF;
	int others;

	disk.torn = i;
	for (others = 0; others < 2; others++) {
		choose_all(others);
		disk.chosen[i] = true;
		for (disk.tear = FIRST_HALF; disk.tear <= last; disk.tear++)
			if (!check())
				return false;
	}
	disk.tear = WHOLE;
	return true;
}

static bool check_point(void)
{
	unsigned int i;

	disk.tear = WHOLE;
	disk.counts->points++;
	if (!check_kill())
		return false;
	if (!(disk.count <= STATES_FEW ? check_all_subsets() : check_some_subsets()))
		return false;
	for (i = 0; i < disk.count; i++)
		if (disk.pending[i].what == MEM_WRITE && !check_torn(i))
			return false;
	return true;
}

/* Does an event bring images that there were not, or fewer states that they may hold? */
static bool note(const struct trace_event *event)
{
	if (event->kind == TRACE_COMMIT) {
		disk.high = event->n;
		return false;
	}
	if (event->kind == TRACE_ACK) {
		if (disk.low < event->n)
			disk.low = event->n;
		return true;
	}
	note_disk(&event->disk);
	return event->disk.what != MEM_WRITTEN && event->disk.what != MEM_SYNC &&
	       event->disk.what != MEM_SYNCED;
}

bool states_check(const struct script *script, const struct script_run *run, unsigned int faults,
		  struct states_count *count, struct states_failure *failure)
{
	size_t i;

	disk.script = script;
	disk.run = run;
	disk.sector = script->disk.sector;
	disk.sum = 0;
	disk.count = 0;
	memset(disk.syncs, 0, sizeof(disk.syncs));
	disk.low = 0;
	disk.high = 0;
	disk.every = faults;
	disk.counts = count;
	disk.failure = failure;
	load(&run->trace);
	mem_install();
	mem.sector = script->disk.sector;
	mem.sync_writes = script->disk.dsync;
	for (i = 0; i < run->trace.count; i++) {
		failure->event = i + 1;
		if (note(&run->trace.events[i]) && !check_point())
			return false;
	}
	return true;
}
