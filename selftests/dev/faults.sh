#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# dm-flakey and dm-error below log and segment: writes dropped, writes and reads that fail, bytes that
# are read wrong, while transactions commit, while the log is truncated, while it is recovered.

# shellcheck disable=SC1091,SC2154,SC2317 # lib.sh has variables, wait_for calls functions
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
dir=$(mktemp -d /dev/shm/faults.XXXXXX)
cd "$dir" || exit 1

declare -A start=([log]=0 [segment]=4096 [whole]=0) length=([log]=4096 [segment]=4096 [whole]=8192)
declare -A below=([log]=/dev/mapper/whole [segment]=/dev/mapper/whole)

# fault() DEVICE FAULT - from now on
fault()
{
	local at="${below[$1]} ${start[$1]}" table
	case $2 in
	none) table="linear $at" ;;
	dropped-writes) table="flakey $at 0 1 1 drop_writes" ;;
	failing-writes) table="flakey $at 0 1 1 error_writes" ;;
	no-device) table=error ;;
	wrong-bytes) table="flakey $at 0 1 5 corrupt_bio_byte 100 r 1 0" ;;
	esac
	# shellcheck disable=SC2086 # several words
	swap_table "$1" 0 "${length[$1]}" $table
}

# read_wrong() BYTE - each read of the log finds another value in this byte, and in no other one
read_wrong()
{
	local sector=$(($1 / 512)) byte=$(($1 % 512)) on=${below[log]} first=${start[log]} all=${length[log]} rest value
	rest=$((all - sector - 1))
	value=$(dd if=/dev/mapper/log bs=512 skip=$sector count=1 iflag=direct 2> /dev/null |
		od -An -tu1 -j $byte -N 1)
	# a target of one sector: whatever is read with it, the byte has the same place in its bio
	swap_tables log <<- end
		0 $sector linear $on $first
		$sector 1 flakey $on $((first + sector)) 0 1 5 corrupt_bio_byte $((byte + 1)) r $((value ^ 85)) 0
		$((sector + 1)) $rest linear $on $((first + sector + 1))
	end
}

# held() DEVICE - a digest of all that is on it
held() { dd if=/dev/mapper/"$1" bs=64K iflag=direct 2> /dev/null | sha256sum; }

check_all()
{
	expect "$1" 0 "transactions are there" \
		"$here/work" check /dev/mapper/log /dev/mapper/segment "$2"
}

# commit_some() NAME - a worker that goes on, and has truncated the log several times
commit_some()
{
	local before=${before:-0}
	start_worker /dev/mapper/log /dev/mapper/segment
	wait_for 30 more_than $((before + 150))
	result $? "$1: commits"
}

# What was acknowledged later than the fault is lost with a device that says it wrote it.
test_dropped_while_working()
{
	local name="writes of log and segment are dropped" before=0 delay
	for delay in 0.1 0.5 1; do
		commit_some "$name"
		sleep $delay
		before=$(acked)
		fault whole dropped-writes
		sleep $delay
		kill_worker
		fault whole none
		check_all "$name: all from before is there, and nothing by halves" "$before"
		before=$(sed -n 's/ transactions are there//p' output)
	done
}

no_room() { grep -q "no room .*segment .*Input/output error" acks; }
no_room_or_dead() { no_room || ! kill -0 "$worker" 2> /dev/null; }

# The log keeps what the segment cannot take, until it is full.
test_segment_while_working()
{
	local name="a segment's writes fail" before
	before=$last
	commit_some "$name"
	fault segment failing-writes
	wait_for 60 no_room
	result $? "$name: commits go on until the log is full, and say why it is"
	before=$(acked)
	fault segment none
	wait_for 30 more_than $((before + 100))
	result $? "$name: they go on when it is well again"
	kill_worker
	last=$(acked)
	check_all "$name: nothing is lost" "$last"
}

# A page that cannot be read kills the program that needs it.
test_segment_gone()
{
	local name="a segment's device is gone" before
	before=$last
	commit_some "$name"
	fault segment no-device
	wait_for 60 no_room_or_dead
	result $? "$name: commits have no room, or the program dies"
	kill_worker 2> /dev/null
	last=$(acked)
	fault segment none
	check_all "$name: nothing is lost" "$last"
}

# refuse_recovery() DEVICE FAULT STATUS PATTERN - it says what is wrong; later it recovers all
refuse_recovery()
{
	local name="recovery with $2 of the $1" before
	before=$last
	commit_some "$name"
	kill_worker
	last=$(acked)
	fault "$1" "$2"
	expect "$name: it ends as it must" "$3" "$4" \
		"$here/work" check /dev/mapper/log /dev/mapper/segment "$last"
	fault "$1" none
	check_all "$name: all is there when it is well again" "$last"
}

# middle_record() - the byte in the middle of a long record, and the LSN of that; some stand behind it
middle_record()
{
	"$rvm" dump /dev/mapper/log > records
	awk '$7 == "transaction" && $6 > 1024 { n++; byte[n] = $4 + int($6 / 2); lsn[n] = $2 }
		END { i = int((n + 1) / 2); if (n > 5) print byte[i], lsn[i] }' records
}

# Nothing but the checksum tells that a new value is another one than was written.
test_record_read_wrong()
{
	local name="recovery that reads a byte of a record wrong" before byte='' lsn log segment tries
	before=$last
	# a truncation may just have emptied the log
	for ((tries = 0; tries < 10 && !byte; tries++)); do
		commit_some "$name"
		kill_worker
		last=$(acked) before=$last
		read -r byte lsn < <(middle_record)
	done
	[ "$byte" ]
	result $? "$name: there are records"
	log=$(held log) segment=$(held segment)
	read_wrong "$byte"
	[ "$(held log)" != "$log" ]
	result $? "$name: it is read wrong"
	expect "$name: it tells where, and that it is the checksum" 3 \
		"initialize: log .*: damaged at LSN $lsn .*: the record's checksum is wrong" \
		"$here/work" check /dev/mapper/log /dev/mapper/segment "$last"
	fault log none
	[ "$(held log)" = "$log" ] && [ "$(held segment)" = "$segment" ]
	result $? "$name: nothing is written"
	check_all "$name: all is there when it is read right again" "$last"
}

# A device that drops what recovery writes cannot be asked what is there, but afterwards.
test_dropped_in_recovery()
{
	local name="recovery whose writes are dropped" before
	before=$last
	commit_some "$name"
	kill_worker
	last=$(acked)
	fault whole dropped-writes
	"$here/work" check /dev/mapper/log /dev/mapper/segment "$last" > output 2>&1
	fault whole none
	check_all "$name: the next one finds all" "$last"
}

[ -n "$RVM_VM" ] || { echo "Bail out! this makes devices: run it in the VM"; exit 1; }
modprobe -a loop dm-mod dm-flakey
loop disk 4M 512
below[whole]=$loop
dm whole 0 "${length[whole]}" linear "$loop" 0
for part in log segment; do
	dm $part 0 "${length[$part]}" linear /dev/mapper/whole "${start[$part]}"
done
"$rvm" create-log /dev/mapper/log 256K
echo "TAP version 13"
test_dropped_while_working
last=$(sed -n 's/ transactions are there//p' output)
test_segment_while_working
test_segment_gone
refuse_recovery log failing-writes 3 "initialize: log .* failed: Input/output error"
refuse_recovery log no-device 3 "initialize: log .*Input/output error"
refuse_recovery log wrong-bytes 3 "initialize: log .*damaged"
test_record_read_wrong
refuse_recovery segment failing-writes 3 "initialize: .*segment .*Input/output error"
refuse_recovery segment no-device 3 "initialize: .*segment .*Input/output error"
test_dropped_in_recovery
dmsetup remove log segment whole
losetup -d "$loop"
finish
