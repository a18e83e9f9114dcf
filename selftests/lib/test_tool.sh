#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# The tool rvm: each command, each exit code, and messages that say what is wrong.

here=$(cd "$(dirname "$0")" && pwd)
rvm=$here/../../bin/rvm
dir=$(mktemp -d)
device=
reader=
trap 'test -z "$device" || losetup -d "$device"; rm -rf "$dir"' EXIT
cd "$dir" || exit 1
n=0
failed=0

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

# expect NAME STATUS PATTERN COMMAND...: exit status, and an extended regular expression in the
# output; none: there is no output
expect()
{
	name=$1
	want=$2
	pattern=$3
	shift 3
	"$@" > output 2>&1
	got=$?
	if [ "$pattern" ]; then
		grep -Eq -- "$pattern" output
	else
		[ ! -s output ]
	fi
	ok=$?
	[ "$got" = "$want" ] || ok=1
	[ "$ok" = 0 ] || echo "wanted status $want and /$pattern/, got status $got" >> output
	result "$ok" "$name"
}

# same NAME FILE FILE
same()
{
	cmp "$2" "$3" > output 2>&1
	result $? "$1"
}

fresh()
{
	rm -f log seg
	"$rvm" create-log log 64K && "$rvm" create-segment seg 4096
}

# garble FILE BYTE: overwrites 16 bytes
garble()
{
	printf 'xxxxxxxxxxxxxxxx' | dd of="$1" bs=1 seek="$2" conv=notrunc 2> /dev/null
}

echo "TAP version 13"

expect "no command is wrong" 2 "a command is missing" "$rvm"
expect "an unknown command is wrong" 2 "no command frob" "$rvm" frob
expect "--help tells the commands and the exit codes" 0 "Exit codes" "$rvm" --help
for command in create-log create-segment status dump recover truncate resize-log forget; do
	expect "$command --help" 0 "Usage: rvm $command" "$rvm" $command --help
	expect "$command without arguments is wrong" 2 "arguments are missing" "$rvm" $command
	expect "$command with too many is wrong" 2 "too many arguments" "$rvm" $command a 4K b
	expect "$command does not know --frob" 2 "unrecognized option" "$rvm" $command --frob
done

for size in 0 x 1X 1KK -1 99999999999999999999 9999999999G ''; do
	expect "create-log refuses the size '$size'" 2 "SIZE: $size" "$rvm" create-log -- log "$size"
done
expect "create-log needs a size for a file" 2 "size must be" "$rvm" create-log log
expect "create-log refuses a mode" 2 "no octal" "$rvm" create-log --mode 9 log 4K
expect "create-log in no directory" 1 "No such file" "$rvm" create-log none/log 4K
expect "create-log on a directory" 2 "directory" "$rvm" create-log . 4K
expect "create-log" 0 "" "$rvm" create-log --mode 640 log 64K
expect "and the file has its length and mode" 0 "139264 640" stat -c "%s %a" log
expect "create-log again" 6 "exists already" "$rvm" create-log log 64K
expect "create-log by force" 0 "" "$rvm" create-log --force log 8k
expect "and it is another" 0 "81920" stat -c "%s" log
echo precious > file
expect "create-log by force spares what is no log" 6 "no log" "$rvm" create-log --force file 64K
expect "and it is still there" 0 "precious" cat file
expect "create-segment" 0 "" "$rvm" create-segment seg 5000
expect "and it has whole pages" 0 "8192" stat -c "%s" seg
expect "create-segment again" 6 "exists already" "$rvm" create-segment seg 4096

for command in status dump recover truncate forget; do
	expect "$command of no file" 1 "no such file" "$rvm" $command none
	expect "$command of no log" 5 "too short|not a log" "$rvm" $command file
	expect "$command of a directory" 5 "directory|regular" "$rvm" $command .
done

fresh
expect "status of a new log" 0 "state +clean" "$rvm" status log
"$here/make_log" log seg 5 killed
cp log image
expect "status after a crash" 0 "state +not closed" "$rvm" status log
expect "status tells the segment" 0 "segment 1 +$dir/seg, 4096 bytes" "$rvm" status log
expect "status as JSON" 0 '"state": "not closed"' "$rvm" status --json log
expect "which is JSON" 0 "ok" sh -c "'$rvm' status --json log | python3 -m json.tool && echo ok"
expect "dump shows the transactions" 0 "transaction 5 ranges 1" "$rvm" dump log
expect "dump shows the ranges" 0 "segment 1 offset 3 length 1" "$rvm" dump log
expect "dump shows the data" 0 "0000000000000003 03" "$rvm" dump --data log
"$rvm" dump log | grep ^LSN > forward
"$rvm" dump --backward log | grep ^LSN | tac > backward
same "dump backward is dump forward turned around" forward backward
expect "dump shows all ten records" 0 "^10$" sh -c "wc -l < forward"
expect "dump as JSON" 0 '"tid":5' "$rvm" dump --json --data log
expect "which is JSON with ten records" 0 "^10$" \
	sh -c "'$rvm' dump --json log | python3 -c 'import json, sys; print(len(json.load(sys.stdin)[\"records\"]))'"
same "looking changes nothing" log image
expect "recover" 0 "recovered: 5 transactions" "$rvm" recover log
printf '\000\001\002\003\004\005' > bytes
dd if=seg of=got bs=6 count=1 2> /dev/null
same "and the bytes are there" bytes got
expect "the log is clean then" 0 "state +clean" "$rvm" status log
expect "and empty" 0 "used +0 bytes" "$rvm" status log
expect "recover again does nothing" 0 "recovered: 0 transactions" "$rvm" recover log

fresh
"$here/make_log" log seg 3 closed
expect "a closed log keeps its records" 0 "used +1536 bytes" "$rvm" status log
expect "truncate empties it" 0 "truncated: 3 transactions" "$rvm" truncate log
expect "and it is empty" 0 "used +0 bytes" "$rvm" status log

fresh
"$here/make_log" log seg 3 killed
for size in 0 x 1X ''; do
	expect "resize-log refuses the size '$size'" 2 "SIZE: $size" "$rvm" resize-log -- log "$size"
done
expect "resize-log needs a size for a file" 2 "size must be" "$rvm" resize-log log
expect "resize-log of no file" 1 "no such file" "$rvm" resize-log none 64K
expect "resize-log of no log" 5 "too short|not a log" "$rvm" resize-log seg 64K
expect "resize-log beyond the disk" 1 "No space left|too large" "$rvm" resize-log log 4096T
expect "leaves the log as it was" 0 "139264" stat -c "%s" log
expect "resize-log makes it larger" 0 "" "$rvm" resize-log log 128K
expect "and tells so" 0 "record area +131072 bytes" "$rvm" status log
expect "and the file has its length" 0 "204800" stat -c "%s" log
printf '\000\001\002\003' > bytes
dd if=seg of=got bs=4 count=1 2> /dev/null
same "after bringing what it held to the segment" bytes got
"$here/make_log" log seg 4 killed
expect "resize-log makes it smaller" 0 "" "$rvm" resize-log log 5000
expect "and the file too" 0 "81920" stat -c "%s" log
expect "and it has whole blocks" 0 "record area +8192 bytes" "$rvm" status log
"$here/make_log" log seg 5 killed
expect "the smaller log works" 0 "recovered: 5 transactions" "$rvm" recover log

cp seg other
"$here/make_log" log other 2 closed
"$here/make_log" log seg 3 killed
expect "forget keeps segments that are there" 0 "forgotten: 0 segments" "$rvm" forget log
rm other
expect "forget drops one that is gone" 0 "forgotten: 1 segments" "$rvm" forget log
expect "the others are there" 0 "whole, 1 segments" "$rvm" status log
"$here/make_log" log seg 4 killed
expect "and are recovered" 0 "recovered: 4 transactions" "$rvm" recover log
expect "forget --all drops all" 0 "forgotten: 1 segments" "$rvm" forget --all log
expect "none is there then" 0 "whole, 0 segments" "$rvm" status log
"$here/make_log" log seg 5 killed
expect "they are entered again" 0 "recovered: 5 transactions" "$rvm" recover log

mkfifo input
"$here/make_log" log seg 2 open < input > ready &
reader=$!
exec 3> input
while ! grep -q open ready; do
	sleep 0.1
done
expect "recover of a log that is in use" 4 "another process" "$rvm" recover log
expect "truncate of a log that is in use" 4 "another process" "$rvm" truncate log
expect "resize-log of a log that is in use" 4 "another process" "$rvm" resize-log log 128K
expect "forget of a log that is in use" 4 "another process" "$rvm" forget log
expect "create-log over a log that is in use" 4 "another process" "$rvm" create-log --force log 4K
expect "verify of a log that is in use" 4 "a program uses it" "$rvm" verify log
expect "salvage of a log that is in use" 4 "another process" "$rvm" recover --salvage log
expect "status of a log that is in use" 0 "state +in use" "$rvm" status log
expect "dump of a log that is in use" 0 "transaction 2" "$rvm" dump log
exec 3>&-
wait "$reader"

cp image log
garble log 73800
cp seg before
expect "status of a damaged log" 3 "damaged at LSN 65536 .byte 73728." "$rvm" status log
expect "and its state" 3 "state +damaged" "$rvm" status log
expect "recover of a damaged log" 3 "damaged at LSN 65536" "$rvm" recover log
expect "resize-log of a damaged log" 3 "damaged at LSN 65536" "$rvm" resize-log log 128K
same "replays nothing" seg before
cp image log
garble log 75000
expect "dump shows what is before the damage" 3 "transaction 2 ranges" "$rvm" dump log
expect "and as JSON" 3 '"tid":2' "$rvm" dump --json log
cp image log
garble log 100
expect "one status may be damaged" 0 "status +first damaged" "$rvm" status log
garble log 4196
expect "both may not" 3 "both statuses are damaged" "$rvm" status log
cp image log
garble log 8200
garble log 41000
expect "nor both dictionaries" 3 "both segment dictionaries" "$rvm" recover log
cp image log
mv seg away
expect "recover without a segment" 1 "segment $dir/seg: there is no such file" "$rvm" recover log
mv away seg
truncate -s 100 seg
expect "recover with a segment cut off" 3 "it was cut off" "$rvm" recover log
truncate -s 4096 seg
expect "recover with it again" 0 "recovered: 5 transactions" "$rvm" recover log

# What is wrong, and where.
fresh
"$here/make_log" log seg 5 killed
cp log image
cp seg before
expect "verify of a sound log" 0 "^sound: 0 defects, recovery is possible; 5 transactions" \
	"$rvm" verify log seg
same "verify changes nothing" log image
mv seg gone
expect "verify of a log whose segment is gone" 3 \
	"/seg: byte 0: there is no such file; recovery is refused until it is as it was" "$rvm" verify log
mkdir seg
expect "verify of a log whose segment is a directory" 3 \
	"it is neither a regular file nor a block device; recovery is refused" "$rvm" verify log
rmdir seg
ln -s gone seg
expect "verify of a log whose segment is a link" 3 \
	"it was no symbolic link, and leads to $dir/gone now; recovery writes there" "$rvm" verify log
rm seg
mv gone seg
expect "verify as JSON" 0 '"state": "sound"' "$rvm" verify --json log
expect "verify of a segment that the log does not know" 3 "does not know this segment" \
	"$rvm" verify log image
expect "verify with too much for a backup" 2 "is a backup" "$rvm" verify --json .
garble log 75328
expect "a damaged record is told with its place" 3 \
	"log: byte 75264, LSN 67072 to 67160, transaction 4: .*; recovery is refused; 3 whole transactions stand before it, and 1 beyond it" \
	"$rvm" verify log
expect "as JSON, too" 3 '"byte": 75264' "$rvm" verify --json log
expect "which is JSON" 0 "damaged True 1" sh -c "'$rvm' verify --json log | python3 -c 'import json, sys; j = json.load(sys.stdin); print(j[\"state\"], j[\"refused\"], len(j[\"defects\"]))'"
same "recover still refuses it" seg before
expect "--keep without --salvage is wrong" 2 "only go with --salvage" "$rvm" recover -k x log
mkdir -p full
expect "salvage without a place for the copy" 1 "nothing was changed" \
	"$rvm" recover --salvage --keep none/log log
cp log damaged
expect "salvage tells what is lost" 0 "^lost: LSN 67584 to 67672, transaction 5, $dir/seg offset 5 length 1$" \
	"$rvm" recover --salvage log
same "the damaged log is kept" log.damaged damaged
printf '\000\001\002\003\000\000' > bytes
dd if=seg of=got bs=6 count=1 2> /dev/null
same "what was before the damage is there" bytes got
expect "the log is sound then" 0 "^sound: 0 defects" "$rvm" verify log
mv seg gone
expect "a segment that is gone is told" 3 \
	"there is no such file; no record is about it, recovery does without" "$rvm" verify log
expect "recovery is possible without it" 3 "^damaged: 1 defects, recovery is possible" \
	"$rvm" verify log
mv gone seg
expect "salvage again does nothing" 0 "^recovered: 0 transactions" "$rvm" recover --salvage log
same "and keeps what was kept" log.damaged damaged
cp damaged log
expect "salvage beyond the damage" 0 "never committed as a whole" \
	"$rvm" recover --salvage --beyond-damage log
printf '\000\001\002\003\000\005' > bytes
dd if=seg of=got bs=6 count=1 2> /dev/null
same "takes what is there as well" bytes got
cp damaged log
expect "not over something else" 6 "stands at image" "$rvm" recover --salvage --keep image log
expect "but where it is told to" 0 "the damaged log is elsewhere" \
	"$rvm" recover --salvage --keep elsewhere log
same "as it was" elsewhere damaged
cp image log
garble log 100
garble log 4300
expect "both statuses damaged alike is told" 3 "byte 4096: its checksum is wrong" "$rvm" verify log
dd if=/dev/zero of=log bs=4096 count=2 conv=notrunc 2> /dev/null
expect "without a status it is no log" 5 "not a log" "$rvm" verify log
expect "nor can it be salvaged" 5 "not a log" "$rvm" recover --salvage log
cp image log
rm seg
expect "a missing segment is told" 3 "seg: byte 0: there is no such file; recovery is refused" \
	"$rvm" verify log
expect "and is not salvaged without" 1 "put it back first" "$rvm" recover --salvage log
cp before seg

# A block device, where one is to be had.
truncate -s 256K disk
if device=$(losetup -f --show disk 2> /dev/null); then
	expect "create-log on a device takes all of it" 0 "" "$rvm" create-log "$device"
	expect "and tells so" 0 "record area +188416 bytes" "$rvm" status "$device"
	expect "not over a log" 6 "holds a log" "$rvm" create-log "$device"
	expect "unless by force" 0 "" "$rvm" create-log --force "$device" 64K
	expect "not beyond its end" 1 "the log needs" "$rvm" create-log --force "$device" 1M
	"$here/make_log" "$device" seg 4 killed
	expect "recover a log on a device" 0 "recovered: 4 transactions" "$rvm" recover "$device"
	"$here/make_log" "$device" seg 4 killed
	expect "verify a log on a device" 0 "^sound" "$rvm" verify "$device"
	garble "$device" 76288
	expect "salvage of a device needs a place for the copy" 5 "say where" \
		"$rvm" recover --salvage "$device"
	expect "salvage a log on a device" 0 "^salvaged: 1 transactions" \
		"$rvm" recover --salvage --keep device.damaged "$device"
	expect "which has the log's bytes" 0 "^139264$" stat -c %s device.damaged
	expect "resize-log not beyond the device" 1 "the log needs" "$rvm" resize-log "$device" 1M
	expect "resize-log takes all of a device" 0 "" "$rvm" resize-log "$device"
	expect "and tells so" 0 "record area +188416 bytes" "$rvm" status "$device"
	dd if=/dev/zero of="$device" bs=64K count=2 2> /dev/null
	echo precious > "$device"
	expect "not over other data" 6 "holds data" "$rvm" create-log "$device"
	losetup -d "$device"
fi
device=

echo "1..$n"
exit $failed
