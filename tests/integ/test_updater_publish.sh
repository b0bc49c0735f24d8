#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Does what bailey-publish writes come to staging, by the network's way and by
# `bailey content export` and `import`, and is the next version its difference?
# usage: test_updater_publish.sh BAILEY UPDATER PUBLISH. Needs no root.
set -u
bailey=$(realpath "$1") updater=$(realpath "$2") publish=$(realpath "$3")
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
pass="--passphrase-file $work/pass"
unset http_proxy all_proxy 2>/dev/null

fail() {
	echo "$1"
	exit 1
}

# A preflight that passes all: what is published is another test's matter.
printf '#!/bin/sh\nexit 0\n' >"$work/preflight"
chmod 755 "$work/preflight"
printf '[product]\nname = scan\nexec = /bin/true\n[events]\nask = file.open\n' \
	>"$work/scan.ini"
printf 'secret\n' >"$work/pass"
chmod 600 "$work/pass"
mkdir "$work/rules" "$work/corpus" "$work/corpus/deny"
echo evil >"$work/corpus/deny/evil"
head -c 200000 /dev/urandom >"$work/rules/big.yar"
cd "$work" || exit 1
{
	"$publish" init --product scan ws && cd ws || exit 1
	# shellcheck disable=SC2086
	"$publish" key generate alice root targets content $pass &&
		"$publish" key generate robot snapshot timestamp data gate \
			revoked $pass || exit 1
} >"$work/log" 2>&1 || fail "$(cat "$work/log")"

release() { # NAME
	echo "rule $1 {}" >"$work/rules/new.yar"
	# shellcheck disable=SC2086
	{
		cd "$work/ws" &&
			"$publish" add --schema scan-rules/1 --fields 3 \
				--version "$1" --corpus ../corpus ../rules &&
			"$publish" sign $pass &&
			"$publish" release $pass --product ../scan.ini \
				--preflight ../preflight
	} >"$work/log" 2>&1 || fail "$(cat "$work/log")"
}

host() { # NAME URL
	mkdir -p "$work/$1/etc/products.d"
	printf '[products]\nenable = scan\n' >"$work/$1/etc/bailey.conf"
	cp "$work/ws/repository/metadata/1.root.json" "$work/$1/etc/root.json"
	printf '[product]\nname = scan\nexec = /bin/true\n[events]\n' \
		>"$work/$1/etc/products.d/scan.ini"
	printf 'ask = file.open\n[content]\nroot = %s\n%s\n' \
		"$work/$1/etc/root.json" "$2" \
		>>"$work/$1/etc/products.d/scan.ini"
	chmod -R u=rwX,go=rX "$work/$1"
}

fetch() {
	"$updater" --state "$work/out" --etc "$work/out/etc" --once \
		2>"$work/log" || fail "$(cat "$work/log")"
}

# Every file that the repository has and staging names is the same there.
same() { # HOST
	grep targets/ "$work/$1/staging/scan/listed" |
		while read -r file; do
			cmp "$work/$1/staging/scan/$file" \
				"$work/ws/repository/$file" || exit 1
		done || fail "$1: not the same"
	cmp "$work/$1/staging/scan/metadata/timestamp.json" \
		"$work/ws/repository/metadata/timestamp.json" ||
		fail "$1: timestamp.json"
}

release one
host out "url = file://$work/ws/repository"
host in ''
fetch
same out
count=$(grep -c blob/ "$work/out/staging/scan/listed")
[ "$count" = 3 ] || fail "$count blobs, not 3"
release two
# shellcheck disable=SC2086
(cd "$work/ws" && "$publish" gate --release code/2 --admit early=1% $pass) \
	>"$work/log" 2>&1 || fail "$(cat "$work/log")"
fetch
same out
fetched=$(sed 's/.*"bytes":\([0-9]*\).*/\1/' \
	"$work/out/staging/scan/status.json")
[ "$fetched" -lt 100000 ] || fail "$fetched bytes for a small difference"
grep -q gate/ "$work/out/staging/scan/listed" || fail 'no lease'

# Across the air gap, by the command; PATH of the updater: beside it.
chmod 700 "$work/out" "$work/in"
"$bailey" content export "$work/bundle" --product scan --state "$work/out" \
	2>"$work/log" || fail "export: $(cat "$work/log")"
"$bailey" content import "$work/bundle" --state "$work/in" \
	2>"$work/log" || fail "import: $(cat "$work/log")"
same in
"$bailey" content export "$work/bundle2" --product scan \
	--from "$work/ws/repository" 2>"$work/log" ||
	fail "export --from: $(cat "$work/log")"
cmp "$work/bundle" "$work/bundle2" || fail 'the two bundles differ'
"$bailey" content export "$work/none" --product scan --from "$work/in" \
	2>"$work/log" && fail 'exported from no repository'
[ -e "$work/none" ] && fail 'half an export was left'
exit 0
