#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# A file system that is really full: each command says so, and nothing is lost.

# shellcheck disable=SC1091,SC2154 # lib.sh has variables
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
dir=$(mktemp -d /dev/shm/full.XXXXXX)
cd "$dir" || exit 1

FULL="No space left on device"

nothing_left() { [ ! -e "$1" ] && [ "$(stat -f -c %a disk)" = "$2" ]; }

[ -n "$RVM_VM" ] || { echo "Bail out! this makes a file system: run it in the VM"; exit 1; }
modprobe -a loop
echo "TAP version 13"
loop disk 8M 512
mkfs.ext4 -q -F -m 0 "$loop"
mkdir disk
mount "$loop" disk
"$rvm" create-log disk/log 256K
"$rvm" create-segment disk/segment 1M
start_worker disk/log disk/segment
wait_for 30 more_than 50
result $? "commits on a small file system"
kill_worker

free=$(stat -f -c %a disk)
expect "create-log" 1 "$FULL" "$rvm" create-log disk/log2 64M
nothing_left disk/log2 "$free"
result $? "create-log leaves nothing"
expect "create-segment" 1 "$FULL" "$rvm" create-segment disk/segment2 64M
nothing_left disk/segment2 "$free"
result $? "create-segment leaves nothing"
expect "resize-log" 1 "$FULL" "$rvm" resize-log disk/log 64M
expect "resize-log gives back what it took" 0 "^335872$" stat -c %s disk/log
expect "the log has its old size" 0 "record area +262144 bytes" "$rvm" status disk/log
expect "its transactions are there" 0 "transactions are there" \
	"$here/work" check disk/log disk/segment "$(acked)"

# What has its space goes on, since log and segment were written or taken before.
cat /dev/zero > disk/filler 2> /dev/null
expect "hardly a block is free" 0 "^[0-4]$" stat -f -c %a disk
before=$(acked)
start_worker disk/log disk/segment
wait_for 30 more_than $((before + 200))
result $? "commits and truncations go on in a full file system"
kill_worker
expect "and nothing is lost" 0 "transactions are there" \
	"$here/work" check disk/log disk/segment "$(acked)"

# There is room for a part of it.
truncate -s -400K disk/filler
free=$(stat -f -c %a disk)
expect "a backup beside transactions that finds the disk full" 0 "^backup disk/backup: .*$FULL" \
	"$here/work" backup disk/log disk/segment disk/backup
last=$(sed -n 's/^acknowledged //p' output)
nothing_left disk/backup "$free"
result $? "it leaves nothing"
expect "nothing is lost by it" 0 "transactions are there" \
	"$here/work" check disk/log disk/segment "$last"

expect "a smaller log needs no space" 0 "" "$rvm" resize-log disk/log 64K
expect "and is one" 0 "record area +65536 bytes" "$rvm" status disk/log
umount disk
losetup -d "$loop"
finish
