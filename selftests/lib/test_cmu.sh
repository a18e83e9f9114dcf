#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Programs written for CMU RVM 1.3 compile unchanged and do what they did.

here=$(dirname "$0")
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
log=$dir/log
data=$dir/data
n=0
failed=0

# expect NAME WANTED COMMAND...: the command's output and exit status, as "output|status"
expect()
{
	name=$1
	want=$2
	shift 2
	got=$("$@" 2>&1)
	got="$got|$?"
	n=$((n + 1))
	if [ "$got" = "$want" ]; then
		echo "ok $n - $name"
	else
		failed=1
		echo "# wanted: $want"
		echo "# got:    $got"
		echo "not ok $n - $name"
	fi
}

fresh()
{
	rm -f "$log" "$data"
	truncate -s 64K "$data"
}

echo "TAP version 13"
echo "1..13"

expect "the offset macros work on lvalues" "|0" "$here/cmu_offsets"

fresh
expect "a log is made and 1000 accounts are filled" "sum 100000 first 100 tenth 100|0" \
	"$here/cmu_accounts" "$log" "$data" init
expect "the next run finds them" "sum 100000 first 100 tenth 100|0" \
	"$here/cmu_accounts" "$log" "$data" sum
expect "1000 transfers keep the sum, 100 of them aborted" "sum 100000 first 99 tenth 101|0" \
	"$here/cmu_accounts" "$log" "$data" move
expect "and the run after that finds them too" "sum 100000 first 99 tenth 101|0" \
	"$here/cmu_accounts" "$log" "$data" sum
expect "a log that exists is not made again" "rvm_create_log: RVM_ELOG|1" \
	"$here/cmu_accounts" "$log" "$data" init

fresh
expect "a list is begun at a fixed address" "one 1|0" "$here/cmu_list" "$log" "$data" add one
expect "its pointers hold in the next run" "two one 2|0" "$here/cmu_list" "$log" "$data" add two
expect "a run dies before its commit" "|3" "$here/cmu_list" "$log" "$data" die never
expect "nothing of it is left" "two one 2|0" "$here/cmu_list" "$log" "$data" print
expect "and the list goes on" "three two one 3|0" "$here/cmu_list" "$log" "$data" add three

fresh
expect "each misuse gets the code that programs rely on" "flush RVM_EINIT
begin RVM_EINIT
end RVM_EINIT
version RVM_EVERSION_SKEW
init RVM_SUCCESS
create RVM_SUCCESS
exists RVM_ELOG
open RVM_SUCCESS
mode RVM_EMODE
null RVM_ETID
unbegun RVM_ETID
begin RVM_SUCCESS
badend RVM_EMODE
nowhere RVM_ENOT_MAPPED
terminate RVM_EUNCOMMIT
abort RVM_SUCCESS
map RVM_SUCCESS
overlap RVM_EOVERLAP
begin RVM_SUCCESS
cross RVM_ERANGE
range RVM_SUCCESS
uncommitted RVM_EUNCOMMIT
end RVM_SUCCESS
again RVM_ETID
unmap RVM_SUCCESS
unmapped RVM_ENOT_MAPPED
begin RVM_SUCCESS
query RVM_SUCCESS
uncommitted 1
tid rvm_tid_id
end RVM_SUCCESS
truncate RVM_SUCCESS
query RVM_SUCCESS
uncommitted 0 empty 1
options RVM_SUCCESS
done RVM_SUCCESS
twice RVM_EINIT|0" "$here/cmu_codes" "$log" "$data"

expect "a program without arguments is told so" "|2" "$here/cmu_codes"

exit $failed
