#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# A sync of the log that failed is never tried again, and nothing succeeds after it, although the
# kernel has forgotten by then that it failed: on a device, and in files on ext4 with their data in
# the page cache and in the journal.

# shellcheck disable=SC1091,SC2154,SC2317 # lib.sh has variables, wait_for calls functions
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
dir=$(mktemp -d /dev/shm/fsyncgate.XXXXXX)
cd "$dir" || exit 1

SIZE=65536	# sectors of the device with the log

# sum() LOG - of all bytes of a log of 256K
sum() { head -c 328K "$1" | cksum; }

has_failed() { grep -q "^$1: all calls fail" acks; }

# fail_sync() NAME LOG - the writes that a sync waits for fail, later ones do not
fail_sync()
{
	local before
	start_worker "$2" "$segment"
	wait_for 30 more_than 50
	result $? "$1: commits"
	swap_table whole 0 $SIZE "flakey $disk 0 0 1 1 error_writes"
	wait_for 30 has_failed "at once"
	result $? "$1: one fails, and each call after it"
	swap_table whole 0 $SIZE linear "$disk" 0
	before=$(sum "$2")
	echo >&7
	wait_for 30 has_failed "after a while"
	result $? "$1: also when a sync would succeed"
	[ "$before" = "$(sum "$2")" ]
	result $? "$1: nothing was written again"
}

on_device()
{
	dm whole 0 $SIZE linear "$disk" 0
	"$rvm" create-log /dev/mapper/whole 256K
	fail_sync device /dev/mapper/whole
	stop_worker
	cat acks worker.err > output
	grep -q '^opened again' acks
	result $? "device: opened again, every acknowledged commit is there"
	dmsetup remove whole
}

# on_ext4() MODE LOST - what counts is on the disk, when the file system has been mended as it asks for: an
# unmount may forget that the journal holds data, and the next mount would wipe it.
on_ext4()
{
	local name="ext4, $1"
	mkfs.ext4 -q -F "$disk"
	blkdiscard -z "$segment"
	dm whole 0 $SIZE linear "$disk" 0
	mount -o "$1" /dev/mapper/whole mnt
	"$rvm" create-log mnt/log 256K
	fail_sync "$name" mnt/log
	kill_worker
	umount mnt
	e2fsck -fy /dev/mapper/whole > output 2>&1
	mount -o "$1" /dev/mapper/whole mnt
	expect "$name: what was acknowledged is there" 0 "transactions are there" \
		"$here/work" check mnt/log "$segment" $(($(acked) - $2))
	umount mnt
	dmsetup remove whole
}

[ -n "$RVM_VM" ] || { echo "Bail out! this makes devices: run it in the VM"; exit 1; }
modprobe -a loop dm-mod dm-flakey
mkdir mnt
loop segment 1M 512
segment=$loop
loop disk 32M 512
disk=$loop
echo "TAP version 13"
on_device
on_ext4 data=ordered 0
# Linux says of a sync that it succeeded, if another has ended its journal's transaction meanwhile, with an
# error (jbd2_complete_transaction()): one transaction may be acknowledged and lost.
on_ext4 data=journal 1
losetup -d "$disk" "$segment"
finish
