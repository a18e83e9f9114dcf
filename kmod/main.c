// SPDX-License-Identifier: GPL-2.0
/* The module rvm_track: its parameters, its beginning and its end. */

#include <linux/init.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/rvm_track.h>
#include <net/genetlink.h>

#include "conflict.h"
#include "end.h"
#include "netlink.h"
#include "page.h"
#include "pressure.h"
#include "region.h"
#include "request.h"

module_param_named(slots, rvmt_netlink_slots, uint, 0644);
MODULE_PARM_DESC(slots, "Pages of a region that may have owners at once, if its creator does not say");
module_param_named(regions, rvmt_region_most, uint, 0644);
MODULE_PARM_DESC(regions, "Regions that a user may have at once");
module_param_named(requests, rvmt_request_most, uint, 0644);
MODULE_PARM_DESC(requests, "Writebacks of a region that may be under way at once");
module_param_named(pressure, rvmt_pressure_percent, uint, 0644);
MODULE_PARM_DESC(pressure, "Percentage of the page cache that must wait for a writeback before libraries are asked for it");
module_param_named(retain, rvmt_end_retain, uint, 0644);
MODULE_PARM_DESC(retain, "Free slots of a region that keep their memory for the next transaction");
module_param_named(conflict, rvmt_conflict_wait_ms, uint, 0644);
MODULE_PARM_DESC(conflict, "Milliseconds that a store waits for another transaction that owns its page");

static int __init rvmt_init(void)
{
	int err;

	err = rvmt_page_init();
	if (err)
		return err;
	err = rvmt_request_init();
	if (err)
		goto err_page;
	err = rvmt_pressure_init();
	if (err)
		goto err_request;
	err = rvmt_netlink_init();
	if (err)
		goto err_pressure;
	return 0;

err_pressure:
	rvmt_pressure_exit();
err_request:
	rvmt_request_exit();
err_page:
	rvmt_page_exit();
	return err;
}

/* No region is left, or the module could not be unloaded. */
static void __exit rvmt_exit(void)
{
	rvmt_netlink_exit();
	rvmt_pressure_exit();
	rvmt_request_exit();
	rvmt_page_exit();
}

module_init(rvmt_init);
module_exit(rvmt_exit);

MODULE_AUTHOR("The RVM authors");
MODULE_DESCRIPTION("Page tracking and ordered writeback for recoverable memory");
MODULE_LICENSE("GPL");
MODULE_VERSION("1.0.0");
MODULE_ALIAS_GENL_FAMILY(RVM_TRACK_GENL_NAME);
