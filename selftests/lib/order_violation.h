/* SPDX-License-Identifier: GPL-2.0 */
/* How the judge of the order of writes ends the program. */
#ifndef SELFTESTS_LIB_ORDER_VIOLATION_H
#define SELFTESTS_LIB_ORDER_VIOLATION_H

#include <stddef.h>

/** order_violation() - print a text, and end the program by SIGTRAP */
__attribute__((format(printf, 1, 2), noreturn))
void order_violation(const char *format, ...);

/** order_need() - memory for the judge, all 0; there is some, or the program ends */
void *order_need(size_t size);

#endif
