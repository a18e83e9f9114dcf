/* SPDX-License-Identifier: GPL-2.0 */
/* The commands of the generic netlink family. */
#ifndef _RVMT_NETLINK_H
#define _RVMT_NETLINK_H

extern unsigned int rvmt_netlink_slots;

/**
 * rvmt_netlink_init() - offer the family to users
 *
 * Return: 0 or a negative errno.
 */
int rvmt_netlink_init(void);

/** rvmt_netlink_exit() - withdraw the family */
void rvmt_netlink_exit(void);

#endif /* _RVMT_NETLINK_H */
