/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The load map at the start of a segment's file. */
#ifndef RVM_TOOLS_HEADER_H
#define RVM_TOOLS_HEADER_H

/**
 * header_check() - check the load map of a segment
 * @path: the segment
 *
 * Return: 0, also if it has none; -EUCLEAN it is damaged; what opening and reading return; with a
 * text.
 */
int header_check(const char *path);

#endif
