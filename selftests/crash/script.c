// SPDX-License-Identifier: GPL-2.0
/* What a simulated program does, run on the library with a disk in memory. */
#include <pthread.h>
#include <stdarg.h>

#include <rvm/rvm.h>

#include "blocks.h"
#include "increment.h"
#include "instance.h"
#include "log.h"
#include "script.h"
#include "seen.h"
#include "smalllog.h"

#define WRAP_TX		SCRIPT_TXS	/* the transaction of W */

/* struct span - bytes that a transaction changed */
struct span {
	unsigned int at;
	unsigned int length;
};

/**
 * struct model_tx - an open transaction
 * @tid: its handle
 * @open: it is
 * @tracked: it is a tracked one
 * @spans: what it changed
 * @count: how many
 */
struct model_tx {
	rvm_tid_t tid;
	bool open;
	bool tracked;
	struct span spans[SCRIPT_OPS + 2];
	unsigned int count;
};

/**
 * struct model - what the program knows
 * @run: what it did
 * @script: what it does
 * @txs: its transactions
 * @first: the first segment's region
 * @second: the second's, if it is mapped
 * @mapped: it is
 * @grown: bytes of the second segment
 * @blocks: the heap
 * @value: of the bytes stored last
 * @live: what memory holds
 * @committed: what was committed
 */
struct model {
	struct script_run *run;
	const struct script *script;
	struct model_tx txs[SCRIPT_TXS + 1];
	rvm_region_t first;
	rvm_region_t second;
	bool mapped;
	unsigned int grown;
	struct blocks blocks;
	unsigned char value;
	unsigned char live[SCRIPT_BYTES];
	unsigned char committed[SCRIPT_BYTES];
};

uint64_t script_hash(const unsigned char *first, const unsigned char *second, size_t length,
		     uint64_t heap)
{
	unsigned char all[SCRIPT_GROWN];

	memcpy(all, second, length);
	memset(all + length, 0, sizeof(all) - length);
	return seen_hash(seen_hash(seen_hash(1, first, SCRIPT_FIRST), all, sizeof(all)), &heap,
			 sizeof(heap));
}

__attribute__((format(printf, 2, 3)))
static bool wrong(struct model *m, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(m->run->why, sizeof(m->run->why), format, args);
	va_end(args);
	return false;
}

static bool did(struct model *m, const char *what, rvm_return_t code)
{
	return !code || wrong(m, "%s: %s: %s", what, rvm_return(code), rvm_error());
}

static void make_disk(const struct script_disk *disk)
{
	static const unsigned char zeros[SCRIPT_FIRST];

	mem_install();
	mem.mappable = true;
	mem.sector = disk->sector;
	mem.sync_writes = disk->dsync;
	smalllog_make(SCRIPT_LOG, disk->area, disk->sector);
	mem_put(SCRIPT_A, zeros, sizeof(zeros));
}

static rvm_return_t map(const struct model *m, rvm_region_t *region, const char *path,
			unsigned int length)
{
	rvm_options_t options;

	rvm_init_options(&options);
	options.flags = RVM_TRACK_SIGSEGV;
	if (m->script->disk.incremental)
		options.flags |= RVM_INCREMENTAL_TRUNCATION;
	if (length)
		options.flags |= RVM_CREATE_SEGMENT;
	rvm_init_region(region);
	region->data_dev = (char *)path;
	region->dev_length = rvm_mk_offset(0, length);
	return rvm_map(region, &options);
}

static bool start(struct model *m)
{
	rvm_options_t options;

	rvm_init_options(&options);
	options.log_dev = SCRIPT_LOG;
	options.truncate = 0;
	options.flush_interval = 0;
	options.flags = RVM_COALESCE_RANGES | RVM_TRACK_SIGSEGV;	/* so the heap's region */
	if (m->script->disk.merge)
		options.flags |= RVM_COALESCE_TRANS;
	if (m->script->disk.incremental)
		options.flags |= RVM_INCREMENTAL_TRUNCATION;
	if (!did(m, "initialize", RVM_INIT(&options)))
		return false;
	return did(m, "map", map(m, &m->first, SCRIPT_A, 0));
}

/* Where a byte of the model is in memory. */
static char *address(const struct model *m, unsigned int at)
{
	if (at < SCRIPT_FIRST)
		return m->first.vmaddr + at;
	return m->second.vmaddr + (at - SCRIPT_FIRST);
}

/* Is memory what it should be? */
static bool check_memory(struct model *m)
{
	if (memcmp(m->first.vmaddr, m->live, SCRIPT_FIRST))
		return wrong(m, "the memory of the first segment is wrong");
	if (m->mapped && memcmp(m->second.vmaddr, m->live + SCRIPT_FIRST, m->second.length))
		return wrong(m, "the memory of the second segment is wrong");
	if (m->blocks.loaded && !blocks_hold(&m->blocks))
		return wrong(m, "the memory of a block of the heap is wrong");
	return true;
}

static bool any_open(const struct model *m)
{
	unsigned int i;

	for (i = 0; i <= SCRIPT_TXS; i++)
		if (m->txs[i].open)
			return true;
	return false;
}

static bool tracking(const struct model *m)
{
	unsigned int i;

	for (i = 0; i <= SCRIPT_TXS; i++)
		if (m->txs[i].open && m->txs[i].tracked)
			return true;
	return false;
}

/* Is there nobody else who changed these bytes, and are they mapped? */
static bool may_store(const struct model *m, unsigned int tx, unsigned int at, unsigned int length)
{
	unsigned int i, j;

	if (!m->txs[tx].open || !length)
		return false;
	if (at + length > SCRIPT_FIRST &&
	    (at < SCRIPT_FIRST || !m->mapped || at + length > SCRIPT_FIRST + m->second.length))
		return false;
	for (i = 0; i <= SCRIPT_TXS; i++)
		for (j = 0; i != tx && m->txs[i].open && j < m->txs[i].count; j++)
			if (at < m->txs[i].spans[j].at + m->txs[i].spans[j].length &&
			    m->txs[i].spans[j].at < at + length)
				return false;
	return true;
}

static bool store(struct model *m, unsigned int tx, unsigned int at, unsigned int length)
{
	struct model_tx *t = &m->txs[tx];

	m->value += 37;
	t->spans[t->count++] = (struct span){ at, length };
	memset(m->live + at, m->value, length);
	memset(address(m, at), m->value, length);
	return true;
}

static bool declare(struct model *m, const struct script_op *op)
{
	return op->what != 's' ||
	       did(m, "set_range", rvm_set_range(&m->txs[op->tx].tid, address(m, op->at),
						 op->length));
}

static void ack(struct model *m)
{
	trace_mark(TRACE_ACK, m->run->count - 1);
}

static bool begin(struct model *m, unsigned int tx, bool tracked)
{
	struct model_tx *t = &m->txs[tx];

	t->open = true;
	t->tracked = tracked;
	t->count = 0;
	rvm_init_tid(&t->tid);
	return did(m, "begin", rvm_begin_transaction(&t->tid, tracked ? rvm_tracked : restore));
}

/* The state that is committed now gets the next number. */
static void add_state(struct model *m)
{
	m->run->states[m->run->count++] = script_hash(m->committed, m->committed + SCRIPT_FIRST,
						      SCRIPT_GROWN, blocks_hash(&m->blocks));
}

/* What a transaction did is committed. */
static void add_commit(struct model *m, unsigned int tx)
{
	struct model_tx *t = &m->txs[tx];
	unsigned int i;

	for (i = 0; i < t->count; i++)
		memcpy(m->committed + t->spans[i].at, m->live + t->spans[i].at,
		       t->spans[i].length);
	blocks_end(&m->blocks, tx, true);
	add_state(m);
	t->open = false;
}

static bool commit(struct model *m, unsigned int tx, rvm_mode_t mode)
{
	struct model_tx *t = &m->txs[tx];

	if (m->run->count == SCRIPT_STATES)
		return wrong(m, "too many commits");
	add_commit(m, tx);
	trace_mark(TRACE_COMMIT, m->run->count - 1);
	if (!did(m, "end", rvm_end_transaction(&t->tid, mode)))
		return false;
	if (mode == flush)
		ack(m);
	return true;
}

/**
 * struct committer - a thread that commits
 * @m: the program
 * @start: all begin at once
 * @tx: its transaction
 * @lsn: where that is in the log
 * @ack: number of the event that says that it is acknowledged
 * @why: what went wrong
 */
struct committer {
	struct model *m;
	pthread_barrier_t *start;
	unsigned int tx;
	rvm_lsn_t lsn;
	size_t ack;
	char why[256];
};

static void *commit_beside(void *arg)
{
	struct committer *c = arg;
	rvm_return_t code;

	pthread_barrier_wait(c->start);
	code = rvm_end_transaction_lsn(&c->m->txs[c->tx].tid, flush, &c->lsn);
	if (code)
		snprintf(c->why, sizeof(c->why), "%s: %s", rvm_return(code), rvm_error());
	c->ack = trace_mark(TRACE_ACK, 0);
	return NULL;
}

static int by_lsn(const void *a, const void *b)
{
	const struct committer *left = a, *right = b;

	return left->lsn < right->lsn ? -1 : left->lsn > right->lsn;
}

/* What they found is known when all are done: the log tells their order. */
static bool take_order(struct model *m, struct committer *committers, unsigned int count)
{
	unsigned int i;

	qsort(committers, count, sizeof(*committers), by_lsn);
	for (i = 0; i < count; i++) {
		if (committers[i].why[0])
			return wrong(m, "end beside others: %s", committers[i].why);
		add_commit(m, committers[i].tx);
		trace_amend(committers[i].ack, m->run->count - 1);
	}
	return true;
}

/* All explicit transactions end at once, each in a thread of its own. */
static bool commit_all(struct model *m)
{
	struct committer committers[SCRIPT_TXS] = {};
	pthread_t threads[SCRIPT_TXS];
	pthread_barrier_t start;
	unsigned int i, count = 0;

	for (i = 0; i < SCRIPT_TXS; i++)
		if (m->txs[i].open && !m->txs[i].tracked)
			committers[count++].tx = i;
	if (m->run->count + count > SCRIPT_STATES)
		return wrong(m, "too many commits");
	trace_mark(TRACE_COMMIT, m->run->count + count - 1);
	trace_linger(true);
	pthread_barrier_init(&start, NULL, count);
	for (i = 0; i < count; i++) {
		committers[i].m = m;
		committers[i].start = &start;
		if (pthread_create(&threads[i], NULL, commit_beside, &committers[i]))
			abort();
	}
	for (i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
	pthread_barrier_destroy(&start);
	trace_linger(false);
	return take_order(m, committers, count);
}

static bool abort_tx(struct model *m, unsigned int tx)
{
	struct model_tx *t = &m->txs[tx];
	unsigned int i;

	for (i = 0; i < t->count; i++)
		memcpy(m->live + t->spans[i].at, m->committed + t->spans[i].at,
		       t->spans[i].length);
	blocks_end(&m->blocks, tx, false);
	t->open = false;
	return did(m, "abort", rvm_abort_transaction(&t->tid)) && check_memory(m);
}

static bool step(struct model *m)
{
	struct truncator *tr = &rvm.truncator;
	bool moved;
	int err = 0;

	pthread_mutex_lock(&tr->lock);
	if (increment_possible(tr))
		err = increment_step(tr, &moved);
	pthread_mutex_unlock(&tr->lock);
	return !err || wrong(m, "step: %s", rvm_error());
}

/* The last page of the first segment is for this alone. */
static bool wrap(struct model *m)
{
	rvm_log_info_t info;
	uint64_t lap;
	unsigned int at = SCRIPT_FIRST - SCRIPT_PAGE, i;

	if (rvm_query_log(&info))
		return wrong(m, "query: %s", rvm_error());
	lap = info.tail / info.size;
	for (i = 0; info.tail / info.size == lap && i < 64; i++) {
		if (!begin(m, WRAP_TX, false))
			return false;
		if (!did(m, "set_range", rvm_set_range(&m->txs[WRAP_TX].tid,
						       m->first.vmaddr + at + i % 4 * 500, 1500)))
			return false;
		store(m, WRAP_TX, at + i % 4 * 500, 1500);
		if (!commit(m, WRAP_TX, i % 3 ? flush : no_flush) || rvm_query_log(&info))
			return false;
	}
	return true;
}

static bool map_second(struct model *m)
{
	bool new = !m->grown;

	if (!did(m, "map", map(m, &m->second, SCRIPT_B, new ? SCRIPT_SECOND : 0)))
		return false;
	if (new)
		m->grown = SCRIPT_SECOND;
	m->mapped = true;
	return check_memory(m);
}

static bool unmap_second(struct model *m)
{
	m->mapped = false;
	return did(m, "unmap", rvm_unmap(&m->second));
}

static bool did_heap(struct model *m, const char *what, int code)
{
	return !code || wrong(m, "%s: %d: %s", what, code, rvm_error());
}

static bool make_heap(struct model *m)
{
	if (m->run->count == SCRIPT_STATES)
		return wrong(m, "too many commits");
	m->blocks.made = true;
	add_state(m);
	trace_mark(TRACE_COMMIT, m->run->count - 1);
	if (!did_heap(m, "zap_heap", blocks_make()))
		return false;
	ack(m);
	return true;
}

/* Made at the first time, and started anew. */
static bool load_heap(struct model *m)
{
	if (!m->blocks.made && !make_heap(m))
		return false;
	return did_heap(m, "unload_heap", blocks_unload(&m->blocks)) &&
	       did_heap(m, "load_heap", blocks_load(&m->blocks)) && check_memory(m);
}

static bool use_heap(struct model *m, const struct script_op *op)
{
	rvm_tid_t *tid = &m->txs[op->tx].tid;

	if (op->what == 'f')
		return did_heap(m, "free", blocks_drop(&m->blocks, op->at, op->tx, tid));
	m->value += 37;
	return did_heap(m, "malloc", blocks_take(&m->blocks, op->at, op->tx, tid, op->length,
						 m->value));
}

static bool restart(struct model *m)
{
	bool mapped = m->mapped, loaded = m->blocks.loaded;

	m->mapped = false;
	if (!did_heap(m, "unload_heap", blocks_unload(&m->blocks)) ||
	    !did(m, "terminate", rvm_terminate()))
		return false;
	ack(m);
	if (!start(m) || (mapped && !map_second(m)) || (loaded && !load_heap(m)))
		return false;
	return check_memory(m);
}

static bool grow(struct model *m)
{
	m->grown += SCRIPT_PAGE;
	return did(m, "grow", rvm_grow_segment(SCRIPT_B, rvm_mk_offset(0, m->grown)));
}

static bool may_commit_all(const struct model *m)
{
	unsigned int i;

	for (i = 0; i < SCRIPT_TXS; i++)
		if (m->txs[i].open && !m->txs[i].tracked)
			return true;
	return false;
}

/* Does the operation fit here? */
static bool fits(const struct model *m, const struct script_op *op)
{
	const struct model_tx *t = &m->txs[op->tx];

	switch (op->what) {
	case 'b':
		return !t->open;
	case 't':
		return !t->open && !tracking(m);
	case 's':
		return !t->tracked && may_store(m, op->tx, op->at, op->length);
	case 'w':
		return t->tracked && may_store(m, op->tx, op->at, op->length);
	case 'c':
	case 'l':
	case 'a':
		return t->open;
	case 'm':
		return t->open && !t->tracked && m->blocks.loaded &&
		       m->blocks.slots[op->at].state == BLOCK_EMPTY;
	case 'f':
		return t->open && !t->tracked && m->blocks.loaded &&
		       m->blocks.slots[op->at].state == BLOCK_USED;
	case 'P':
		return may_commit_all(m);
	case 'M':
		return !m->mapped && !any_open(m);
	case 'U':
		return m->mapped && !any_open(m);
	case 'H':
	case 'R':
		return !any_open(m);
	case 'G':
		return m->grown && m->grown < SCRIPT_GROWN;
	case 'I':
		return m->script->disk.incremental;
	case 'W':
		return !tracking(m);
	}
	return true;
}

static bool execute(struct model *m, const struct script_op *op)
{
	switch (op->what) {
	case 'b':
	case 't':
		return begin(m, op->tx, op->what == 't');
	case 's':
	case 'w':
		return declare(m, op) && store(m, op->tx, op->at, op->length);
	case 'c':
	case 'l':
		return commit(m, op->tx, op->what == 'c' ? flush : no_flush);
	case 'a':
		return abort_tx(m, op->tx);
	case 'm':
	case 'f':
		return use_heap(m, op);
	case 'P':
		return commit_all(m);
	case 'H':
		return load_heap(m);
	case 'F':
		if (!did(m, "flush", rvm_flush()))
			return false;
		ack(m);
		return true;
	case 'T':
		if (!did(m, "truncate", rvm_truncate()))
			return false;
		ack(m);
		return true;
	case 'I':
		return step(m);
	case 'M':
		return map_second(m);
	case 'U':
		return unmap_second(m);
	case 'G':
		return grow(m);
	case 'W':
		return wrap(m);
	case 'R':
		return restart(m);
	}
	return wrong(m, "no such operation: %c", op->what);
}

/* What is open stays so until the disk does not matter any more. */
static bool stop(struct model *m, bool ok)
{
	unsigned int i;
	bool open = any_open(m);

	if (!open && ok)
		ok = did_heap(m, "unload_heap", blocks_unload(&m->blocks)) &&
		     did(m, "terminate", rvm_terminate());
	if (!open && ok)
		ack(m);
	trace_stop();
	if (!open && ok)
		return true;
	for (i = 0; i <= SCRIPT_TXS; i++)
		if (m->txs[i].open)
			rvm_abort_transaction(&m->txs[i].tid);
	blocks_unload(&m->blocks);
	rvm_terminate();
	return ok;
}

bool script_run(const struct script *script, struct script_run *run)
{
	static struct model model;
	struct model *m = &model;
	unsigned int i;
	bool ok;

	memset(m, 0, sizeof(*m));
	memset(run, 0, sizeof(*run));
	m->run = run;
	m->script = script;
	make_disk(&script->disk);
	trace_start(&run->trace);
	add_state(m);
	ok = start(m);
	for (i = 0; ok && i < script->count; i++) {
		if (fits(m, &script->ops[i]))
			ok = execute(m, &script->ops[i]);
		else
			run->skipped++;
	}
	if (ok)
		ok = check_memory(m);
	return stop(m, ok);
}

void script_done(struct script_run *run)
{
	trace_free(&run->trace);
}

void script_print(const struct script *script, char text[SCRIPT_TEXT])
{
	unsigned int i;
	size_t n = 0;

	text[0] = '\0';
	for (i = 0; i < script->count; i++) {
		const struct script_op *op = &script->ops[i];

		n += sprintf(text + n, "%s%c", i ? " " : "", op->what);
		if (strchr("btswclamf", op->what))
			n += sprintf(text + n, "%u", op->tx);
		if (strchr("swmf", op->what))
			n += sprintf(text + n, "@%u+%u", op->at, op->length);
	}
}

static bool parse_op(const char *word, struct script_op *op)
{
	unsigned int tx = 0, at = 0, length = 0;
	bool whole = true;

	if (strchr("swmf", word[0]))
		whole = sscanf(word + 1, "%u@%u+%u", &tx, &at, &length) == 3;
	else if (strchr("btcla", word[0]))
		whole = sscanf(word + 1, "%u", &tx) == 1;
	else
		whole = strchr("FTIMUGWRHP", word[0]);
	if (!whole || tx >= SCRIPT_TXS || at + length > SCRIPT_BYTES ||
	    (strchr("mf", word[0]) && (at >= BLOCKS_SLOTS || length > BLOCKS_MOST)))
		return false;
	*op = (struct script_op){ word[0], tx, at, length };
	return true;
}

bool script_parse(const char *text, struct script *script)
{
	char *copy = strdup(text), *rest = copy, *word;
	bool good = copy;

	script->count = 0;
	while (good && (word = strsep(&rest, " "))) {
		if (*word && script->count == SCRIPT_OPS)
			good = false;
		else if (*word)
			good = parse_op(word, &script->ops[script->count++]);
	}
	free(copy);
	return good;
}

void script_print_disk(const struct script_disk *disk, char text[80])
{
	snprintf(text, 80, "%u,%u,%s,%s,%s", disk->sector, disk->area,
		 disk->dsync ? "dsync" : "sync", disk->incremental ? "steps" : "epochs",
		 disk->merge ? "merge" : "each");
}

bool script_parse_disk(const char *text, struct script_disk *disk)
{
	char how[3][8];

	if (sscanf(text, "%u,%u,%7[a-z],%7[a-z],%7[a-z]", &disk->sector, &disk->area, how[0],
		   how[1], how[2]) != 5)
		return false;
	disk->dsync = !strcmp(how[0], "dsync");
	disk->incremental = !strcmp(how[1], "steps");
	disk->merge = !strcmp(how[2], "merge");
	return disk->sector && disk->area;
}
