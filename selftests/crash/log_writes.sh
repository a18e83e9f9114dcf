#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# dm-log-writes: each state that a loss of power could leave after a flush, recovered and judged.
#
# Two workers commit, one by tracked transactions with epoch truncation, one by both kinds with and
# without flush and with incremental truncation, on one file system or on raw devices.

# shellcheck disable=SC1091,SC2154 # lib.sh has variables
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
rvm=$(cat "$here/top")/build/bin/rvm
dir=$(mktemp -d /dev/shm/log_writes.XXXXXX)
cd "$dir" || exit 1

points=${RVM_POINTS:-100}	# flushes and acknowledgments that are replayed on each, at least
types=${RVM_TYPES:-ext4 xfs raw}
declare -A size=([ext4]=8 [xfs]=16 [raw]=4)	# MiB
share=2	# points to an acknowledgment, or more: one is its own

# format() TYPE DEVICE - what is there before anything is recorded
format()
{
	case $1 in
	ext4) mkfs.ext4 -q -E lazy_itable_init=0,lazy_journal_init=0 "$2" ;;
	xfs) mkfs.xfs -q --unsupported -d agcount=1 "$2" ;;
	raw) attach "$1" linear "$2" 0 && "$rvm" create-log /dev/mapper/log0 192K &&
		"$rvm" create-log /dev/mapper/log1 192K && detach "$1" ;;
	esac > /dev/null
}

# attach() TYPE TABLE... - a device of that type, and where logs and segments are on it, in $files
attach()
{
	local type=$1 i
	shift
	dm whole 0 $((size[$type] * 2048)) "$@"
	files=()
	for i in 0 1; do
		if [ "$type" = raw ]; then
			dm "log$i" 0 2048 linear /dev/mapper/whole $((i * 4096))
			dm "segment$i" 0 2048 linear /dev/mapper/whole $((i * 4096 + 2048))
			files+=("/dev/mapper/log$i" "/dev/mapper/segment$i")
		else
			files+=("$dir/mnt/log$i" "$dir/mnt/segment$i")
		fi
	done
}

detach()
{
	[ "$1" != raw ] || dmsetup remove log0 segment0 log1 segment1
	dmsetup remove whole
}

# record() TYPE - all writes and marks to the file blocks.image
record()
{
	local status
	attach "$1" log-writes "${loops[0]}" "${loops[1]}"
	[ "$1" = raw ] || mount /dev/mapper/whole mnt
	"$here/logwrites" record whole "$marks" "${files[@]}" > output 2>&1
	status=$?
	[ "$1" = raw ] || umount mnt
	detach "$1"
	return $status
}

# replay() TYPE - to the loop device on state.image
replay()
{
	local status mount=${loops[2]}:$1:$dir/mnt
	if [ "$1" = raw ]; then
		attach "$1" linear "${loops[2]}" 0
		mount=-
	fi
	"$here/logwrites" replay blocks.image state.image "$mount" "${files[@]}" > output 2>&1
	status=$?
	[ "$1" != raw ] || detach "$1"
	mountpoint -q mnt && umount mnt
	return $status
}

# keep() TYPE - what is needed to replay it again
keep()
{
	local to=$RVM_OUT/log_writes.$1
	mkdir -p "$to"
	cp --sparse=always blocks.image base.image "$to/"
	echo "# block log and first state are kept in $to"
}

check_file_system()
{
	case $1 in
	ext4) fsck.ext4 -fn "${loops[2]}" ;;
	xfs) xfs_repair -n -o force_geometry "${loops[2]}" ;;
	esac > output 2>&1
}

test_type()
{
	local type=$1 image loops=() good
	local marks=$((points / share))
	for image in device blocks; do
		loop "$image" "$([ $image = blocks ] && echo 512 || echo "${size[$type]}")M" 512
		loops+=("$loop")
	done
	format "$type" "${loops[0]}"
	result $? "$type: made"
	cp --sparse=always device.image base.image
	cp --sparse=always base.image state.image
	loop state "${size[$type]}M" 512
	loops+=("$loop")
	record "$type"
	result $? "$type: $marks acknowledgments recorded"
	replay "$type"
	good=$?
	result $good "$type: at each flush and mark recovery finds what was acknowledged"
	[ $good = 0 ] || keep "$type"
	sed "s/^/# $type: /" output
	[ "$(sed -n 's/ points.*//p' output)" -ge "$points" ]
	result $? "$type: at least $points points"
	[ "$type" = raw ] || {
		check_file_system "$type"
		result $? "$type: the file system is whole at the end"
	}
	losetup -d "${loops[@]}"
	rm -f ./*.image
}

[ -n "$RVM_VM" ] || { echo "Bail out! this makes devices: run it in the VM"; exit 1; }
modprobe -a loop dm-mod dm-log-writes xfs
mkdir mnt
echo "TAP version 13"
for type in $types; do
	test_type "$type"
done
finish
