#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Logs and segments on block devices: sector sizes, devices that fail.

# shellcheck disable=SC1091,SC2034,SC2154,SC2317 # lib.sh has variables, wait_for calls functions
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
. "$here/legs.sh"
dir=$(mktemp -d /dev/shm/dev.XXXXXX)
cd "$dir" || exit 1

# kill_and_check() NAME LOG SEGMENT - commits, SIGKILL in the middle, and all is there
kill_and_check()
{
	start_worker "$2" "$3"
	wait_for 30 more_than 100
	result $? "$1: commits"
	kill_worker
	expect "$1: nothing is lost by a kill" 0 "transactions are there" \
		"$here/work" check "$2" "$3" "$(acked)"
}

# on_sectors() NAME SECTOR LOG SEGMENT - a log and a segment on raw devices
on_sectors()
{
	expect "$1: a log on a device" 0 "" "$rvm" create-log "$3" 256K
	expect "$1: it knows the sector" 0 "sectors of $2 bytes" "$rvm" status "$3"
	kill_and_check "$1" "$3" "$4"
}

# take_all() NAME LOG SEGMENT - the log grows to the end of its device
take_all()
{
	expect "$1: the log takes all of the device" 0 "" "$rvm" resize-log "$2"
	expect "$1: and tells so" 0 "record area +$(($(blockdev --getsize64 "$2") - 73728)) bytes" \
		"$rvm" status "$2"
	kill_and_check "$1, larger" "$2" "$3"
}

test_sectors()
{
	local sector log
	for sector in 512 4096; do
		loop "log$sector" 2M $sector
		log=$loop
		loop "segment$sector" 2M $sector
		on_sectors "loop device, sectors of $sector" $sector "$log" "$loop"
	done
	[ -e /dev/disk/disk1 ]
	result $? "the VM has two disks with sectors of 4096 bytes"
	on_sectors "disk, sectors of 4096" 4096 /dev/disk/disk0 /dev/disk/disk1
	take_all "disk, sectors of 4096" /dev/disk/disk0 /dev/disk/disk1
}

# fail_and_mend() NAME TABLE - the log's device fails for a while, without a mirror
fail_and_mend()
{
	make_legs
	dm whole 0 "$LEG" linear /dev/mapper/leg0 0
	make_parts
	make_log
	start_worker /dev/mapper/log /dev/mapper/segment
	wait_for 30 more_than 100
	result $? "$1: commits"
	swap_table log 0 "$LOG" "$2"
	wait_for 30 has_failed "at once: all calls fail"
	result $? "$1: a commit fails, and each call after it"
	cp acks output
	expect "$1: the error says what failed" 0 "failed: log /dev/mapper/log: .*Input/output error" \
		grep "^failed:" acks
	swap_table log 0 "$LOG" linear /dev/mapper/whole 0
	echo >&7
	wait_for 30 has_failed "after a while: all calls fail"
	result $? "$1: also when the device is well again"
	stop_worker
	cat acks worker.err > output
	grep -q '^opened again' acks
	result $? "$1: opened again, every acknowledged commit is there"
	remove_all
}

test_log_fails()
{
	fail_and_mend "a log's device that fails" error
	fail_and_mend "one that fails to write" \
		"flakey /dev/mapper/whole 0 0 1 1 error_writes"
}

answers() { [ "$(grep -c . acks)" -ge "$1" ]; }

# A segment that cannot be written stops truncation; the log keeps what it holds.
test_segment_fails()
{
	local name="a segment's device that fails"
	make_legs
	dm whole 0 "$LEG" linear /dev/mapper/leg0 0
	make_parts
	make_log
	rm -f input
	mkfifo input
	"$here/work" truncate /dev/mapper/log /dev/mapper/segment < input > acks 2> worker.err &
	worker=$!
	exec 7> input
	wait_for 30 answers 1
	swap_table segment 0 "$SEGMENT" "flakey /dev/mapper/whole $LOG 0 1 1 error_writes"
	echo >&7
	wait_for 30 answers 2
	expect "$name: commits go on, truncation says why it does not" 0 "Input/output error" \
		sed -n 2p acks
	swap_table segment 0 "$SEGMENT" linear /dev/mapper/whole "$LOG"
	echo >&7
	wait_for 30 answers 3
	expect "$name: truncation goes on when it is well again" 0 "^truncated" sed -n 3p acks
	kill_worker
	expect "$name: nothing is lost" 0 "^3 transactions" \
		"$here/work" check /dev/mapper/log /dev/mapper/segment 3
	remove_all
}

[ -n "$RVM_VM" ] || { echo "Bail out! this makes devices: run it in the VM"; exit 1; }
modprobe -a loop dm-mod dm-flakey
echo "TAP version 13"
test_sectors
test_log_fails
test_segment_fails
finish
