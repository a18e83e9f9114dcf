// SPDX-License-Identifier: GPL-2.0
/*
 * A program as it was written for CMU RVM 1.3 with RDS: a tree of directories in the
 * recoverable heap, its root in the static area, changed by many threads under one lock of the
 * program's.  A run of it may end without a word to the library.
 *
 *	tree LOG DATA init
 *	tree LOG DATA grow THREADS ROUNDS
 *	tree LOG DATA die
 *	tree LOG DATA list
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rvm/rds.h>
#include <rvm/rvm.h>
#include <rvm/rvm_segment.h>

#define HEAP_AT		((char *)0x31000000)
#define HEAP_LEN	0x40000
#define STATIC_LEN	0x1000
#define DEVLEN		(0x1000 + HEAP_LEN + STATIC_LEN)

struct dir {
	struct dir *parent, *child, *sibling;
	long entries;		/* children */
	char name[1];
};

struct root {
	struct dir *top;
	long dirs;
};

static struct root *root;
static long rounds;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void must(int ret, char *what)
{
	if (ret != SUCCESS) {
		fprintf(stderr, "%s: %d %s\n", what, ret, ret > 0 ? rvm_return(ret) : "");
		exit(1);
	}
}

static void change(rvm_tid_t *tid, void *at, long length)
{
	must(rvm_set_range(tid, at, length), "rvm_set_range");
}

static struct dir *make(rvm_tid_t *tid, struct dir *parent, char *name)
{
	struct dir *dir;
	int err;

	dir = (struct dir *)rds_malloc(sizeof(*dir) + strlen(name), tid, &err);
	must(err, "rds_malloc");
	change(tid, dir, sizeof(*dir) + strlen(name));
	memset(dir, 0, sizeof(*dir));
	strcpy(dir->name, name);
	dir->parent = parent;
	if (parent) {
		change(tid, parent, sizeof(*parent));
		dir->sibling = parent->child;
		parent->child = dir;
		parent->entries++;
	}
	change(tid, root, sizeof(*root));
	root->dirs++;
	return dir;
}

/* The first child and all below it go. */
static void cut(rvm_tid_t *tid, struct dir *dir)
{
	struct dir *child = dir->child;
	int err;

	if (!child)
		return;
	while (child->child)
		cut(tid, child);
	change(tid, dir, sizeof(*dir));
	dir->child = child->sibling;
	dir->entries--;
	change(tid, root, sizeof(*root));
	root->dirs--;
	rds_free((char *)child, tid, &err);
	must(err, "rds_free");
}

static void *grow(void *arg)
{
	long me = (long)arg, i;
	rvm_tid_t *tid = rvm_malloc_tid();
	struct dir *own;
	char name[40];

	pthread_mutex_lock(&lock);
	must(rvm_begin_transaction(tid, restore), "begin");
	sprintf(name, "thread%ld", me);
	own = make(tid, root->top, name);
	must(rvm_end_transaction(tid, flush), "end");
	pthread_mutex_unlock(&lock);
	for (i = 0; i < rounds; i++) {
		/* the directory is this thread's, but for the count in the root */
		pthread_mutex_lock(&lock);
		must(rvm_begin_transaction(tid, restore), "begin");
		sprintf(name, "a directory with a name of %ld", i * me);
		make(tid, make(tid, own, name), "below");
		if (i % 3 == 2)
			cut(tid, own);
		if (i % 4 == 3)
			must(rvm_abort_transaction(tid), "abort");
		else
			must(rvm_end_transaction(tid, i % 2 ? flush : no_flush), "end");
		pthread_mutex_unlock(&lock);
	}
	rvm_free_tid(tid);
	return NULL;
}

static long count(struct dir *dir)
{
	struct dir *child;
	long n = 1, entries = 0;

	for (child = dir->child; child; child = child->sibling) {
		if (child->parent != dir) {
			printf("%s is not in %s\n", child->name, dir->name);
			exit(1);
		}
		n += count(child);
		entries++;
	}
	if (entries != dir->entries) {
		printf("%s: %ld entries, not %ld\n", dir->name, entries, dir->entries);
		exit(1);
	}
	return n;
}

static void list(void)
{
	rds_stats_t stats;

	must(rds_get_stats(&stats), "rds_get_stats");
	if (stats.mallocbytes < root->dirs * sizeof(struct dir))
		printf("the heap says it has %u bytes\n", stats.mallocbytes);
	printf("%ld directories, %ld counted, top %s\n", count(root->top), root->dirs,
	       root->top->name);
}

static void init(char *log, char *data, rvm_options_t *options)
{
	rvm_tid_t *tid = rvm_malloc_tid();
	rvm_offset_t length = RVM_MK_OFFSET(0, 0x10000), devlen = RVM_MK_OFFSET(0, DEVLEN);
	int err;

	must(rvm_create_log(options, &length, 0600), "rvm_create_log");
	must(rvm_set_options(options), "rvm_set_options");
	rds_zap_heap(data, devlen, HEAP_AT, STATIC_LEN, HEAP_LEN, 20, 64, &err);
	must(err, "rds_zap_heap");
	rds_load_heap(data, devlen, (char **)&root, &err);
	must(err, "rds_load_heap");
	must(rvm_begin_transaction(tid, restore), "begin");
	change(tid, root, sizeof(*root));
	root->top = make(tid, NULL, "/");
	must(rvm_end_transaction(tid, flush), "end");
	rvm_free_tid(tid);
}

static void die(void)
{
	rvm_tid_t *tid = rvm_malloc_tid();

	must(rvm_begin_transaction(tid, restore), "begin");
	make(tid, root->top, "never");
	cut(tid, root->top);
	cut(tid, root->top);
	_exit(3);
}

int main(int argc, char **argv)
{
	rvm_options_t *options = rvm_malloc_options();
	pthread_t thread[64];
	long i, threads;
	int err;

	if (argc < 4)
		return 2;
	options->log_dev = argv[1];
	if (!strcmp(argv[3], "init")) {
		must(RVM_INIT(NULL), "RVM_INIT");
		init(argv[1], argv[2], options);
	} else {
		must(RVM_INIT(options), "RVM_INIT");
		rds_load_heap(argv[2], RVM_MK_OFFSET(0, DEVLEN), (char **)&root, &err);
		must(err, "rds_load_heap");
	}
	if (!strcmp(argv[3], "die"))
		die();
	if (!strcmp(argv[3], "grow") && argc == 6) {
		threads = atol(argv[4]);
		rounds = atol(argv[5]);
		for (i = 0; i < threads; i++)
			pthread_create(&thread[i], NULL, grow, (void *)(i + 1));
		for (i = 0; i < threads; i++)
			pthread_join(thread[i], NULL);
	}
	list();
	rds_testsw = 1;
	rds_unload_heap(&err);
	must(err, "rds_unload_heap");
	must(rvm_terminate(), "rvm_terminate");
	rvm_free_options(options);
	return 0;
}
