#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Does each rule of tools/lint.d find what it is there to find? In a small tree
# of its own, each rule first passes, then fails on one planted fault, and what
# it prints names that fault.
set -u
source=$1
tree=$(mktemp -d) || exit 1
trap 'rm -rf "$tree"' EXIT
cd "$tree" || exit 1
failed=0

spdx='/* SPDX-License-Identifier: Apache-2.0 */'
mkdir tools
cp -r "$source/tools/lint.d" "$source/tools/lint-files" \
	"$source/tools/exceptions.txt" tools
cp "$source/.clang-tidy" .
mkdir -p build src/base src/proto src/rule src/broker include/bailey \
	products/scan tests/unit tests/fuzz/corpus/a docs/man .ci
git init -q . || exit 1
printf '%s\n\nint two(void)\n{\n\treturn 2;\n}\n' "$spdx" >src/base/two.c
printf '%s\nint one(void);\n' "$spdx" >include/bailey/one.h
printf 'int main(void) { return 0; }\n' >tests/fuzz/corpus/a/seed
printf "'test_a': {}\n" >tests/unit/meson.build
printf "'fuzz_a': {}\n" >tests/fuzz/meson.build
printf "man = ['a.1']\n" >docs/man/meson.build
printf '[{"directory":"%s","file":"src/base/two.c","command":"cc -c %s"}]\n' \
	"$tree" src/base/two.c >build/compile_commands.json
BUILD=build
export BUILD

# RULE FILE TEXT: plants TEXT (a printf format) in FILE, expects RULE to fail
# and to name FILE, removes it again and expects RULE to pass.
finds() {
	rule=$1 file=$2
	[ -f "$file" ] && cp "$file" saved
	# shellcheck disable=SC2059 # the text is a format
	printf "$3" >"$file"
	out=$("tools/lint.d/$rule" 2>&1)
	status=$?
	rm -f "$file"
	[ -f saved ] && mv saved "$file"
	if [ "$status" = 0 ]; then
		echo "$rule found nothing in $file"
		failed=1
	elif ! echo "$out" | grep -qF "${file##*/}"; then
		echo "$rule failed without naming $file: $out"
		failed=1
	elif ! out=$("tools/lint.d/$rule" 2>&1); then
		echo "$rule finds something in a clean tree: $out"
		failed=1
	fi
}

lines=$(seq 81 | sed 's/.*/\\tf();/' | tr -d '\n' | sed 's/;/;\\n/g')
finds function-length src/base/long.c "$spdx\nvoid g(void)\n{\n$lines}\n"
finds function-length tools/exceptions.txt 'src/base/two.c two 90 why\n'
finds file-length src/base/long.c "$(seq 701 | tr '\n' ' ' | sed 's/ /\\n/g')"
finds columns src/base/wide.c "$(printf '\\t%075d' 0)\n"
finds columns src/base/tail.c 'int a; \n'
finds columns src/base/blanks.c '        int a;\n'
finds columns src/base/end.c 'int a;'
finds spdx src/base/nolicence.c 'int a;\n'
finds spdx src/base/hook.bpf.c "$spdx\n"
finds imports src/base/up.c '#include "proto/wire.h"\n'
finds imports src/rule/up.c '#include "broker/handoff.h"\n'
finds imports src/broker/eng_a.c '#include "broker/mon_a.h"\n'
finds imports src/broker/mon_a.c '#include "broker/eng_a.h"\n'
finds imports products/scan/a.c '#include "proto/wire.h"\n'
mkdir -p src/other
finds imports src/other/a.c '#include "base/log.h"\n'
finds words src/base/later.c '/* TO''DO */\n'
finds words src/base/path.c '/* /wo''rk/x */\n'
finds words a.txt 'http://deb.deb''ian.org\n'
finds headers include/bailey/alone.h "size_t a(void);\n"
finds headers include/bailey/cpp.h "int class;\n"
finds headers src/base/alone.h "size_t a(void);\n"
finds registered tests/unit/test_b.c 'int a;\n'
finds registered tests/fuzz/fuzz_b.c 'int a;\n'
finds named-tests docs/b.md 'test_''nothing shows it\n'
# shellcheck disable=SC2016 # the text is mdoc's
finds manual docs/man/b.1 '.Dd $Mdocdate$\n.Dt B 1\n.Os\n.Sh NAME\n.Nm b\n'
finds cppcheck src/base/bad.c 'int f(void)\n{\n\tint a[2];\n\treturn a[2];\n}\n'
finds clang-tidy src/base/two.c 'int f(int a)\n{\n\tif (a)\n\t\ta = 1;\n\treturn a;\n}\n'
# shellcheck disable=SC2016 # the text is the fault
finds shellcheck .ci/bad '#!/bin/sh\ncd $1\n'
[ "$failed" = 0 ] && echo "each rule finds what it is there for"
exit $failed
