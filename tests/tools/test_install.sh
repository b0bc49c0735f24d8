#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# test_install.sh BUILD SOURCE - is what `make install` puts down whole, and
# does `make uninstall` take all of it away?
set -eu
build=$1 source=$2
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
fail() {
	echo "test_install: $*" >&2
	exit 1
}

DESTDIR=$root meson install -C "$build" --no-rebuild >/dev/null
prefix=$root$(meson introspect "$build" --buildoptions |
	python3 -c 'import json, sys
print(next(o["value"] for o in json.load(sys.stdin) if o["name"] == "prefix"))')

# What service files and manifests start is there.
for program in $(sed -n 's/^ExecStart=\([^ ]*\).*/\1/p' \
		"$prefix"/lib/systemd/system/*.service) \
	$(sed -n 's/^exec = //p' "$prefix"/lib/bailey/products/*.ini); do
	[ -x "$root$program" ] || fail "$program is named, but not installed"
done
[ -x "$prefix/lib/bailey/bailey-engine" ] || fail 'no engine by the monitor'
[ -x "$prefix/bin/bailey" ] || fail 'no bailey'

# An author has only this: the first product of the README builds against it.
PKG_CONFIG_PATH=$(dirname "$(find "$prefix" -name bailey.pc)")
export PKG_CONFIG_PATH
# shellcheck disable=SC2046 # flags, one a word
cc -Wall -Wextra -Werror -o "$root/first" "$source/examples/first.c" \
	$(pkg-config --define-variable=prefix="$prefix" --cflags --libs \
		--static bailey) || fail 'the first product does not build'
rm "$root/first"

"$source/tools/uninstall" "$build" "$root" >/dev/null
left=$(find "$root" -type f -o -type l -o -name bailey)
[ -z "$left" ] || fail "left behind: $left"
