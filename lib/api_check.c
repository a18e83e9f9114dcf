// SPDX-License-Identifier: LGPL-2.1-or-later
/* Who is told of forgotten ranges: by the program, or by RVM_CHECK in the environment. */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "instance.h"

/* What RVM_CHECK may be. */
static const struct {
	const char *value;
	bool all;
	rvm_check_handler_t handler;
} choices[] = {
	{ "", false, NULL },
	{ "0", false, NULL },
	{ "1", true, rvm_check_report },
	{ "report", true, rvm_check_report },
	{ "abort", true, rvm_check_abort },
	{ "refuse", true, NULL },
};

void rvm_set_check_handler(rvm_check_handler_t handler, void *arg)
{
	check_lock(&rvm.txs);
	rvm.txs.checks.handler = handler;
	rvm.txs.checks.arg = arg;
	check_unlock(&rvm.txs);
}

static void choose(size_t choice)
{
	struct checks *checks = &rvm.txs.checks;

	checks->all = choices[choice].all;
	if (!checks->all || (checks->handler && choices[choice].value[0] == '1'))
		return;
	checks->handler = choices[choice].handler;
	checks->arg = NULL;
}

rvm_return_t start_checks(void)
{
	const char *value = secure_getenv("RVM_CHECK");
	size_t i;

	for (i = 0; i < sizeof(choices) / sizeof(choices[0]); i++) {
		if (strcmp(value ? value : "", choices[i].value))
			continue;
		choose(i);
		return RVM_SUCCESS;
	}
	return fail(RVM_EOPTIONS, "RVM_CHECK is \"%s\": it may be 1, report, abort, refuse or 0",
		    value);
}
