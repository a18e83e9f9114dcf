// SPDX-License-Identifier: GPL-2.0
/*
 * A program as it was written for CMU RVM 1.3: walks a large device in
 * chunks with 128-bit offsets and the macros on them.
 */
#include <stdio.h>

#include <rvm/rvm.h>

static int failed;

#define MUST(cond) do { \
	if (!(cond)) { \
		printf("line %d: %s\n", __LINE__, #cond); \
		failed = 1; \
	} \
} while (0)

int main(void)
{
	rvm_offset_t start, end, at, left, max = RVM_OFFSET_INITIALIZER(1, 10);
	rvm_length_t chunk = ~0UL - 5;
	char *addr = (char *)0x10001;
	int steps = 0;

	RVM_ZERO_OFFSET(start);
	MUST(RVM_OFFSET_EQL_ZERO(start));
	end = RVM_ADD_OFFSETS(max, max);
	MUST(RVM_OFFSET_HIGH_BITS_TO_LENGTH(end) == 2 && RVM_OFFSET_TO_LENGTH(end) == 20);
	for (at = start; RVM_OFFSET_LSS(at, end); at = RVM_ADD_LENGTH_TO_OFFSET(at, chunk))
		steps++;
	MUST(steps == 3);
	MUST(RVM_OFFSET_GTR(at, end) && RVM_OFFSET_GEQ(at, end) && !RVM_OFFSET_LEQ(at, end));
	left = RVM_SUB_OFFSETS(end, max);
	MUST(RVM_OFFSET_EQL(left, max));
	left = RVM_SUB_LENGTH_FROM_OFFSET(left, 11);
	MUST(RVM_OFFSET_HIGH_BITS_TO_LENGTH(left) == 0 && RVM_OFFSET_TO_LENGTH(left) == ~0UL);
	left = RVM_ROUND_OFFSET_UP_TO_PAGE_SIZE(left);
	MUST(left.high == 1 && left.low == 0);
	left = RVM_LENGTH_TO_OFFSET(RVM_PAGE_SIZE + 1);
	at = RVM_ROUND_OFFSET_DOWN_TO_PAGE_SIZE(left);
	MUST(RVM_OFFSET_TO_LENGTH(at) == RVM_PAGE_SIZE);
	MUST(RVM_ROUND_LENGTH_UP_TO_PAGE_SIZE(1) == RVM_PAGE_SIZE);
	MUST(RVM_ROUND_LENGTH_DOWN_TO_PAGE_SIZE(1) == 0);
	MUST(RVM_ROUND_ADDR_UP_TO_PAGE_SIZE(addr) == (char *)0x11000);
	MUST(RVM_ROUND_ADDR_DOWN_TO_PAGE_SIZE(addr) == (char *)0x10000);
	MUST(RVM_SUB_LENGTH_FROM_ADDR(RVM_ADD_LENGTH_TO_ADDR(7, addr), 7) == addr);
	MUST(rvm_page_mask() == ~(rvm_page_size() - 1));
	at = rvm_mk_offset(3, 4);
	at = rvm_add_offsets(&at, &max);
	at = rvm_sub_offsets(&at, &max);
	at = rvm_add_length_to_offset(&at, 1);
	at = rvm_sub_length_from_offset(&at, 1);
	MUST(at.high == 3 && at.low == 4);
	at = rvm_rnd_offset_up_to_page(&at);
	at = rvm_rnd_offset_dn_to_page(&at);
	MUST(at.high == 3 && at.low == rvm_page_size());
	return failed;
}
