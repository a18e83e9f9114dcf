# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# The devices leg0 and leg1 that can be made to fail, what is made of them, and a log and a segment on that.

# shellcheck disable=SC2034,SC2154 # of those who include this, and of lib.sh
MIB=2048	# sectors of 512 bytes
LEG=$((8 * MIB)) LOG=$((2 * MIB)) SEGMENT=$((4 * MIB))

# make_legs() - each on a loop device
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

has_failed() { grep -q "^$1" acks; }
