// SPDX-License-Identifier: GPL-2.0
/* A visit to the bank: open it in a process of its own, which recovers it first. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "visit.h"

static bool refused(struct ledger *ledger, const char *what, rvm_return_t ret)
{
	return ledger_fault(ledger, "%s: %s: %s", what, rvm_return(ret), rvm_error());
}

struct bank *visit_open(const struct site *site, rvm_region_t *region, struct ledger *ledger)
{
	rvm_options_t options;
	rvm_return_t ret;

	rvm_init_options(&options);
	options.log_dev = site->log;
	options.flags |= site->tracker;
	ret = RVM_INIT(&options);
	if (ret) {
		refused(ledger, "recovery", ret);
		return NULL;
	}
	rvm_init_region(region);
	region->data_dev = site->segment;
	ret = rvm_map(region, &options);
	if (!ret && region->length >= sizeof(struct bank))
		return (struct bank *)region->vmaddr;
	refused(ledger, "rvm_map", ret);
	return NULL;
}

static bool close_bank(rvm_region_t *region, struct ledger *ledger)
{
	rvm_return_t ret = rvm_unmap(region);

	if (ret)
		return refused(ledger, "rvm_unmap", ret);
	ret = rvm_terminate();
	return !ret || refused(ledger, "rvm_terminate", ret);
}

bool visit(const struct site *site, struct ledger *ledger,
	   bool (*fn)(struct bank *bank, struct ledger *ledger, void *arg), void *arg)
{
	rvm_region_t region;
	struct bank *bank;
	int status = -1;
	pid_t pid = fork();

	if (pid < 0)
		return ledger_fault(ledger, "fork: %s", strerror(errno));
	if (!pid) {
		bank = visit_open(site, &region, ledger);
		_exit(!(bank && fn(bank, ledger, arg) && close_bank(&region, ledger)));
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	if (!status)
		return true;
	return ledger_fault(ledger, "the process that recovered the bank died: status %#x", status);
}
