/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Errors: a negative errno for the caller, one line of text for the person. */
#ifndef RVM_LIB_ERR_H
#define RVM_LIB_ERR_H

/**
 * err_set() - note the text of an error for this thread
 * @err: a positive errno
 * @fmt: printf format: what went wrong, where, and what to do about it
 *
 * Return: -@err, so that a caller writes "return err_set(EIO, ...)".
 */
int err_set(int err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/**
 * err_add() - put words before the text that is already noted
 * @err: a negative errno, returned as it is
 * @fmt: printf format of the words, for example "log /x: "
 *
 * Return: @err.
 */
int err_add(int err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/**
 * err_text() - the text that this thread noted last
 *
 * Return: a line without newline, "" if there is none.
 */
const char *err_text(void);

/**
 * err_name() - what an error number means
 * @err: an errno, positive or negative
 *
 * Return: a text such as "No space left on device"; unlike strerror() for any thread.
 */
const char *err_name(int err);

/** err_clear() - forget the text that this thread noted */
void err_clear(void);

#endif
