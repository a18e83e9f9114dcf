/* SPDX-License-Identifier: GPL-2.0 */
/* Requests to write pages back, which are answered when that is done. */
#ifndef _RVMT_REQUEST_H
#define _RVMT_REQUEST_H

struct file;
struct genl_info;
struct work_struct;

extern unsigned int rvmt_request_most;

/* Say why, and be the error. */
#define REFUSE(info, err, msg) ({ GENL_SET_ERR_MSG(info, msg); (err); })

/**
 * rvmt_request_queue() - check a WRITEBACK command and start it
 * @info: the command
 * @file: the region's file; the request takes a reference
 *
 * Return: 0 or a negative errno with a text.
 */
int rvmt_request_queue(struct genl_info *info, struct file *file);

/**
 * rvmt_request_run() - have work done by the queue, which needs no memory to get on
 * @work: what is to be done
 */
void rvmt_request_run(struct work_struct *work);

/**
 * rvmt_request_init() - make the queue
 *
 * Return: 0 or -ENOMEM.
 */
int rvmt_request_init(void);

/** rvmt_request_exit() - wait for the last request and destroy the queue */
void rvmt_request_exit(void);

#endif /* _RVMT_REQUEST_H */
