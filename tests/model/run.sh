#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# run.sh MODEL [PART] [MUTATION] - lets spin look at every state of a model, or
# of a part of it ("": it has none). Without a mutation there must be no error;
# with one there must be, or the model would not notice that fault in the
# program either.
set -u
model=$1
part=${2:-}
mutation=${3:-}
command -v spin >/dev/null || {
	echo "spin is not installed"
	exit 77
}
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1

look() {
	spin ${part:+-D"$part"} ${mutation:+-D"$mutation"} -a "$model" &&
		cc -w -O2 -DSAFETY -DCOLLAPSE -DMEMLIM=4000 -o pan pan.c &&
		./pan -m100000 >out
}
if ! look; then
	echo "spin could not look at $model"
	exit 1
fi
grep -E 'states, stored|^pan:1' out
if ! grep -q 'errors: [0-9]' out || grep -q 'max search depth' out; then
	echo "the search came to no end"
	exit 1
fi
if [ -z "$mutation" ]; then
	# Out of memory or time is not "no error".
	grep -q 'errors: 0' out && ! grep -q 'Search not completed' out
	exit
fi
if grep -q 'errors: 0' out; then
	echo "no error found, though $mutation"
	exit 1
fi
