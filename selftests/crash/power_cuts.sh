#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Cut the power of VMs whose workers commit; what was acknowledged must be there after the boot.
#
# Two machines run beside each other: one has four workers with logs and segments in files on ext4,
# the other two on block devices. The oracles are on this side, where no cut reaches them. A boot
# recovers from the cut before it and is cut in turn.

set -u

cuts=${RVM_CUTS:-20}
version=${RVM_CUTS_KERNEL:-6.1}
here=$(cd "$(dirname "$0")" && pwd)
top=$(cat "$here/top")
mkdir -p "$top/build/out"
dir=$(mktemp -d "$top/build/out/cuts.XXXXXX")
mkdir "$dir/ext4" "$dir/device"

# boot() WHERE NUMBER [OPTION...] - one boot; its output and errors stay in files
boot()
{
	where=$1 number=$2
	shift 2
	disks=()
	for disk in 0 1 2 3; do
		disks+=(-d "$dir/$where/disk$disk:16M")
	done
	"$top/selftests/vm/run" -k "$version" --by-turns "${disks[@]}" "$@" -- \
		"$here/cut_guest.sh" "$where" "${dir##*/}" "$([ $# -gt 0 ] || echo -i)" \
		> "$dir/$where/$number.out" 2> "$dir/$where/$number.err"
}

# chain() WHERE CUTS - cuts, then a boot that only recovers; a line for each to results
chain()
{
	for number in $(seq "$2"); do
		boot "$1" "$number" --kill-on-line '^working$' --kill-delay 100-3000
		status=$?
		if [ $status -ne 137 ]; then
			echo "failed cut $number: boot failed with $status" >> "$dir/$1/results"
			return
		fi
		echo "cut $number" >> "$dir/$1/results"
	done
	if boot "$1" last; then
		echo "recovered" >> "$dir/$1/results"
	else
		echo "failed after the last cut" >> "$dir/$1/results"
	fi
}

# judge() WHERE CUTS - a cut is passed when the boot after it judged all its workers
judge()
{
	judged=$(wc -l < "$dir/$1/results")
	for number in $(seq "$2"); do
		test=$((test + 1))
		if [ "$judged" -gt "$number" ] && ! sed -n "$((number + 1))p" "$dir/$1/results" |
			grep -q failed; then
			echo "ok $test - $1: power cut $number, no worker lost anything"
		else
			echo "not ok $test - $1: power cut $number"
			failed=$((failed + 1))
		fi
	done
	if grep -q failed "$dir/$1/results"; then
		sed 's/^/# /' "$dir/$1/results"
		for file in "$dir/$1"/*.out "$dir/$1"/*.err; do
			echo "# ${file#"$dir/"}:"
			tail -n 5 "$file" | sed 's/^/#   /'
		done
	fi
}

half=$((cuts / 2))
echo "TAP version 13"
echo "1..$cuts"
chain ext4 $((cuts - half)) &
chain device $half
wait
test=0 failed=0
judge ext4 $((cuts - half))
judge device $half
sed -n 's/^recovered/# recovered transactions of the threads of one worker:/p' "$dir"/*/last.out 2> /dev/null
cat "$dir"/*/*.err | awk '/power lost/ { kept += $(NF - 7); all += $(NF - 5) }
	END { print "# unflushed sectors at the cuts: " kept + 0 " of " all + 0 " reached the disks" }'
if [ "$failed" -gt 0 ]; then
	echo "# disks, oracles and outputs are kept in $dir"
	exit 1
fi
rm -rf "$dir"
