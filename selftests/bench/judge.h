/* SPDX-License-Identifier: GPL-2.0 */
/* Goals: what was reached, and whether it is enough. */
#ifndef SELFTESTS_BENCH_JUDGE_H
#define SELFTESTS_BENCH_JUDGE_H

#include <stdbool.h>

/**
 * judge() - note what was reached of a goal
 * @text: what it is about; it must stay
 * @reached: how much
 * @at_most: it is bounded from above
 * @bound: the goal
 */
void judge(const char *text, double reached, bool at_most, double bound);

/** judge_tell() - print all goals that were noted, if any were */
void judge_tell(const char *where);

#endif
