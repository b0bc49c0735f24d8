#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# test_unit_file.sh UNIT UPDATER SYSUSERS MAN - does systemd take the unit files, and
# do they say what the design asks for? The programs need not be installed.
set -u
unit=$1 updater=$2 users=$3 man=$4
failed=0
for line in ProtectSystem=strict ReadWritePaths=/var/lib/bailey/staging \
    NoNewPrivileges=yes 'CapabilityBoundingSet=$' User=bailey-update \
    'RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX$' MemoryMax= \
    SystemCallFilter=@system-service; do
	grep -q "^$line" "$updater" || {
		echo "no $line in $updater"
		failed=1
	}
done
if grep -A99 '^\[Service\]' "$updater" | grep -q '^ReadWritePaths=.* '; then
	echo "more than staging may be written in $updater"
	failed=1
fi
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
# The pages that they name are ours, and there.
missing=$(sed -n 's/^Documentation=//p' "$unit" "$updater" | tr ' ' '\n' |
	while IFS='():' read -r _ page section; do
		[ -e "$man/$page.${section%)}" ] || echo "$page($section)"
	done)
if [ -n "$missing" ]; then
	echo "no manual page: $missing"
	failed=1
fi
[ "$failed" = 0 ] || exit 1
command -v systemd-analyze >/dev/null || {
	echo "no systemd-analyze here"
	exit 77
}
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
for file in "$unit" "$updater"; do
	sed 's|^ExecStart=.*|ExecStart=/bin/true|' "$file" \
		>"$work/${file##*/}"
done
# It warns of what it does not know, and still returns 0: nothing may be said.
said=$(systemd-analyze verify --man=no "$work"/*.service 2>&1) || failed=1
if [ "$failed" = 1 ] || echo "$said" | grep -q bailey; then
	echo "$said"
	exit 1
fi
cp "$users" "$work/users"
mkdir -p "$work/root/etc"
systemd-sysusers --root="$work/root" - <"$work/users" || exit 1
for user in bailey:x:61000 bailey-content:x:61001 bailey-update:x:61002; do
	grep -q "^$user:" "$work/root/etc/passwd" || {
		echo "no $user"
		failed=1
	}
done
exit "$failed"
