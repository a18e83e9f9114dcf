// SPDX-License-Identifier: GPL-2.0
/*
 * A B-tree: a random key comes, with a value, or goes.
 *
 * Nodes are split on the way down and never joined, and a leaf may be empty.  There are enough
 * nodes for all keys nevertheless: what is split has 31 different keys, so each half stays
 * responsible for 15 of all keys at least.
 */
#include "random.h"
#include "structure.h"

#define KEYS		31	/* of a node */
#define HALF		(KEYS / 2)
#define NODE_KEYS	12	/* of all keys, for each node that there is */

struct node {
	uint32_t count;
	uint32_t leaf;
	uint64_t key[KEYS];
	uint64_t slot[KEYS + 1];	/* values of a leaf, or its children's numbers */
};

/* Where node 0 would be. */
struct tree {
	uint32_t root;
	uint32_t nodes;
	uint64_t count;
};

_Static_assert(sizeof(struct node) == 512, "whole nodes in a page");

static struct tree *tree_of(const struct actor *actor)
{
	return (struct tree *)actor->base;
}

static struct node *node_of(const struct actor *actor, uint64_t number)
{
	return (struct node *)actor->base + number;
}

static uint64_t keys_of(const struct actor *actor)
{
	return actor->workload->region / sizeof(struct node) * NODE_KEYS;
}

static uint32_t make_node(struct actor *actor, uint32_t leaf)
{
	struct tree *tree = tree_of(actor);
	uint32_t number = tree->nodes + 1;

	structure_is(number < actor->workload->region / sizeof(struct node), "btree: no node left");
	STORE(actor, tree->nodes, number);
	STORE(actor, node_of(actor, number)->leaf, leaf);
	STORE(actor, node_of(actor, number)->count, 0);
	return number;
}

/* The first key that is not below this one, or of an inner node the child to go to. */
static uint32_t search(const struct node *node, uint64_t key)
{
	uint32_t low = 0, high = node->count;

	while (low < high) {
		uint32_t middle = (low + high) / 2;

		if (node->key[middle] < key || (!node->leaf && node->key[middle] == key))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void move(struct actor *actor, uint64_t *to, const uint64_t *from, size_t words)
{
	actor_declare(actor, to, words * sizeof(*to));
	memmove(to, from, words * sizeof(*to));
}

/* Room for a key at @at, and for a slot at @slot. */
static void put(struct actor *actor, struct node *node, uint32_t at, uint64_t key, uint32_t slot,
		uint64_t value)
{
	uint32_t slots = node->count + !node->leaf;

	if (at < node->count)
		move(actor, &node->key[at + 1], &node->key[at], node->count - at);
	if (slot < slots)
		move(actor, &node->slot[slot + 1], &node->slot[slot], slots - slot);
	STORE(actor, node->key[at], key);
	STORE(actor, node->slot[slot], value);
	STORE(actor, node->count, node->count + 1);
}

/* Give the upper half of a full child to a new one behind it. */
static void split(struct actor *actor, struct node *parent, uint32_t at)
{
	struct node *child = node_of(actor, parent->slot[at]);
	uint32_t number = make_node(actor, child->leaf);
	struct node *next = node_of(actor, number);
	uint32_t from = child->leaf ? HALF : HALF + 1, moved = KEYS - from;

	move(actor, next->key, &child->key[from], moved);
	move(actor, next->slot, &child->slot[from], moved + !child->leaf);
	STORE(actor, next->count, moved);
	STORE(actor, child->count, HALF);
	put(actor, parent, at, child->key[HALF], at + 1, number);
}

static void split_root(struct actor *actor)
{
	struct tree *tree = tree_of(actor);
	uint32_t root = make_node(actor, 0);

	STORE(actor, node_of(actor, root)->slot[0], tree->root);
	STORE(actor, tree->root, root);
	split(actor, node_of(actor, root), 0);
}

/* The leaf for a key, with room in it and above. */
static struct node *descend(struct actor *actor, uint64_t key)
{
	struct tree *tree = tree_of(actor);
	struct node *node;
	uint32_t at;

	if (node_of(actor, tree->root)->count == KEYS)
		split_root(actor);
	node = node_of(actor, tree->root);
	while (!node->leaf) {
		at = search(node, key);
		if (node_of(actor, node->slot[at])->count == KEYS) {
			split(actor, node, at);
			at = search(node, key);
		}
		node = node_of(actor, node->slot[at]);
	}
	return node;
}

static void take_out(struct actor *actor, struct node *leaf, uint32_t at)
{
	uint32_t behind = leaf->count - at - 1;

	if (behind) {
		move(actor, &leaf->key[at], &leaf->key[at + 1], behind);
		move(actor, &leaf->slot[at], &leaf->slot[at + 1], behind);
	}
	STORE(actor, leaf->count, leaf->count - 1);
}

static void toggle(struct actor *actor, uint64_t key)
{
	struct tree *tree = tree_of(actor);
	struct node *leaf = descend(actor, key);
	uint32_t at = search(leaf, key);

	if (at < leaf->count && leaf->key[at] == key) {
		take_out(actor, leaf, at);
		STORE(actor, tree->count, tree->count - 1);
	} else {
		put(actor, leaf, at, key, at, actor->random);
		STORE(actor, tree->count, tree->count + 1);
	}
}

static void build_root(struct actor *actor, uint64_t number)
{
	STORE(actor, *tree_of(actor), ((struct tree){ 0 }));
	STORE(actor, tree_of(actor)->root, make_node(actor, 1));
	(void)number;
}

static void build_key(struct actor *actor, uint64_t number)
{
	toggle(actor, 2 * number);
}

static void prepare(struct actor *actor)
{
	structure_build(actor, build_root, 1);
	structure_build(actor, build_key, keys_of(actor) / 2);
}

static void transact(struct actor *actor)
{
	toggle(actor, random_next(&actor->random) % keys_of(actor));
}

/* Keys of a subtree, which are in [low, high). */
static uint64_t count(const struct actor *actor, uint64_t number, uint64_t low, uint64_t high)
{
	const struct node *node = node_of(actor, number);
	uint64_t found = node->leaf ? node->count : 0;
	uint32_t i;

	for (i = 0; i < node->count; i++) {
		structure_is(node->key[i] >= low && node->key[i] < high, "btree: order of the keys");
		if (!node->leaf)
			found += count(actor, node->slot[i], low, node->key[i]);
		low = node->key[i] + node->leaf;
	}
	return node->leaf ? found : found + count(actor, node->slot[i], low, high);
}

static void verify(struct actor *actor)
{
	const struct tree *tree = tree_of(actor);

	structure_is(count(actor, tree->root, 0, UINT64_MAX) == tree->count,
		     "btree: the number of keys");
}

const struct kind kind_btree = { "btree", prepare, transact, verify };
