#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# rvm backup, verify and restore: what they print, what they refuse, what they leave alone.
# shellcheck disable=SC2317 # expect calls the functions

here=$(cd "$(dirname "$0")" && pwd)
rvm=$here/../../bin/rvm
dir=$(mktemp -d)
device=
trap 'test -z "$device" || losetup -d "$device"; rm -rf "$dir"' EXIT
cd "$dir" || exit 1
dir=$(pwd -P)
n=0
failed=0

# result STATUS NAME
result()
{
	n=$((n + 1))
	if [ "$1" = 0 ]; then
		echo "ok $n - $2"
	else
		failed=1
		sed 's/^/# /' output
		echo "not ok $n - $2"
	fi
}

# expect NAME STATUS PATTERN COMMAND...: exit status, and an extended regular expression in the output
expect()
{
	name=$1 want=$2 pattern=$3
	shift 3
	"$@" > output 2>&1
	got=$?
	[ "$got" = "$want" ] && { [ ! "$pattern" ] || grep -Eq -- "$pattern" output; }
	ok=$?
	[ "$ok" = 0 ] || echo "wanted status $want and /$pattern/, got status $got" >> output
	result "$ok" "$name"
}

# bytes FILE: the five bytes that make_log changes
bytes()
{
	od -An -v -tu1 -j1 -N5 "$1" | tr -s ' ' | cut -c2-
}

# flip FILE OFFSET: change one byte
flip()
{
	byte=$(od -An -tu1 -j"$2" -N1 "$1" | tr -d ' ')
	printf "%b" "\\0$(printf %o $((byte ^ 1)))" |
		dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

echo "TAP version 13"

"$rvm" create-log log 64K
"$rvm" create-segment seg 1M
"$here/make_log" log seg 5 killed
cp log log.before
cp seg seg.before

expect "a log that was not closed is backed up" 0 "^backed up: 1 segments, 1048576 bytes" \
	"$rvm" backup log one
expect "the log is as it was" 0 "" cmp log log.before
expect "the segment is as it was" 0 "" cmp seg seg.before
expect "the copy is whole" 0 "^whole: 1 segments" "$rvm" verify one
expect "holes stay holes" 0 "^0" du -k one/segment.1
expect "an existing directory is refused" 6 "exists already" "$rvm" backup log one
expect "a missing log is refused" 1 "no such file" "$rvm" backup none two
expect "what is no log is refused" 5 "not a log" "$rvm" backup seg two
expect "a missing argument is refused" 2 "missing" "$rvm" backup log
mkfifo input
"$here/make_log" log seg 2 open < input > ready &
exec 3> input
while ! [ -s ready ]; do
	kill -0 $! 2> output || break
done
expect "a log in use: only its program can do it" 4 "rvm_backup" "$rvm" backup log two
expect "it is not restored over" 4 "another process" "$rvm" restore --force one
exec 3>&-
wait
expect "what was refused left nothing" 1 "" test -e two

expect "nothing is overwritten" 6 "exists already.*--force" "$rvm" restore one
mkdir to
expect "restored elsewhere" 0 "5 transactions" "$rvm" restore --to to one
expect "with the records applied" 0 "^1 2 3 4 5$" bytes to/seg
expect "the log is empty and knows the segment" 0 "$dir/to/seg" "$rvm" status to/log
expect "it has the size that it had" 0 "record area +65536 " "$rvm" status to/log
expect "not twice" 6 "exists already" "$rvm" restore --to to one
expect "file by file" 0 "restored" "$rvm" restore -a "$dir/log=to/l2" -a "$dir/seg=to/s2" one
expect "two to one place" 6 "two files" "$rvm" restore -a "$dir/log=to/x" -a "$dir/seg=to/x" one
expect "a move that is none" 2 "OLD=NEW" "$rvm" restore --as x one
expect "a directory that is missing" 1 "its directory" "$rvm" restore --to nowhere one
chmod 640 seg
"$rvm" backup log perm > output 2>&1
expect "restored over what there was" 0 "restored" "$rvm" restore --force perm
expect "with its permissions" 0 "^640$" stat -c %a seg
"$here/make_log" log seg 7 killed
expect "the restored log goes on" 0 "recovered: 7 transactions" "$rvm" recover log
rm log seg
expect "restored where it was" 0 "restored" "$rvm" restore one
expect "the same bytes" 0 "^1 2 3 4 5$" bytes seg

cp -r one bad
flip bad/records 300
expect "a damaged record file is found" 3 "records is damaged" "$rvm" verify bad
rm -rf to
mkdir to
expect "and not restored" 3 "damaged" "$rvm" restore --to to bad
expect "not even a part of it" 0 "^0$" sh -c 'ls to | wc -l'
rm -r bad && cp -r one bad && flip bad/segment.1 500000
expect "a bit in a hole is found" 3 "segment.1 \($dir/seg\) is damaged" "$rvm" verify bad
rm -r bad && cp -r one bad && truncate -s -1 bad/segment.1
expect "a cut segment is found" 3 "1048575 bytes, not 1048576" "$rvm" verify bad
rm bad/segment.1
expect "a missing one, too" 3 "segment.1 is missing" "$rvm" verify bad
rm -r bad && cp -r one bad && rm bad/MANIFEST
expect "an unfinished backup is told" 3 "never finished" "$rvm" verify bad
expect "and not restored" 3 "never finished" "$rvm" restore --to to bad
sed 's/"rvm_backup": 1/"rvm_backup": 2/' one/MANIFEST > bad/MANIFEST
expect "a changed manifest is found" 3 "checksum" "$rvm" verify bad
expect "a missing backup is told" 1 "no such directory" "$rvm" verify nothing

odd='sp ace"quote%41ä'
"$rvm" create-segment "$odd" 64K
"$here/make_log" log "$odd" 3 closed
expect "any path can be backed up" 0 "2 segments" "$rvm" backup log names
rm "$odd" seg log
expect "and restored" 0 "restored" "$rvm" restore names
expect "under its name" 0 "^1 2 3 0 0$" bytes "$odd"

truncate -s 2M disk
if device=$(losetup -f --show disk 2> output); then
	expect "a device is too small for the log and segment" 6 "two files" \
		"$rvm" restore -f -a "$dir/seg=$device" -a "$dir/log=$device" one
	head -c 2M /dev/urandom > disk
	expect "a segment is restored to a device" 0 "restored" \
		"$rvm" restore -f -a "$dir/seg=$device" one
	expect "its bytes are there" 0 "^1 2 3 4 5$" bytes "$device"
	expect "and its zeros" 0 "" cmp -n 1000000 -i 100 "$device" /dev/zero
	expect "the log knows the device" 0 "$device" "$rvm" status log
	expect "a device is backed up" 0 "2097152 bytes" "$rvm" backup log dev
	expect "and whole" 0 "whole" "$rvm" verify dev
else
	device=
	echo "# no loop device here: restoring to one is left out"
fi

echo "1..$n"
exit $failed
