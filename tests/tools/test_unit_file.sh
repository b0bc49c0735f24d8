#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# test_unit_file.sh UNIT SYSUSERS - does systemd take the unit file, and does it
# say what the design asks for? The program in it need not be installed.
set -u
unit=$1 users=$2
failed=0
for line in Type=notify WatchdogSec= OOMScoreAdjust=-900 Delegate=yes \
    Restart=always RestartSec=100ms LimitCORE=0 StartLimitIntervalSec=0; do
	grep -q "^$line" "$unit" || {
		echo "no $line in $unit"
		failed=1
	}
done
if grep -q '^Memory' "$unit"; then
	echo "a memory limit in $unit"
	failed=1
fi
[ "$failed" = 0 ] || exit 1
command -v systemd-analyze >/dev/null || {
	echo "no systemd-analyze here"
	exit 77
}
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
sed 's|^ExecStart=.*|ExecStart=/bin/true|' "$unit" >"$work/bailey.service"
# It warns of what it does not know, and still returns 0: nothing may be said.
said=$(systemd-analyze verify --man=no "$work/bailey.service" 2>&1) || failed=1
if [ "$failed" = 1 ] || echo "$said" | grep -q bailey; then
	echo "$said"
	exit 1
fi
cp "$users" "$work/users"
mkdir -p "$work/root/etc"
systemd-sysusers --root="$work/root" - <"$work/users" || exit 1
grep -q '^bailey:' "$work/root/etc/passwd"
