#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# The part of the power cuts that runs in the VM: cut_guest.sh ext4|device DIRECTORY [-i]

set -eu
where=$1
oracles=$RVM_OUT/$2/$1
idle=${3-}
here=$(dirname "$0")
rvm=$(cat "$here/top")/build/bin/rvm

prepare_ext4()
{
	[ -e "$oracles/0" ] || mkfs.ext4 -q -F /dev/disk/disk0
	mkdir -p /mnt/cuts
	mount /dev/disk/disk0 /mnt/cuts
	set --
	for worker in 0 1 2 3; do
		set -- "$@" "/mnt/cuts/log$worker" "/mnt/cuts/segment$worker" "$oracles/$worker"
	done
	work "$@"
}

prepare_device()
{
	set --
	for pair in "0 1" "2 3"; do
		log=/dev/disk/disk${pair% *} segment=/dev/disk/disk${pair#* }
		[ -e "$oracles/${pair% *}" ] || "$rvm" create-log "$log" 512K
		set -- "$@" "$log" "$segment" "$oracles/${pair% *}"
	done
	work "$@"
}

work()
{
	if [ "$idle" ]; then
		exec "$here/cut" -i "$@"
	fi
	exec "$here/cut" "$@"
}

"prepare_$where"
