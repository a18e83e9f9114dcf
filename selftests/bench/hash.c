// SPDX-License-Identifier: GPL-2.0
/* A hash table with chains: a random key comes, with a value, or goes. */
#include "random.h"
#include "structure.h"

#define HEAD		4096UL	/* bytes before the nodes */
#define VALUE		6	/* words */

/* Node 0 is none: chains and the list of free nodes end with it. */
struct node {
	uint64_t key;
	uint32_t next;
	uint32_t unused;
	uint64_t value[VALUE];
};

struct table {
	uint32_t free;
	uint32_t count;
};

static struct table *table_of(const struct actor *actor)
{
	return (struct table *)actor->base;
}

static struct node *nodes_of(const struct actor *actor)
{
	return (struct node *)(actor->base + HEAD);
}

/* As many keys as nodes, so that they suffice; a chain for every two, behind them. */
static uint32_t keys_of(const struct actor *actor)
{
	return (actor->workload->region - HEAD) / (sizeof(struct node) + sizeof(uint32_t) / 2) / 2 *
	       2 - 2;
}

static uint32_t *chains_of(const struct actor *actor)
{
	return (uint32_t *)(nodes_of(actor) + keys_of(actor) + 1);
}

static uint32_t *chain_of(const struct actor *actor, uint64_t key)
{
	return &chains_of(actor)[(key * 0x9e3779b97f4a7c15 >> 32) % (keys_of(actor) / 2)];
}

static void build_node(struct actor *actor, uint64_t number)
{
	struct table *table = table_of(actor);
	struct node *node = &nodes_of(actor)[number + 1];

	STORE(actor, node->next, table->free);
	STORE(actor, table->free, number + 1);
}

static void clear_chain(struct actor *actor, uint64_t number)
{
	STORE(actor, chains_of(actor)[number], 0);
}

static void clear_table(struct actor *actor, uint64_t number)
{
	STORE(actor, *table_of(actor), ((struct table){ 0 }));
	(void)number;
}

static void insert(struct actor *actor, uint64_t key)
{
	struct table *table = table_of(actor);
	uint32_t n = table->free, *chain = chain_of(actor, key);
	struct node *node = &nodes_of(actor)[n];
	unsigned int i;

	STORE(actor, table->free, node->next);
	STORE(actor, table->count, table->count + 1);
	STORE(actor, node->key, key);
	actor_declare(actor, node->value, sizeof(node->value));
	for (i = 0; i < VALUE; i++)
		node->value[i] = actor->random + i;
	STORE(actor, node->next, *chain);
	STORE(actor, *chain, n);
}

/* @link: what refers to the node */
static void take_out(struct actor *actor, uint32_t *link)
{
	struct table *table = table_of(actor);
	uint32_t n = *link;
	struct node *node = &nodes_of(actor)[n];

	STORE(actor, *link, node->next);
	STORE(actor, node->next, table->free);
	STORE(actor, table->free, n);
	STORE(actor, table->count, table->count - 1);
}

static void toggle(struct actor *actor, uint64_t key)
{
	uint32_t *link = chain_of(actor, key);

	while (*link && nodes_of(actor)[*link].key != key)
		link = &nodes_of(actor)[*link].next;
	if (*link)
		take_out(actor, link);
	else
		insert(actor, key);
}

static void build_key(struct actor *actor, uint64_t number)
{
	toggle(actor, 2 * number);
}

static void prepare(struct actor *actor)
{
	structure_build(actor, clear_table, 1);
	structure_build(actor, clear_chain, keys_of(actor) / 2);
	structure_build(actor, build_node, keys_of(actor));
	structure_build(actor, build_key, keys_of(actor) / 2);
}

static void transact(struct actor *actor)
{
	toggle(actor, random_next(&actor->random) % keys_of(actor));
}

static uint32_t length_of(const struct actor *actor, uint32_t at, const uint32_t *chain)
{
	const struct node *nodes = nodes_of(actor);
	uint32_t length = 0;

	for (; at; at = nodes[at].next) {
		structure_is(++length <= keys_of(actor), "hash: a cycle");
		structure_is(!chain || chain_of(actor, nodes[at].key) == chain,
			     "hash: a key in another's chain");
	}
	return length;
}

static void verify(struct actor *actor)
{
	const struct table *table = table_of(actor);
	uint32_t *chains = chains_of(actor);
	uint32_t i, found = 0;

	for (i = 0; i < keys_of(actor) / 2; i++)
		found += length_of(actor, chains[i], &chains[i]);
	structure_is(found == table->count, "hash: the number of keys");
	structure_is(found + length_of(actor, table->free, NULL) == keys_of(actor),
		     "hash: nodes are missing");
}

const struct kind kind_hash = { "hash", prepare, transact, verify };
