#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Logs and segments on block devices: sector sizes, mirrors that lose a leg, servers that die, devices
# that fail.

# shellcheck disable=SC1091,SC2034,SC2154,SC2317 # lib.sh has variables, wait_for calls functions
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
dir=$(mktemp -d /dev/shm/dev.XXXXXX)
cd "$dir" || exit 1

MIB=2048	# sectors of 512 bytes
LEG=$((8 * MIB)) LOG=$((2 * MIB)) SEGMENT=$((4 * MIB)) META=$((4 * MIB))
PORT=10900	# of the first leg's server
PATIENCE=2	# seconds after which a server that does not answer is a dead one

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

# make_legs() - two devices that can be made to fail, leg0 and leg1
make_legs()
{
	local leg
	for leg in 0 1; do
		loop "leg$leg" 8M 512
		legs[leg]=$loop
		dm leg$leg 0 $LEG linear "$loop" 0
	done
}

# make_parts() - log and segment, parts of the device whole
make_parts()
{
	dm log 0 $LOG linear /dev/mapper/whole 0
	dm segment 0 $SEGMENT linear /dev/mapper/whole $LOG
}

make_log() { "$rvm" create-log /dev/mapper/log 256K; }

remove_all()
{
	dmsetup remove log segment whole leg0 leg1
	losetup -d "${legs[@]}"
	legs=()
	rm -f leg?.image meta?.image
}

one_leg_is_dead() { dmsetup status whole | grep -q AD; }

break_table() { swap_table leg1 0 $LEG error; }

# lose_leg() NAME LOSE REPAIR - lose leg1 under load, and see all of it on the other leg
lose_leg()
{
	local before
	start_worker /dev/mapper/log /dev/mapper/segment
	wait_for 30 more_than 100
	result $? "$1: commits"
	$2
	wait_for 30 one_leg_is_dead
	result $? "$1: the device has noticed that a leg is dead"
	$3
	before=$(acked)
	wait_for 30 more_than $((before + 100))
	result $? "$1: commits go on"
	kill_worker
	# What the survivor has by itself, not what the mirror can tell.
	dmsetup remove log segment whole
	dm whole 0 $LEG linear /dev/mapper/leg0 0
	make_parts
	expect "$1: nothing is lost, it is all on the other leg" 0 "transactions are there" \
		"$here/work" check /dev/mapper/log /dev/mapper/segment "$(acked)"
}

# dm-mirror holds writes that failed until somebody, elsewhere dmeventd, takes the leg away.
drop_leg() { swap_table whole 0 $LEG linear /dev/mapper/leg0 0; }

test_mirror()
{
	make_legs
	dm whole 0 $LEG mirror core 2 1024 nosync 2 /dev/mapper/leg0 0 /dev/mapper/leg1 0 1 handle_errors
	make_parts
	make_log
	lose_leg "dm-mirror" break_table drop_leg
	remove_all
}

# Without metadata devices Linux 6.1 lets writes wait for ever when a leg dies.
test_raid1()
{
	make_legs
	loop meta0 4M 512
	legs[2]=$loop
	loop meta1 4M 512
	legs[3]=$loop
	dm whole 0 $LEG raid raid1 2 0 nosync 2 "${legs[2]}" /dev/mapper/leg0 "${legs[3]}" /dev/mapper/leg1
	make_parts
	make_log
	lose_leg "dm-raid" break_table true
	remove_all
}

has_failed() { grep -q "^$1" acks; }

# serve() LEG - a process that serves an image over NBD; its children have its number as their group
serve()
{
	truncate -s $(((LEG + META) * 512)) "leg$1.image"
	cat > "leg$1.conf" <<-END
	[generic]
	listenaddr = 127.0.0.1
	port = $((PORT + $1))
	[leg]
	exportname = $dir/leg$1.image
	flush = true
	fua = true
	END
	nbd-server -C "leg$1.conf" -p "$dir/leg$1.pid"
}

connect() { nbd-client -N leg 127.0.0.1 $((PORT + $1)) "/dev/nbd$1" -timeout $PATIENCE > output 2>&1; }

# make_served_legs() - the devices leg0 and leg1, each with metadata of its own, and each on a server
make_served_legs()
{
	local leg
	for leg in 0 1; do
		serve $leg
		wait_for 10 connect $leg
		result $? "$1: server $leg is connected"
		dm leg$leg 0 $LEG linear /dev/nbd$leg 0
		dm meta$leg 0 $META linear /dev/nbd$leg $LEG
	done
}

signal_server() { kill "-$2" -- "-$(cat "leg$1.pid")"; }
kill_server() { signal_server 1 KILL; }
hang_server() { signal_server 1 STOP; }
kill_servers() { kill -KILL -- "-$(cat leg0.pid)" "-$(cat leg1.pid)"; }

# remove_served() DEVICE... - and servers, of which some are dead
remove_served()
{
	dmsetup remove "$@"
	for leg in 0 1; do
		nbd-client -d /dev/nbd$leg > output 2>&1
		signal_server $leg KILL 2> /dev/null
	done
}

# expect_failures() NAME - of a commit with RVM_EIO, and of all calls after it
expect_failures()
{
	wait_for 30 has_failed "at once: all calls fail"
	result $? "$1 a commit fails, and each call after it"
	cp acks output
	expect "$1 the error says what failed" 0 "failed: log /dev/mapper/log: .*Input/output error" \
		grep "^failed:" acks
}

# lose_last() NAME - the server of leg0 dies as well, and all that was acknowledged is in its image
lose_last()
{
	start_worker /dev/mapper/log /dev/mapper/segment
	wait_for 30 more_than "$(($(sed -n 's/ transactions are there//p' output) + 100))"
	result $? "$1: commits on what is left"
	signal_server 0 KILL
	expect_failures "$1: when the last server dies"
	kill_worker
	remove_served log segment whole leg0 leg1 meta0 meta1
	loop leg0 $(((LEG + META) * 512)) 512
	dm whole 0 $LEG linear "$loop" 0
	make_parts
	expect "$1: nothing is lost, it is all in the server's image" 0 "transactions are there" \
		"$here/work" check /dev/mapper/log /dev/mapper/segment "$(acked)"
	dmsetup remove log segment whole
	losetup -d "$loop"
	rm -f leg?.*
}

test_mirror_of_servers()
{
	local name="dm-mirror of NBD servers, one is killed"
	make_served_legs "$name"
	dm whole 0 $LEG mirror core 2 1024 nosync 2 /dev/mapper/leg0 0 /dev/mapper/leg1 0 1 handle_errors
	make_parts
	make_log
	lose_leg "$name" kill_server drop_leg
	lose_last "$name"
}

# One that does not answer is as good as dead, once the client's patience is over.
test_raid1_of_servers()
{
	local name="dm-raid of NBD servers, one hangs"
	make_served_legs "$name"
	dm whole 0 $LEG raid raid1 2 0 nosync 2 /dev/mapper/meta0 /dev/mapper/leg0 \
		/dev/mapper/meta1 /dev/mapper/leg1
	make_parts
	make_log
	lose_leg "$name" hang_server true
	lose_last "$name"
}

# dm-mirror cannot be asked for this: it holds a write that only one leg has refused until somebody gives it
# another table, and which leg is the first to die is a matter of chance.
test_both_servers()
{
	local name="dm-raid of NBD servers, both are killed"
	local served="log segment whole leg0 leg1 meta0 meta1"
	local mirror="2 /dev/mapper/meta0 /dev/mapper/leg0 /dev/mapper/meta1 /dev/mapper/leg1"
	make_served_legs "$name"
	dm whole 0 $LEG raid raid1 2 0 nosync "$mirror"
	make_parts
	make_log
	start_worker /dev/mapper/log /dev/mapper/segment
	wait_for 30 more_than 100
	result $? "$name: commits"
	kill_servers
	expect_failures "$name: then"
	kill_worker
	# shellcheck disable=SC2086 # several
	remove_served $served
	make_served_legs "$name, and come back"
	# What was on its way then may be in one leg only: it copies that first.
	dm whole 0 $LEG raid raid1 2 0 sync "$mirror"
	make_parts
	expect "$name, and come back: nothing is lost" 0 "transactions are there" \
		"$here/work" check /dev/mapper/log /dev/mapper/segment "$(acked)"
	# shellcheck disable=SC2086
	remove_served $served
	rm -f leg?.*
}

# fail_and_mend() NAME TABLE - the log's device fails for a while, without a mirror
fail_and_mend()
{
	make_legs
	dm whole 0 $LEG linear /dev/mapper/leg0 0
	make_parts
	make_log
	start_worker /dev/mapper/log /dev/mapper/segment
	wait_for 30 more_than 100
	result $? "$1: commits"
	swap_table log 0 $LOG "$2"
	wait_for 30 has_failed "at once: all calls fail"
	result $? "$1: a commit fails, and each call after it"
	cp acks output
	expect "$1: the error says what failed" 0 "failed: log /dev/mapper/log: .*Input/output error" \
		grep "^failed:" acks
	swap_table log 0 $LOG linear /dev/mapper/whole 0
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
	dm whole 0 $LEG linear /dev/mapper/leg0 0
	make_parts
	make_log
	rm -f input
	mkfifo input
	"$here/work" truncate /dev/mapper/log /dev/mapper/segment < input > acks 2> worker.err &
	worker=$!
	exec 7> input
	wait_for 30 answers 1
	swap_table segment 0 $SEGMENT "flakey /dev/mapper/whole $LOG 0 1 1 error_writes"
	echo >&7
	wait_for 30 answers 2
	expect "$name: commits go on, truncation says why it does not" 0 "Input/output error" \
		sed -n 2p acks
	swap_table segment 0 $SEGMENT linear /dev/mapper/whole $LOG
	echo >&7
	wait_for 30 answers 3
	expect "$name: truncation goes on when it is well again" 0 "^truncated" sed -n 3p acks
	kill_worker
	expect "$name: nothing is lost" 0 "^3 transactions" \
		"$here/work" check /dev/mapper/log /dev/mapper/segment 3
	remove_all
}

[ -n "$RVM_VM" ] || { echo "Bail out! this makes devices: run it in the VM"; exit 1; }
modprobe -a loop nbd dm-mod dm-mirror dm-raid raid1 dm-flakey
echo "TAP version 13"
test_sectors
test_mirror
test_raid1
test_mirror_of_servers
test_raid1_of_servers
test_both_servers
test_log_fails
test_segment_fails
finish
