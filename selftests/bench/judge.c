// SPDX-License-Identifier: GPL-2.0
/* Goals: what was reached, and whether it is enough. */
#include <stdio.h>

#include "judge.h"

#define GOALS_MAX	32

static struct goal {
	const char *text;
	double reached;
	bool at_most;
	double bound;
} goals[GOALS_MAX];
static unsigned int n_goals;

void judge(const char *text, double reached, bool at_most, double bound)
{
	if (n_goals < GOALS_MAX)
		goals[n_goals++] = (struct goal){ text, reached, at_most, bound };
}

void judge_tell(const char *where)
{
	const struct goal *goal;

	if (n_goals)
		printf("\n%s: goals\n", where);
	for (goal = goals; goal < goals + n_goals; goal++) {
		bool met = goal->at_most ? goal->reached <= goal->bound :
					   goal->reached >= goal->bound;

		printf("  %-58s %12.6g, %s %10.6g: %s\n", goal->text, goal->reached,
		       goal->at_most ? "at most " : "at least", goal->bound,
		       met ? "reached" : "missed");
	}
}
