#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Has each subcommand a manual page, completion and a --help, and do these say
# the same options? Also of the programs beside it.
# usage: test_cli_table.sh BAILEY GENERATE SOURCE PUBLISH [PROGRAM]...
# Needs no root.
set -u
bailey=$1 generate=$2 source=$3 publish=$4
shift 4
man=$source/docs/man
bad=0 count=0
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
bash=$("$generate" bash) || exit 1
zsh=$("$generate" zsh) || exit 1
list=$("$generate" list) || exit 1

fault() {
	echo "$1"
	bad=1
}
# The options of a --help that is read from standard input, one a line.
help_options() {
	grep -o -- '--[a-z][a-z-]*' | sort -u
}
# The options of a page, but those of examples and of running text.
page_options() {
	sed -n '/^\.\(It\|Op\|Nm\|Oo\|Ar\|Fl\)/p' "$1" |
		grep -o 'Fl -[a-z][a-z-]*' | sed 's/^Fl /-/' | sort -u
}
# WHAT PAGE: of the options in $work/help none is missing there, and none that
# stands there is unknown.
same() {
	page_options "$2" >"$work/page"
	for option in $(comm -23 "$work/help" "$work/page"); do
		test "$option" = --help || fault "$1: $option is not in $2"
	done
	for option in $(comm -13 "$work/help" "$work/page"); do
		test "$option" = --help || fault "$1: no $option, which is in $2"
	done
}

printf '%s\n' "$bash" | bash -n || fault "bash completion is no shell text"
while read -r name page; do
	count=$((count + 1))
	test -f "$man/$page.1" || fault "$name: no $page.1"
	grep -q "^.Cm $name" "$man/$page.1" || fault "$name: not in $page.1"
	grep -q "^.It Cm $name\$" "$man/bailey.1" ||
		fault "$name: not in bailey.1"
	printf '%s\n' "$zsh" | grep -q "^$name)" || fault "$name: not in zsh"
	help=$("$bailey" "$name" --help) || fault "$name: --help fails"
	case $help in
	"usage: bailey $name"*"Exit code:"*) ;;
	*) fault "$name: --help lacks its usage or exit codes" ;;
	esac
	test "$name" = publish && continue
	printf '%s\n' "$help" | sed -n 's/^  \(--[a-z-]*\).*/\1/p' |
		sort -u >"$work/help"
	cat "$work/help" >>"$work/of.$page"
	printf '%s\n' "$bash" | sed -n "/^$name)/,/^[a-z]*)\$/p" |
		sed -n 's/.*options="\(.*\)"/\1/p' | tr ' ' '\n' |
		grep . | sort -u >"$work/completed"
	comm -3 "$work/help" "$work/completed" | grep . &&
		fault "$name: completion and --help differ in these options"
done <<END
$list
END
test "$count" -ge 10 || fault "only $count commands"
# Commands that share a page have the options of all of them.
for file in "$work"/of.*; do
	page=${file##*/of.}
	sort -u "$file" >"$work/help"
	same "$page" "$man/$page.1"
done

: >"$work/all"
for name in $("$publish" --help | sed -n 's/^  \([a-z]*\)  .*/\1/p'); do
	"$publish" "$name" --help >"$work/text" || fault "publish $name"
	sed -n 's/^  \(--[a-z-]*\).*/\1/p' "$work/text" >>"$work/all"
done
sort -u "$work/all" >"$work/help"
test "$(wc -l <"$work/help")" -ge 30 || fault "publish has few options"
same publish "$man/bailey-publish.1"

for program in "$@"; do
	name=${program##*/}
	page=$(ls "$man/$name".[18])
	"$program" --help 2>&1 | help_options >"$work/help"
	test -s "$work/help" || fault "$name: --help says no option"
	same "$name" "$page"
done
exit $bad
