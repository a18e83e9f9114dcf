// SPDX-License-Identifier: LGPL-2.1-or-later
/* Arithmetic on 128-bit offsets, and on pages. */
#include <rvm/rvm.h>

#include "track.h"

rvm_offset_t rvm_mk_offset(rvm_length_t high, rvm_length_t low)
{
	return (rvm_offset_t) { .high = high, .low = low };
}

rvm_offset_t rvm_add_offsets(rvm_offset_t *x, rvm_offset_t *y)
{
	rvm_length_t low = x->low + y->low;

	return rvm_mk_offset(x->high + y->high + (low < x->low), low);
}

rvm_offset_t rvm_add_length_to_offset(rvm_offset_t *offset, rvm_length_t length)
{
	rvm_offset_t y = rvm_mk_offset(0, length);

	return rvm_add_offsets(offset, &y);
}

rvm_offset_t rvm_sub_offsets(rvm_offset_t *x, rvm_offset_t *y)
{
	return rvm_mk_offset(x->high - y->high - (x->low < y->low), x->low - y->low);
}

rvm_offset_t rvm_sub_length_from_offset(rvm_offset_t *offset, rvm_length_t length)
{
	rvm_offset_t y = rvm_mk_offset(0, length);

	return rvm_sub_offsets(offset, &y);
}

rvm_offset_t rvm_rnd_offset_up_to_page(rvm_offset_t *offset)
{
	rvm_offset_t up = rvm_add_length_to_offset(offset, TRACK_PAGE_SIZE - 1);

	return rvm_rnd_offset_dn_to_page(&up);
}

rvm_offset_t rvm_rnd_offset_dn_to_page(rvm_offset_t *offset)
{
	return rvm_mk_offset(offset->high, offset->low & rvm_page_mask());
}

rvm_length_t rvm_page_size(void)
{
	return TRACK_PAGE_SIZE;
}

rvm_length_t rvm_page_mask(void)
{
	return ~(TRACK_PAGE_SIZE - 1);
}
