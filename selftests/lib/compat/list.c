// SPDX-License-Identifier: GPL-2.0
/*
 * A program as it was written for CMU RVM 1.3: a linked list with real
 * pointers, which needs its region at the same address each time.
 *
 *	list LOG DATA add WORD	put a word in front
 *	list LOG DATA die WORD	the same, but die before the commit
 *	list LOG DATA print		print the words
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rvm/rvm.h>

#define HOME ((char *)0x20000000)

struct node {
	struct node *next;
	char word[24];
};

struct heap {
	struct node *first;
	unsigned long used;
	struct node nodes[1];
};

static void must(rvm_return_t ret)
{
	if (ret != RVM_SUCCESS) {
		fprintf(stderr, "failed: %s\n", rvm_return(ret));
		exit(1);
	}
}

static void add(struct heap *heap, char *word, rvm_bool_t die)
{
	struct node *node = &heap->nodes[heap->used];
	rvm_tid_t tid;

	rvm_init_tid(&tid);
	must(rvm_begin_transaction(&tid, restore));
	must(rvm_set_range(&tid, heap, sizeof(*heap)));
	must(rvm_set_range(&tid, node, sizeof(*node)));
	strncpy(node->word, word, sizeof(node->word) - 1);
	node->next = heap->first;
	heap->first = node;
	heap->used++;
	if (die == rvm_true)
		_exit(3);
	must(rvm_end_transaction(&tid, flush));
}

int main(int argc, char **argv)
{
	rvm_options_t *options;
	rvm_region_t *region;
	struct node *node;
	struct heap *heap;

	if (argc < 4)
		return 2;
	options = rvm_malloc_options();
	options->log_dev = argv[1];
	options->create_log_file = rvm_true;
	options->create_log_size = RVM_LENGTH_TO_OFFSET(128 * 1024);
	options->create_log_mode = 0600;
	must(RVM_INIT(options));

	region = rvm_malloc_region();
	region->data_dev = argv[2];
	region->vmaddr = HOME;
	region->length = 0;
	region->no_copy = rvm_false;
	must(rvm_map(region, options));
	if (region->vmaddr != HOME) {
		fprintf(stderr, "mapped at %p\n", region->vmaddr);
		return 1;
	}
	heap = (struct heap *)region->vmaddr;
	if (!strcmp(argv[3], "add") && argc == 5)
		add(heap, argv[4], rvm_false);
	if (!strcmp(argv[3], "die") && argc == 5)
		add(heap, argv[4], rvm_true);
	for (node = heap->first; node; node = node->next)
		printf("%s ", node->word);
	printf("%lu\n", heap->used);

	must(rvm_unmap(region));
	rvm_free_region(region);
	rvm_free_options(options);
	must(rvm_terminate());
	return 0;
}
