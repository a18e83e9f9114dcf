// SPDX-License-Identifier: GPL-2.0
/* A linked list: a random node goes to its front, as in a cache of what was used last. */
#include "random.h"
#include "structure.h"

/* Node 0 is the head. */
struct node {
	uint32_t next;
	uint32_t previous;
	uint64_t uses;
	char payload[48];
};

static struct node *nodes_of(const struct actor *actor)
{
	return (struct node *)actor->base;
}

static uint32_t count_of(const struct actor *actor)
{
	return actor->workload->region / sizeof(struct node);
}

static void insert(struct actor *actor, uint32_t n)
{
	struct node *nodes = nodes_of(actor);
	uint32_t first = nodes[0].next;

	STORE(actor, nodes[n].next, first);
	STORE(actor, nodes[n].previous, 0);
	STORE(actor, nodes[first].previous, n);
	STORE(actor, nodes[0].next, n);
}

static void take_out(struct actor *actor, uint32_t n)
{
	struct node *nodes = nodes_of(actor);
	uint32_t next = nodes[n].next, previous = nodes[n].previous;

	STORE(actor, nodes[next].previous, previous);
	STORE(actor, nodes[previous].next, next);
}

static void build(struct actor *actor, uint64_t number)
{
	struct node *nodes = nodes_of(actor);

	if (number == 0) {
		STORE(actor, nodes[0].next, 0);
		STORE(actor, nodes[0].previous, 0);
		return;
	}
	STORE(actor, nodes[number].uses, 0);
	insert(actor, number);
}

static void prepare(struct actor *actor)
{
	structure_build(actor, build, count_of(actor));
}

static void transact(struct actor *actor)
{
	struct node *nodes = nodes_of(actor);
	uint32_t n = 1 + random_next(&actor->random) % (count_of(actor) - 1);

	take_out(actor, n);
	insert(actor, n);
	STORE(actor, nodes[n].uses, nodes[n].uses + 1);
}

static void verify(struct actor *actor)
{
	const struct node *nodes = nodes_of(actor);
	uint32_t at = 0, seen = 0;

	do {
		structure_is(nodes[nodes[at].next].previous == at, "list: a link back");
		at = nodes[at].next;
		structure_is(++seen <= count_of(actor), "list: a cycle");
	} while (at);
	structure_is(seen == count_of(actor), "list: nodes are missing");
}

const struct kind kind_list = { "list", prepare, transact, verify };
