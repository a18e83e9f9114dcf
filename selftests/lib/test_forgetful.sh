#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# An example with a bug that one crash in thousands shows: a check finds it in one run, in the words of README.md.

# shellcheck disable=SC2317 # ok() calls the functions

here=$(cd "$(dirname "$0")" && pwd)
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
n=0
failed=0

# ok NAME COMMAND...: the command succeeds
ok()
{
	name=$1
	shift
	n=$((n + 1))
	if "$@"; then
		echo "ok $n - $name"
	else
		failed=1
		echo "not ok $n - $name"
	fi
}

# die TRANSACTIONS: run it afresh until it dies there; RVM_CHECK is the caller's
die()
{
	rm -f log queue
	"$here/forgetful" log queue "$1"
}

# look [WORDS]: the next run finds the queue whole, or says so
look()
{
	[ "$("$here/forgetful" log queue 0 2>&1)" = "$1" ]
}

# general: without the numbers that each run has its own
general()
{
	sed -e 's/0x[0-9a-f]\{6,\}/ADDRESS/g' -e 's/0x[0-9a-f]\{2,\}/PLACE/g' -e 's/thread [0-9]*/thread N/' \
		-e 's/bytes of [^ ]*/bytes of PATH/' -e 's/transaction [0-9]*/transaction N/'
}

echo "TAP version 13"
echo "1..7"
cd "$dir" || exit 1

die 1022
ok "a crash before the forgotten store loses nothing" look ""
die 1023
ok "a crash just after it does" look "forgetful: 512 jobs were pushed, but the laps are 0"
die 1024
ok "a crash one transaction later does not" look ""

RVM_CHECK=1 die 2000 > told 2>&1
ok "a checked run goes on to its end" look ""
general < told > told.general
sed -n 's/^    \(rvm:.*\)/\1/p' "$here/README.md" | general > wanted
[ -s wanted ] && diff wanted told.general | sed 's/^/# /'
ok "it tells of the store in the words of README.md" cmp -s wanted told.general
ok "and names its function" grep -q 'stored by thread [0-9]* at 0x[0-9a-f]* push+0x' told
( RVM_CHECK=abort die 2000 > told 2>&1 ) 2> /dev/null
ok "it dies there if that is asked for" grep -q "transaction .* ended" told

exit $failed
