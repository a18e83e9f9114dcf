// SPDX-License-Identifier: GPL-2.0
/*
 * A program as it was written for CMU RVM 1.3 with RDS: a list whose nodes are
 * blocks of the recoverable heap and whose root is in the static area.
 *
 *	heap LOG DATA DATALEN add WORD	put a word in front
 *	heap LOG DATA DATALEN die WORD	the same, but die before the commit
 *	heap LOG DATA DATALEN take		take the first word away
 *	heap LOG DATA DATALEN print		print the words
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rvm/rds.h>
#include <rvm/rvm.h>
#include <rvm/rvm_segment.h>

struct node {
	struct node *next;
	char word[1];
};

struct root {
	struct node *first;
	long count;
};

static struct root *root;

static void must(int ret)
{
	if (ret != SUCCESS) {
		fprintf(stderr, "failed: %d %s\n", ret, ret > 0 ? rvm_return(ret) : "");
		exit(1);
	}
}

static void add(char *word, rvm_bool_t die)
{
	struct node *node;
	rvm_tid_t *tid = rvm_malloc_tid();
	int err;

	must(rvm_begin_transaction(tid, restore));
	node = (struct node *)rds_malloc(sizeof(struct node) + strlen(word), tid, &err);
	must(err);
	must(rvm_set_range(tid, node, sizeof(struct node) + strlen(word)));
	must(rvm_set_range(tid, root, sizeof(*root)));
	node->next = root->first;
	strcpy(node->word, word);
	root->first = node;
	root->count++;
	if (die == rvm_true)
		_exit(3);
	must(rvm_end_transaction(tid, flush));
	rvm_free_tid(tid);
}

static void take(void)
{
	intentionList_t list;
	rvm_tid_t tid;

	list.table = NULL;
	list.count = 0;
	list.size = 0;
	rvm_init_tid(&tid);
	must(rvm_begin_transaction(&tid, restore));
	must(rds_fake_free((char *)root->first, &list));
	must(rvm_set_range(&tid, root, sizeof(*root)));
	root->first = root->first->next;
	root->count--;
	must(rvm_end_transaction(&tid, flush));
	must(rds_do_free(&list, flush));
}

int main(int argc, char **argv)
{
	rvm_options_t options;
	rvm_offset_t length;
	struct node *node;
	rds_stats_t stats;
	char *area;
	int err;

	if (argc < 5)
		return 2;
	rvm_init_options(&options);
	options.log_dev = argv[1];
	options.flags = 0;
	must(RVM_INIT(&options));
	length = RVM_LENGTH_TO_OFFSET(strtoul(argv[3], NULL, 0));
	rds_load_heap(argv[2], length, &area, &err);
	must(err);
	if (NRegionDefs != 2 || RegionDefs[1].vmaddr != area || rds_testsw) {
		fprintf(stderr, "%lu regions\n", NRegionDefs);
		return 1;
	}
	root = (struct root *)area;
	if (!strcmp(argv[4], "add") && argc == 6)
		add(argv[5], rvm_false);
	if (!strcmp(argv[4], "die") && argc == 6)
		add(argv[5], rvm_true);
	if (!strcmp(argv[4], "take"))
		take();
	for (node = root->first; node; node = node->next)
		printf("%s ", node->word);
	must(rds_get_stats(&stats));
	printf("%ld, %u bytes\n", root->count, stats.mallocbytes);
	rds_unload_heap(&err);
	must(err);
	must(rvm_terminate());
	return 0;
}
