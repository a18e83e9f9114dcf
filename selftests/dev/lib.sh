# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# What the scripts of this suite share: results, devices, and a worker that commits.

PATH=$PATH:/usr/sbin:/sbin
export DM_DISABLE_UDEV=1	# nobody runs udev here: dmsetup makes the nodes by itself
# shellcheck disable=SC2034,SC2154 # of those who include this
rvm=$here/rvm
tests=0 failures=0 worker=
trap '' PIPE	# a worker that has died is told by its status

# tell_worker() - what it complained of, and how it ended if it did
tell_worker()
{
	sed 's/^/# worker: /' worker.err 2> /dev/null
	if [ "$worker" ] && ! kill -0 "$worker" 2> /dev/null; then
		wait "$worker"
		echo "# the worker ended with status $?"
	fi
}

# result() STATUS NAME - print a test's result; of a failure with what is in the file output
result()
{
	tests=$((tests + 1))
	if [ "$1" = 0 ]; then
		echo "ok $tests - $2"
	else
		failures=$((failures + 1))
		tail -n 20 output 2> /dev/null | sed 's/^/# /'
		tell_worker
		echo "not ok $tests - $2"
	fi
}

# expect() NAME STATUS PATTERN COMMAND... - its exit status, and a pattern in its output; none: no output
expect()
{
	local name=$1 want=$2 pattern=$3 got
	shift 3
	"$@" > output 2>&1
	got=$?
	if [ "$pattern" ]; then
		grep -Eq -- "$pattern" output
	else
		[ ! -s output ]
	fi
	set -- $?
	[ "$got" = "$want" ] || set -- 1
	[ "$1" = 0 ] || echo "wanted status $want and /$pattern/, got status $got" >> output
	result "$1" "$name"
}

# wait_for() SECONDS COMMAND... - until it succeeds
wait_for()
{
	local tries=$(($1 * 10))
	shift
	until "$@"; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || return 1
		sleep 0.1
	done
}

# loop() NAME SIZE SECTOR - a loop device on a new file, its path in $loop
loop()
{
	truncate -s "$2" "$1.image"
	loop=$(losetup -f --show -b "$3" "$1.image")
}

# dm() NAME TABLE... - a device-mapper device /dev/mapper/NAME
dm()
{
	local name=$1
	shift
	dmsetup create "$name" --table "$*"
}

# swap_table() NAME TABLE... - another table under a device in use
swap_table()
{
	local name=$1
	shift
	echo "$*" | swap_tables "$name"
}

# swap_tables() NAME - the same with a table of several lines, from the input
swap_tables()
{
	local name=$1
	dmsetup load "$name" &&
		dmsetup suspend --nolockfs --noflush "$name" &&
		dmsetup resume "$name"
}

# start_worker() LOG SEGMENT - commits to the file acks, reads lines from descriptor 7
start_worker()
{
	rm -f input
	mkfifo input
	"$here/work" run "$1" "$2" < input > acks 2> worker.err &
	worker=$!
	exec 7> input
}

# stop_worker() - let it end by itself
stop_worker()
{
	exec 7>&-
	wait "$worker"
	worker=
}

kill_worker()
{
	exec 7>&-
	kill -9 "$worker"
	wait "$worker" 2> /dev/null
	worker=
}

acked()
{
	grep -E '^[0-9]+$' acks | tail -n 1
}

# more_than() N - are so many acknowledged?
more_than()
{
	[ "$(acked || echo 0)" -gt "$1" ] 2> /dev/null
}

finish()
{
	echo "1..$tests"
	[ "$failures" = 0 ]
	exit
}
