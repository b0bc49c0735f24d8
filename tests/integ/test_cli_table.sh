#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Has each subcommand of the table a manual page, completion and a --help?
# usage: test_cli_table.sh BAILEY GENERATE SOURCE. Needs no root.
set -u
bailey=$1 generate=$2 source=$3
bad=0 count=0
bash=$("$generate" bash) || exit 1
zsh=$("$generate" zsh) || exit 1
list=$("$generate" list) || exit 1

fault() {
	echo "$1"
	bad=1
}

printf '%s\n' "$bash" | bash -n || fault "bash completion is no shell text"
while read -r name page; do
	count=$((count + 1))
	test -f "$source/docs/man/$page.1" || fault "$name: no $page.1"
	grep -q "^.Cm $name" "$source/docs/man/$page.1" ||
		fault "$name: not in $page.1"
	grep -q "^.It Cm $name\$" "$source/docs/man/bailey.1" ||
		fault "$name: not in bailey.1"
	printf '%s\n' "$bash" | grep -q "^$name)" || fault "$name: not in bash"
	printf '%s\n' "$zsh" | grep -q "^$name)" || fault "$name: not in zsh"
	help=$("$bailey" "$name" --help) || fault "$name: --help fails"
	case $help in
	"usage: bailey $name"*"Exit code:"*) ;;
	*) fault "$name: --help lacks its usage or exit codes" ;;
	esac
	options=$(printf "%s\n" "$help" | sed -n "s/^  --\([a-z]*\).*/\1/p")
	for option in $options; do
		test "$option" = help || grep -q -- "-$option" \
			"$source/docs/man/$page.1" ||
			fault "$name: --$option is not in $page.1"
	done
done <<END
$list
END
test "$count" -ge 10 || fault "only $count commands"
exit $bad
