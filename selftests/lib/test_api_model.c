// SPDX-License-Identifier: GPL-2.0
/*
 * Random transactions against a model of what memory and segment must hold.
 *
 * A process begins, stores, commits and aborts one tracked and two explicit
 * transactions side by side, strays, flushes, truncates and maps anew, and
 * after some steps dies.  What is recovered must be one of the states between the last
 * commit that was flushed and the last commit; the next process goes on there.
 * RVM_SEED repeats a run, RVM_LIVES makes it longer.
 */
#include "api.h"

#include <time.h>

#define BYTES	(16 * PAGE)	/* the region */
#define STATES	12		/* commits that may be unflushed */
#define STEPS	120		/* of one life, on average */
#define LIVES	40
#define LIVES_VM	10	/* in the VM, which is slow */

/* Who has changed or declared a byte and has not ended. */
enum owner {
	NOBODY,
	EXPLICIT_A,
	EXPLICIT_B,
	TRACKED,
	STRAY,
};

/**
 * struct model - what the test knows, in memory that outlives a process
 * @seed: state of the random numbers
 * @state: committed images; [0] is durable
 * @n_states: how many count; the last is the newest
 * @live: what memory holds
 * @owner: of each byte
 * @open: by owner
 * @loose: pages that an explicit transaction holds, or may have left writable:
 *	the module does not see a stray there
 */
struct model {
	unsigned long seed;
	unsigned char state[STATES][BYTES];
	unsigned int n_states;
	unsigned char live[BYTES];
	unsigned char owner[BYTES];
	bool open[TRACKED + 1];
	bool loose[BYTES / PAGE];
};

struct game {
	struct place place;
	struct model *model;
	unsigned long flag;
	bool incremental;
	rvm_region_t region;
	rvm_tid_t tid[TRACKED + 1];
	char *at;
};

static unsigned long pick(struct model *m, unsigned long below)
{
	m->seed = m->seed * 6364136223846793005UL + 1442695040888963407UL;
	return (m->seed >> 33) % below;
}

static unsigned char *newest(struct model *m)
{
	return m->state[m->n_states - 1];
}

/* Everything committed is durable now. */
static void flushed(struct model *m)
{
	if (m->n_states > 1)
		memcpy(m->state[0], newest(m), BYTES);
	m->n_states = 1;
}

/* Nobody but @owner has a claim on these bytes. */
static bool is_free(const struct model *m, size_t at, size_t n, enum owner owner)
{
	size_t i;

	for (i = at; i < at + n; i++)
		if (m->owner[i] != NOBODY && m->owner[i] != owner)
			return false;
	return true;
}

/* May this owner store here, and will it be seen? */
static bool may_store(const struct game *g, size_t at, size_t n, enum owner owner)
{
	const struct model *m = g->model;
	size_t page;

	if (owner == STRAY && g->flag == RVM_TRACK_KMOD)
		for (page = at / PAGE; page <= (at + n - 1) / PAGE; page++)
			if (m->loose[page])
				return false;
	return is_free(m, at, n, owner);
}

static void store(struct game *g, size_t at, size_t n, enum owner owner)
{
	struct model *m = g->model;
	unsigned char value = (unsigned char)pick(m, 256);
	size_t page;

	if (owner < TRACKED)
		for (page = at / PAGE; page <= (at + n - 1) / PAGE; page++)
			m->loose[page] = true;
	memset(m->owner + at, owner, n);
	memset(m->live + at, value, n);
	memset(g->at + at, value, n);
}

static void step_store(struct game *g)
{
	struct model *m = g->model;
	enum owner owner = EXPLICIT_A + pick(m, 4);
	size_t n = 1 + pick(m, pick(m, 8) ? 100 : 2 * PAGE);
	size_t at = pick(m, BYTES - n);

	if (owner == STRAY && (m->open[TRACKED] || pick(m, 4)))
		return;
	if (owner != STRAY && !m->open[owner])
		return;
	if (g->flag == RVM_TRACK_NONE && owner >= TRACKED)
		return;
	if (!may_store(g, at, n, owner))
		return;
	if (owner < TRACKED)
		need(rvm_set_range(&g->tid[owner], g->at + at, n) == RVM_SUCCESS);
	store(g, at, n, owner);
}

/* A tracked transaction begins: pages that no explicit one holds are armed again. */
static void arm(struct model *m)
{
	size_t i;

	memset(m->loose, 0, sizeof(m->loose));
	for (i = 0; i < BYTES; i++)
		if (m->owner[i] == EXPLICIT_A || m->owner[i] == EXPLICIT_B)
			m->loose[i / PAGE] = true;
}

static void step_begin(struct game *g)
{
	enum owner owner = EXPLICIT_A + pick(g->model, 3);
	rvm_mode_t mode = owner == TRACKED ? rvm_tracked : restore;

	if (g->model->open[owner] || (owner == TRACKED && g->flag == RVM_TRACK_NONE))
		return;
	need(rvm_begin_transaction(&g->tid[owner], mode) == RVM_SUCCESS);
	g->model->open[owner] = true;
	if (owner == TRACKED)
		arm(g->model);
}

/* A tracked transaction ends with the strays that it found. */
static bool ends(const struct model *m, size_t i, enum owner owner)
{
	return m->owner[i] == owner || (owner == TRACKED && m->owner[i] == STRAY);
}

static void step_commit(struct game *g, enum owner owner)
{
	struct model *m = g->model;
	bool durable = m->n_states == STATES || !pick(m, 3);
	size_t i;

	if (durable)
		flushed(m);
	memcpy(m->state[m->n_states], newest(m), BYTES);
	m->n_states++;
	for (i = 0; i < BYTES; i++) {
		if (ends(m, i, owner)) {
			newest(m)[i] = m->live[i];
			m->owner[i] = NOBODY;
		}
	}
	need(rvm_end_transaction(&g->tid[owner], durable ? flush : no_flush) == RVM_SUCCESS);
	if (durable)
		flushed(m);
}

static void step_abort(struct game *g, enum owner owner)
{
	struct model *m = g->model;
	size_t i;

	need(rvm_abort_transaction(&g->tid[owner]) == RVM_SUCCESS);
	for (i = 0; i < BYTES; i++) {
		if (ends(m, i, owner)) {
			m->live[i] = newest(m)[i];
			m->owner[i] = NOBODY;
		}
	}
}

static void step_end(struct game *g)
{
	enum owner owner = EXPLICIT_A + pick(g->model, 3);

	if (!g->model->open[owner])
		return;
	if (pick(g->model, 3))
		step_commit(g, owner);
	else
		step_abort(g, owner);
	g->model->open[owner] = false;
}

static void map_game(struct game *g)
{
	need(map_part(&g->region, g->place.seg, PAGE, BYTES, g->flag) == RVM_SUCCESS);
	g->at = g->region.vmaddr;
	memset(g->model->loose, 0, sizeof(g->model->loose));
}

static void start(struct game *g)
{
	rvm_options_t options;

	place_options(&g->place, &options);
	options.create_log_size = rvm_mk_offset(0, 96 * 1024);
	options.truncate = pick(g->model, 2) ? 60 : 0;
	if (g->incremental) {
		options.flags |= RVM_INCREMENTAL_TRUNCATION;
		options.truncate = pick(g->model, 4) ? 10 : 0;
	}
	need(RVM_INIT(&options) == RVM_SUCCESS);
	map_game(g);
	rvm_init_tid(&g->tid[EXPLICIT_A]);
	rvm_init_tid(&g->tid[EXPLICIT_B]);
	rvm_init_tid(&g->tid[TRACKED]);
}

/* What is in memory and, after a truncation, in the segment. */
static void step_check(struct game *g)
{
	struct model *m = g->model;
	unsigned char segment[BYTES];

	need(!memcmp(g->at, m->live, BYTES));
	if (pick(m, 3))
		return;
	need(rvm_truncate() == RVM_SUCCESS);
	flushed(m);
	need(file_read(g->place.seg, PAGE, segment, BYTES));
	need(!memcmp(segment, newest(m), BYTES));
	need(!memcmp(g->at, m->live, BYTES));
}

static void step_flush(struct game *g)
{
	need(rvm_flush() == RVM_SUCCESS);
	flushed(g->model);
}

/* Unmapping forgets the strays; ending the library's life makes all commits durable. */
static void step_map_anew(struct game *g)
{
	struct model *m = g->model;

	if (m->open[EXPLICIT_A] || m->open[EXPLICIT_B] || m->open[TRACKED])
		return;
	need(rvm_unmap(&g->region) == RVM_SUCCESS);
	memcpy(m->live, newest(m), BYTES);
	memset(m->owner, NOBODY, BYTES);
	if (pick(m, 2)) {
		need(rvm_terminate() == RVM_SUCCESS);
		flushed(m);
		start(g);
	} else {
		map_game(g);
	}
	need(!memcmp(g->at, m->live, BYTES));
}

/* The kinds of steps; how often one stands here is how often it is made. */
static void (*const steps[])(struct game *) = {
	step_begin, step_begin, step_begin, step_begin, step_store, step_store, step_store,
	step_store, step_store, step_store, step_store, step_store, step_store, step_store,
	step_store, step_store, step_end, step_end, step_end, step_end, step_check,
	step_flush, step_map_anew,
};

static void live(void *arg)
{
	struct game *g = arg;
	unsigned long n = pick(g->model, 2 * STEPS);

	start(g);
	need(!memcmp(g->at, g->model->live, BYTES));
	while (n--)
		steps[pick(g->model, ARRAY_SIZE(steps))](g);
}

/* How a segment differs from a state, for whoever looks for the reason. */
static void explain(const struct model *m, const unsigned char *segment)
{
	unsigned int i, n;
	size_t j, first;

	for (i = 0; i < m->n_states; i++) {
		n = 0;
		first = 0;
		for (j = BYTES; j--;) {
			if (segment[j] == m->state[i][j])
				continue;
			n++;
			first = j;
		}
		fprintf(stderr, "# state %u of %u: %u bytes differ, first at 0x%zx: %#x not %#x\n",
			i, m->n_states, n, first, segment[first], m->state[i][first]);
	}
}

/* After a crash: which of the committed states was recovered?  The model goes on from it. */
static bool recovered(struct game *g)
{
	struct model *m = g->model;
	unsigned char segment[BYTES];
	unsigned int i;

	if (place_recover(&g->place) || !file_read(g->place.seg, PAGE, segment, BYTES)) {
		fprintf(stderr, "# recovery: %s\n", rvm_error());
		return false;
	}
	for (i = 0; i < m->n_states; i++) {
		if (memcmp(segment, m->state[i], BYTES))
			continue;
		memcpy(m->state[0], segment, BYTES);
		memcpy(m->live, segment, BYTES);
		m->n_states = 1;
		memset(m->owner, NOBODY, BYTES);
		memset(m->open, 0, sizeof(m->open));
		return true;
	}
	explain(m, segment);
	return false;
}

FIXTURE(model) {
	struct game game;
};

FIXTURE_VARIANT(model)
{
	unsigned long flag;
	bool incremental;
};

FIXTURE_VARIANT_ADD(model, kmod) { .flag = RVM_TRACK_KMOD };
FIXTURE_VARIANT_ADD(model, uffd) { .flag = RVM_TRACK_UFFD };
FIXTURE_VARIANT_ADD(model, sigsegv) { .flag = RVM_TRACK_SIGSEGV };
FIXTURE_VARIANT_ADD(model, none) { .flag = RVM_TRACK_NONE };
FIXTURE_VARIANT_ADD(model, kmod_incremental) { .flag = RVM_TRACK_KMOD, .incremental = true };
FIXTURE_VARIANT_ADD(model, uffd_incremental) { .flag = RVM_TRACK_UFFD, .incremental = true };
FIXTURE_VARIANT_ADD(model, sigsegv_incremental) { .flag = RVM_TRACK_SIGSEGV, .incremental = true };
FIXTURE_VARIANT_ADD(model, none_incremental) { .flag = RVM_TRACK_NONE, .incremental = true };

FIXTURE_SETUP(model)
{
	self->game.flag = variant->flag;
	self->game.incremental = variant->incremental;
	ASSERT_TRUE(place_make(&self->game.place));
	self->game.model = mmap(NULL, sizeof(struct model), PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)self->game.model);
	self->game.model->n_states = 1;
}

FIXTURE_TEARDOWN(model)
{
	place_remove(&self->game.place);
}

TEST_F_TIMEOUT(model, lives_of_random_transactions_end_in_a_committed_state, 300)
{
	const char *seed = getenv("RVM_SEED"), *lives = getenv("RVM_LIVES");
	unsigned long first = seed ? strtoul(seed, NULL, 0) : (unsigned long)time(NULL);
	unsigned long i, n = lives ? strtoul(lives, NULL, 0) : getenv("RVM_VM") ? LIVES_VM : LIVES;
	struct game *g = &self->game;

	for (i = 0; i < n; i++) {
		g->model->seed = (first + i) * 2654435761UL;
		ASSERT_EQ(0, in_child(live, g)) {
			TH_LOG("life %lu, RVM_SEED=%lu", i, first);
		}
		ASSERT_TRUE(recovered(g)) {
			TH_LOG("life %lu, RVM_SEED=%lu", i, first);
		}
	}
	EXPECT_TRUE(file_holds(g->place.seg, 0, PAGE, 0));
	EXPECT_TRUE(file_holds(g->place.seg, PAGE + BYTES, SEG_BYTES - PAGE - BYTES, 0));
}

static void __attribute__((constructor)) leave_out(void)
{
	drop_variants();
}

TEST_HARNESS_MAIN
