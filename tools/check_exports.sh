#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# tools/check_exports.sh LIBRARY EXPORTS HEADER - libbailey exports what the
# exports file lists, each with its version, and the header declares the same.
set -u
library=$1 exports=$2 header=$3
bad=0

found=$(nm -D --defined-only "$library" | awk '$2 != "A" { print $3 }' | sort)
if [ "$found" != "$(sort "$exports")" ]; then
	echo "exports differ (< $exports, > $library):"
	echo "$found" | diff "$exports" -
	bad=1
fi
declared=$(grep -oE '\bbailey_[a-z_]+\(' "$header" |
	tr -d '(' | sort -u)
# Words of the header's comments that are calls, too: they must exist.
listed=$(sed 's/@@.*//' "$exports" | sort -u)
if [ "$declared" != "$listed" ]; then
	echo "the header and the exports differ:"
	printf '%s\n' "$declared" >/tmp/declared.$$
	printf '%s\n' "$listed" | diff - /tmp/declared.$$
	rm -f /tmp/declared.$$
	bad=1
fi
[ "$(echo "$listed" | wc -l)" -le 40 ] || {
	echo "more than 40 calls"
	bad=1
}
exit $bad
