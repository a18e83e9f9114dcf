#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Programs written for CMU RVM 1.3 compile unchanged and do what they did.

here=$(dirname "$0")/compat
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
echo "1..46"

expect "the offset macros work on lvalues" "|0" "$here/offsets"

fresh
expect "a log is made and 1000 accounts are filled" "sum 100000 first 100 tenth 100|0" \
	"$here/accounts" "$log" "$data" init
expect "the next run finds them" "sum 100000 first 100 tenth 100|0" \
	"$here/accounts" "$log" "$data" sum
expect "1000 transfers keep the sum, 100 of them aborted" "sum 100000 first 99 tenth 101|0" \
	"$here/accounts" "$log" "$data" move
expect "and the run after that finds them too" "sum 100000 first 99 tenth 101|0" \
	"$here/accounts" "$log" "$data" sum
expect "a log that exists is not made again" "rvm_create_log: RVM_ELOG|1" \
	"$here/accounts" "$log" "$data" init

fresh
expect "a list is begun at a fixed address" "one 1|0" "$here/list" "$log" "$data" add one
expect "its pointers hold in the next run" "two one 2|0" "$here/list" "$log" "$data" add two
expect "a run dies before its commit" "|3" "$here/list" "$log" "$data" die never
expect "nothing of it is left" "two one 2|0" "$here/list" "$log" "$data" print
expect "and the list goes on" "three two one 3|0" "$here/list" "$log" "$data" add three

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
twice RVM_EINIT|0" "$here/codes" "$log" "$data"

expect "a program without arguments is told so" "|2" "$here/codes"

fresh
expect "a log of 4096 bytes serves 1000 transactions, and length 0 maps all" "length 65536 of 65536
sum 1000|0" "$here/tiny_log" "$log" "$data"

fresh
expect "transactions side by side end in any order, and a query finds those that are open" \
	"5 open: yes yes yes yes yes
3 open: yes no yes no yes
0 open: no no no no no
0 'changed'
1 'entry 1'
2 'entry 2'
3 ''
4 'entry 4'|0" "$here/transactions" "$log" "$data"

fresh
regions="region 0: 4096 bytes at 0x21000000
region 1: 8192 bytes at 0x22000000"
expect "a segment with two regions is made and loaded" "$regions
count 1|0" "$here/segments" "$log" "$data" create
expect "a pointer from one into the other holds in the next run" "$regions
count 2|0" "$here/segments" "$log" "$data"
expect "and in the run after that" "$regions
count 3|0" "$here/segments" "$log" "$data"

fresh
expect "eight threads share a heap" "mallocs 3200 frees 3200|0" "$here/heap_threads" "$log" "$data" 8 50

# bank TELLERS TRANSFERS [die] - without the lines, of which some were not flushed when it died
bank()
{
	# shellcheck disable=SC2317 # expect() calls it
	"$here/bank" "$log" "$data" "$@" | cut -d, -f1
}

fresh
truncate -s 256K "$data"
expect "a bank opens, and six tellers work" "sum 200000, lines 0|0" \
	"$here/bank" "$log" "$data" 6 40
expect "the next day it finds each line of them" "sum 200000, lines 210|0" \
	"$here/bank" "$log" "$data" 6 40
expect "a teller takes all down with him" "sum 200000, lines 420|3" \
	"$here/bank" "$log" "$data" 1 40 die
expect "and each account is what its ledger says" "sum 200000|0" bank 6 40
expect "on the last day as well" "sum 200000|0" bank 0 0

fresh
expect "a tree in a heap gets its root" "1 directories, 1 counted, top /|0" \
	"$here/tree" "$log" "$data" init
expect "threads grow and cut it" "125 directories, 125 counted, top /|0" \
	"$here/tree" "$log" "$data" grow 4 30
expect "a run dies while it cuts" "|3" "$here/tree" "$log" "$data" die
expect "all is there" "125 directories, 125 counted, top /|0" "$here/tree" "$log" "$data" list
expect "and more threads go on" "293 directories, 293 counted, top /|0" \
	"$here/tree" "$log" "$data" grow 8 20

# killed ROUNDS STEP: its status; the last number it told was flushed
killed()
{
	# shellcheck disable=SC2317 # expect() calls it
	"$here/library" "$log" "$data" kill "$@" > "$dir/told" 2> /dev/null
}

# look: is there what was flushed, and what these rounds come to?
look()
{
	# shellcheck disable=SC2317 # expect() calls it
	"$here/library" "$log" "$data" look "$(tail -n 1 "$dir/told")" | sed 's/[0-9]\{1,\}/N/g'
}

fresh
echo 0 > "$dir/told"
expect "a library of four regions opens" "|0" "$here/library" "$log" "$data" create
expect "nothing is in it" "0 books, 0 lent, 0 readers, after 0 rounds|0" \
	"$here/library" "$log" "$data" look 0
expect "readers come and go for a day" "|0" \
	sh -c "\"$here/library\" \"$log\" \"$data\" work 61 > \"$dir/told\""
expect "the next day each list is what it was" "48 books, 81 lent, 5 readers, after 61 rounds|0" \
	"$here/library" "$log" "$data" look 61
for step in 1 4 9; do
	expect "it is killed before change $step of a round" "|137" killed 83 $step
	expect "what was flushed is there, and nothing of that round" \
		"N books, N lent, N readers, after N rounds|0" look
done
expect "and it opens again" "|0" \
	sh -c "\"$here/library\" \"$log\" \"$data\" work 40 > \"$dir/told\""

expect "all names have the types and values that they had" "0 wrong|0" "$here/names"

fresh
"$here/statistics" "$log" "$data" > "$dir/printed" 2>&1
expect "statistics end well" "0|0" echo $?
expect "they count what the program did" "rvm_statistics_id: flush 3 no_flush 5 abort 0 open 1
saved: 8 ranges, 256 bytes
then: flush 0 of 3, abort 0 of 1, truncations 1
copy: flush 3
RVM_ESTAT_VERSION_SKEW
RVM_ESTATISTICS|0" head -n 6 "$dir/printed"
expect "and are printed, each time with the count so far" "1|0" \
	grep -c "^  no_flush commits  *5$" "$dir/printed"

expect "records are made, copied, freed, and have names" \
	"rvm_options_id truncate 50 buffers 262144 262144 read 524288 flags 3
copy /a/log 1
rvm_region_id 0, copy /a/segment 1 1 2 3
rvm_tid_id 1 rvm_tid_id 1
restore no_restore flush no_flush rvm_region_id rvm_options_id rvm_tid_id rvm_statistics_id RVM_EINIT RVM_EVM_OVERLAP|0" \
	"$here/records"

expect "names of the library's parts are free for the program's own" \
	"RVM_EINIT RVM_SUCCESS RVM_SUCCESS 8|0" "$here/own_names"

exit $failed
