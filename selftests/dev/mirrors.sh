#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# A log and a segment on mirrors that lose a leg: a device that fails, a server that is killed or hangs.

# shellcheck disable=SC1091,SC2034,SC2154,SC2317 # lib.sh has variables, wait_for calls functions
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
. "$here/legs.sh"
dir=$(mktemp -d /dev/shm/dev.XXXXXX)
cd "$dir" || exit 1

META=$((4 * MIB))
PORT=10900	# of the first leg's server
PATIENCE=2	# seconds after which a server that does not answer is a dead one

# It failed to write, or, of dm-mirror, to flush.
one_leg_is_dead() { dmsetup status whole | grep -q "A[DF]"; }

break_table() { swap_table leg1 0 "$LEG" error; }

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
	dm whole 0 "$LEG" linear /dev/mapper/leg0 0
	make_parts
	expect "$1: nothing is lost, it is all on the other leg" 0 "transactions are there" \
		"$here/work" check /dev/mapper/log /dev/mapper/segment "$(acked)"
}

# dm-mirror holds writes that failed until somebody, elsewhere dmeventd, takes the leg away.
drop_leg() { swap_table whole 0 "$LEG" linear /dev/mapper/leg0 0; }

test_mirror()
{
	make_legs
	dm whole 0 "$LEG" mirror core 2 1024 nosync 2 /dev/mapper/leg0 0 /dev/mapper/leg1 0 1 handle_errors
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
	dm whole 0 "$LEG" raid raid1 2 0 nosync 2 "${legs[2]}" /dev/mapper/leg0 "${legs[3]}" /dev/mapper/leg1
	make_parts
	make_log
	lose_leg "dm-raid" break_table true
	remove_all
}

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
		dm leg$leg 0 "$LEG" linear /dev/nbd$leg 0
		dm meta$leg 0 $META linear /dev/nbd$leg "$LEG"
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

# A commit that waits for room in the log hears from truncation that the segment is gone, and is tried again.
none_succeeds()
{
	has_failed "at once: all calls fail" ||
		has_failed "no room for the transaction: .*Input/output error"
}

# expect_end() NAME - log and segment are both gone
expect_end()
{
	local status
	wait_for 30 none_succeeds
	status=$?
	cp acks output
	result $status "$1 no commit succeeds"
	expect "$1 the error says what failed" 0 "Input/output error" \
		grep -E "^failed: log /dev/mapper/log: |^no room for the transaction: " acks
}

# lose_last() NAME - the server of leg0 dies as well, and all that was acknowledged is in its image
lose_last()
{
	start_worker /dev/mapper/log /dev/mapper/segment
	wait_for 30 more_than "$(($(sed -n 's/ transactions are there//p' output) + 100))"
	result $? "$1: commits on what is left"
	signal_server 0 KILL
	expect_end "$1: when the last server dies"
	kill_worker
	remove_served log segment whole leg0 leg1 meta0 meta1
	loop leg0 $(((LEG + META) * 512)) 512
	dm whole 0 "$LEG" linear "$loop" 0
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
	dm whole 0 "$LEG" mirror core 2 1024 nosync 2 /dev/mapper/leg0 0 /dev/mapper/leg1 0 1 handle_errors
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
	dm whole 0 "$LEG" raid raid1 2 0 nosync 2 /dev/mapper/meta0 /dev/mapper/leg0 \
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
	dm whole 0 "$LEG" raid raid1 2 0 nosync "$mirror"
	make_parts
	make_log
	start_worker /dev/mapper/log /dev/mapper/segment
	wait_for 30 more_than 100
	result $? "$name: commits"
	kill_servers
	expect_end "$name: then"
	kill_worker
	# shellcheck disable=SC2086 # several
	remove_served $served
	make_served_legs "$name, and come back"
	# What was on its way then may be in one leg only: it copies that first.
	dm whole 0 "$LEG" raid raid1 2 0 sync "$mirror"
	make_parts
	expect "$name, and come back: nothing is lost" 0 "transactions are there" \
		"$here/work" check /dev/mapper/log /dev/mapper/segment "$(acked)"
	# shellcheck disable=SC2086
	remove_served $served
	rm -f leg?.*
}

[ -n "$RVM_VM" ] || { echo "Bail out! this makes devices: run it in the VM"; exit 1; }
modprobe -a loop nbd dm-mod dm-mirror dm-raid raid1
echo "TAP version 13"
test_mirror
test_raid1
test_mirror_of_servers
test_raid1_of_servers
test_both_servers
finish
