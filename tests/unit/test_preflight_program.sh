#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Does bailey-preflight tell good content from bad by its exit status, and from
# what it cannot try? $1 bailey-preflight, $2 content_product
set -eu
dir=$(mktemp -d)
trap 'chmod -R u+w "$dir"; rm -rf "$dir"' EXIT
chmod 755 "$dir"

hash() { sha256sum "$1" | cut -d' ' -f1; }
entry() { # FILE PATH
	printf '"path":"%s","length":%s,"sha256":"%s"' "$2" \
		"$(wc -c <"$1")" "$(hash "$1")"
}
slot() { # NAME FIELDS RULES
	mkdir -p "$dir/$1/files" "$dir/$1/corpus"
	printf '%s\n' "$3" >"$dir/$1/files/rules"
	echo EVIL >"$dir/$1/corpus/evil"
	echo good >"$dir/$1/corpus/good"
	files=$(entry "$dir/$1/files/rules" rules)
	evil=$(entry "$dir/$1/corpus/evil" evil)
	good=$(entry "$dir/$1/corpus/good" good)
	cat >"$dir/$1/version.json" <<END
{"format":1,"product":"tester","version":"$1","number":1,"class":"code",
 "schema":"test/1","fields":$2,"bake_s":1,"min_events":1,"floor":1,
 "urgent":false,"files":[{$files}],"corpus":[
 {$evil,"event":"file.open","expect":"deny","repeat":1},
 {$good,"event":"file.open","expect":"allow","repeat":5}]}
END
}
cat >"$dir/tester.ini" <<END
[product]
name = tester
title = Tester
vendor = Bailey project
exec = $(realpath "$2")
[events]
ask = file.open
[storage]
state = 1M
[policy]
deadline_ms = open:4000
deadline_max_ms = 8000
start_s = 20
END
want() { # STATUS TEXT ARGUMENT...
	status=$1 text=$2
	shift 2
	got=0
	out=$("$preflight" --product "$dir/tester.ini" "$@" 2>&1) || got=$?
	case $out in
	*'left behind'*)
		echo "$*: $out"
		exit 1
		;;
	esac
	case $got-$out in
	"$status"-*"$text"*) ;;
	*)
		echo "$*: $got, not $status, or no '$text' in:"
		echo "$out"
		exit 1
		;;
	esac
}

preflight=$1
slot good 20 'deny EVIL'
slot better 20 'deny EVIL'
slot blind 20 'deny nothing'
slot crash 20 'crash-at 3'
slot dead 20 'crash-load'
slot more 21 'deny EVIL'
want 0 'passed' --content "$dir/good"
want 0 '% of the time of the version before' --content "$dir/better" \
	--baseline "$dir/good"
want 0 '"verdict": "passed"' --content "$dir/good" --json
want 1 'evil: allow, expected deny' --content "$dir/blind"
want 1 'at question 3 (good)' --content "$dir/crash"
want 1 'while it loaded' --content "$dir/dead"
want 1 'with 20 fields, the content is "test/1" with 21' --content "$dir/more"
want 2 'version.json' --content "$dir"
want 2 'No such file' --content "$dir/none"
echo '{"format":1}' >"$dir/more/version.json"
want 2 'version.json' --content "$dir/more"
rm "$dir/good/corpus/evil"
want 2 'a file of the corpus cannot be read' --content "$dir/good"
