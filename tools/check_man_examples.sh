#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# tools/check_man_examples.sh INCLUDE PAGE... - each page has at least one
# example (.Bd -literal to .Ed below .Sh EXAMPLES), and each compiles as a
# file of its own, as C11 and without a warning.
set -u
include=$1
shift
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
bad=0 count=0

for page in "$@"; do
	rm -f "$folder"/*.c
	awk -v out="$folder/example" '
		/^\.Sh / { examples = $2 == "EXAMPLES" }
		/^\.Ed/ { inside = 0 }
		inside { gsub(/\\e/, "\\"); gsub(/\\&/, ""); print > file }
		examples && /^\.Bd -literal/ {
			inside = 1
			file = out "-" (++n) ".c"
		}
	' "$page"
	found=0
	for file in "$folder"/*.c; do
		[ -f "$file" ] || continue
		found=1 count=$((count + 1))
		cc -std=c11 -D_POSIX_C_SOURCE=200809L -Wall -Wextra \
			-Wpedantic -Werror -Wmissing-prototypes \
			-I"$include" -c "$file" -o "$folder/example.o" || {
			echo "^ $page"
			bad=1
		}
	done
	[ $found = 1 ] || {
		echo "$page: no example"
		bad=1
	}
done
echo "$count examples"
exit $bad
