#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Does a demo that is killed hard, or whose script is, leave anybody behind?
#   test_killed.sh BUILD
# (tests/bench starts its brokers by the same functions.)
set -u
build=$1
cd "$(dirname "$0")/../.." || exit 2
if [ "$(id -u)" -ne 0 ]; then
	echo 'skipped: needs root (a mount of its own, fanotify)'
	exit 77
fi
out=$(mktemp)
bad=0 all='' base=''

descend() { # PID: it and all below it
	echo "$1"
	# shellcheck disable=SC2013 # pids, on one line
	for child in $(cat "/proc/$1/task/"*/children 2>/dev/null); do
		descend "$child"
	done
}

living() { # PID...: those that are there, and no zombies
	for pid in "$@"; do
		case $(cut -d' ' -f3 "/proc/$pid/stat" 2>/dev/null) in
		'' | Z | X) ;;
		*) echo "$pid" ;;
		esac
	done
}

clean() {
	# shellcheck disable=SC2086 # pids, one a word
	for pid in $(living $all); do
		kill -KILL "$pid"
	done
	case $base in
	/tmp/bailey-test.*) rm -rf --one-file-system "$base" ;;
	esac
	all='' base=''
}
trap 'clean; rm -f "$out"' EXIT
trap 'exit 2' INT TERM

wait_for() { # COMMAND...: within 20 s
	for _ in $(seq 400); do
		"$@" && return
		sleep 0.05
	done
	return 1
}

# shellcheck disable=SC2317 # called by wait_for
protects() { grep -q 'bailey run: protects' "$out"; }
# shellcheck disable=SC2086,SC2317
nobody() { [ -z "$(living $all)" ]; }

for victim in script demo; do
	tools/demo "$build" >"$out" 2>&1 &
	script=$!
	if ! wait_for protects; then
		all=$(descend $script)
		cat "$out"
		exit 1
	fi
	all=$(descend $script | sort -u)
	base=$(sed -n 's/^Watched is \(.*\)\/tree,.*/\1/p' "$out")
	demo=$(cat "/proc/$script/task/"*/children)
	[ $victim = script ] && pid=$script || pid=${demo% }
	kill -KILL "$pid"
	wait $script 2>/dev/null
	if wait_for nobody; then
		echo "killed $victim: all $(echo "$all" | wc -l) are gone"
	else
		bad=1
		echo "killed $victim: left behind:"
		# shellcheck disable=SC2086
		ps -o pid,ppid,args -p "$(living $all | paste -sd,)"
	fi
	clean
done
exit $bad
