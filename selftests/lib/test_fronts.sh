#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# The commands rvmutl and rdsinit as scripts for CMU RVM call them, rvm init-heap, and a program
# that uses the heap.
# shellcheck disable=SC2317 # expect calls the functions

here=$(cd "$(dirname "$0")" && pwd)
bin=$here/../../bin
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
n=0
failed=0

# expect NAME STATUS PATTERN COMMAND...: exit status, and an extended regular expression in the output
expect()
{
	name=$1 want=$2 pattern=$3
	shift 3
	"$@" > output 2>&1
	got=$?
	n=$((n + 1))
	if [ "$got" = "$want" ] && { [ ! "$pattern" ] || grep -Eq -- "$pattern" output; }; then
		echo "ok $n - $name"
	else
		failed=1
		echo "# wanted status $want and /$pattern/, got status $got"
		sed 's/^/# /' output
		echo "not ok $n - $name"
	fi
}

# rvmutl COMMANDS: they are its standard input
rvmutl()
{
	printf '%b' "$1" | "$bin/rvmutl"
}

# rdsinit ANSWER ARGUMENT...
rdsinit()
{
	answer=$1
	shift
	echo "$answer" | "$bin/rdsinit" "$@"
}

heap()
{
	"$here/compat/heap" "$1" data 1048576 "$2" "$3"
}

echo "TAP version 13"

expect "rvmutl makes a log" 0 "log log: 131072 bytes" rvmutl 'i log 128K\nquit\nfrob\n'
expect "it does not replace one" 1 "exists" rvmutl 'i log 128K\nquit\n'
expect "sizes may have M, or nothing" 0 "4096" rvmutl 'init_log big 1M\n# note\n\ni small 4096\nq'
expect "a log is recovered" 0 "recovered" rvmutl 'recover big\ni another 64K'
expect "a missing log is not" 1 "no such file" rvmutl 'r none\n'
for bad in 'i' 'i x' 'i x 12Q' 'i x K' 'i x 0' 'i x 99999999999999999999' 'frob' 'r'; do
	expect "rvmutl refuses '$bad'" 1 "rvmutl: " rvmutl "$bad\nquit\n"
done
expect "after an error it goes on" 1 "after: 65536" rvmutl 'frob\ni after 64K\n'
expect "help" 0 "i LOG SIZE" rvmutl 'help\n'
expect "rvmutl takes no arguments" 2 "Usage" "$bin/rvmutl" log

expect "rdsinit formats" 0 "successfully" \
	rdsinit "" -f log data 1M 0x50000000 0xc0000 64K 20 32
expect "the segment was made" 0 "^1048576$" stat -c %s data
expect "a program finds an empty heap" 0 "^0, 0 bytes" heap log print
expect "it allocates" 0 "^one 1, 64 bytes" heap log add one
expect "and again" 0 "^two one 2, 128 bytes" heap log add two
expect "it dies" 3 "" heap log die three
expect "nothing has changed" 0 "^two one 2, 128 bytes" heap log print
expect "it frees" 0 "^one 1, 64 bytes" heap log take
expect "rdsinit asks" 1 "y.n.*nothing was done" \
	sh -c "echo n | $bin/rdsinit log data 1M 0x50000000 768K 64K 20 32 2>&1 | tr '\n' ' '; exit 1"
expect "without an answer it does nothing" 0 "^one 1" heap log print
expect "with yes it formats" 0 "successfully" rdsinit y log data 1M 0x50000000 768K 64K 20 32
expect "the static area is new, too" 0 "^0, 0 bytes" heap log print
expect "the smallest log will do" 0 "successfully" \
	rdsinit "" -f small other 1M 0x50000000 768K 64K 20 32

expect "too large a heap is refused" 1 "beyond" \
	rdsinit "" -f log data 1M 0x50000000 1M 64K 20 32
expect "and nothing has changed" 0 "^0, 0 bytes" heap log print
expect "an address off a page boundary is refused" 1 "boundary" \
	rdsinit "" -f log data 1M 0x50000010 768K 64K 20 32
expect "no lists are refused" 1 "lists" rdsinit "" -f log data 1M 0x50000000 768K 64K 0 32
expect "a missing log is refused" 1 "no such file" \
	rdsinit "" -f none data 1M 0x50000000 768K 64K 20 32
expect "what is no number is refused" 2 "Usage" \
	rdsinit "" -f log data 1M here 768K 64K 20 32
expect "a missing argument is refused" 2 "Usage" rdsinit "" -f log data 1M

expect "rvm init-heap does not replace regions" 6 "force" \
	"$bin/rvm" init-heap -a 0x50000000 -s 64K log data 768K
expect "unless it is forced" 0 "" "$bin/rvm" init-heap -f -a 0x50000000 -s 64K log data 768K
expect "a program finds its heap" 0 "^0, 0 bytes" heap log print
expect "it makes a segment, too" 0 "" "$bin/rvm" init-heap log fresh 64K
expect "as long as it must be" 0 "^69632$" stat -c %s fresh
expect "it refuses bad figures" 2 "lists" "$bin/rvm" init-heap -l 0 log fresh2 64K
expect "and a bad address" 2 "boundary" "$bin/rvm" init-heap -a 0x50000010 log fresh3 64K
expect "and words that are missing" 2 "missing" "$bin/rvm" init-heap log fresh
expect "and what is no log" 5 "data" "$bin/rvm" init-heap data fresh4 64K
expect "and a missing log" 1 "no such file" "$bin/rvm" init-heap none fresh5 64K

echo "1..$n"
exit $failed
