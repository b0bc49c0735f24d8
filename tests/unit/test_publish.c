/* SPDX-License-Identifier: Apache-2.0 */
/* Does what is published hold for a client, and is what must not be refused? */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define SAID (256u << 10)

static char folder[64];
static char said[SAID];

/* Runs a command of the shell in the test's folder; what it prints is kept.
 * In it $B is bailey-publish and $P how it gets the passphrase. */
__attribute__((format(printf, 1, 2))) static int sh(const char *format, ...)
{
	static char command[4096];
	char line[2048];
	va_list list;
	size_t n;
	FILE *pipe;
	int status;

	va_start(list, format);
	vsnprintf(line, sizeof(line), format, list);
	va_end(list);
	snprintf(command, sizeof(command), "cd %s; P='--passphrase-file "
		 "%s/pass'; B=${BAILEY_PUBLISH:?}; { %s\n} 2>&1", folder,
		 folder, line);
	pipe = popen(command, "r");
	assert_non_null(pipe);
	n = fread(said, 1, SAID - 1, pipe);
	said[n] = '\0';
	status = pclose(pipe);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#define expect(code, ...)                                                     \
	do {                                                                  \
		int got = sh(__VA_ARGS__);                                    \
		if (got != (code)) {                                          \
			fail_msg("%d, not %d: %s\n%s", got, code,             \
				 #__VA_ARGS__, said);                         \
		}                                                             \
	} while (0)

static void says(const char *text)
{
	if (!strstr(said, text)) {
		fail_msg("does not say \"%s\":\n%s", text, said);
	}
}

/* A folder with content, a manifest, and a stand-in for the preflight: fails
 * for a version with a file `bad', cannot tell for one with `unclear'. */
static int make_folder(void **state)
{
	/* hundreds of syncs: where they cost nothing, if there is a place */
	strcpy(folder, access("/dev/shm", W_OK) == 0
	       ? "/dev/shm/test_publish.XXXXXX" : "/tmp/test_publish.XXXXXX");
	if (!mkdtemp(folder)) {
		return -1;
	}
	return sh("mkdir rules corpus corpus/deny corpus/allow.exec;"
		  "echo 'rule a {}' >rules/a.yar; mkdir rules/d;"
		  "echo 'rule b {}' >rules/d/b.yar;"
		  "echo evil >corpus/deny/evil; echo good >corpus/allow.exec/g;"
		  "umask 077; echo secret >pass; echo other >pass2;"
		  "printf '#!/bin/sh\n' >product;"
		  "printf '[product]\nname = scan\nexec = %%s\n[events]\n"
		  "ask = file.open\n' $PWD/product >scan.ini;"
		  "cat >preflight <<'END'\n#!/bin/sh\necho \"$*\" >>$0.log\n"
		  "test \"$1 $3\" = '--product --content' || exit 9\n"
		  "test -f $4/version.json || exit 8\n"
		  "test -f $4/files/bad && { echo '{\"candidate\":{\"text\":"
		  "\"crash on the 3rd event\"}}'; exit 1; }\n"
		  "test -f $4/files/unclear && exit 2\n"
		  "echo '{\"verdict\":\"passed\"}'\nEND\nchmod 755 preflight");
}

static int remove_folder(void **state)
{
	return sh("cd /; rm -rf %s", folder);
}

/* alice and bob sign offline, robot online. */
static void make_workspace(const char *name)
{
	expect(0, "$B init --product scan %s", name);
	expect(0, "cd %s; $B key generate alice root targets content $P",
	       name);
	expect(0, "cd %s; $B key generate bob root targets content --kind "
	       "ecdsa $P", name);
	expect(0, "cd %s; $B key generate robot snapshot timestamp data gate "
	       "revoked $P", name);
	expect(0, "cd %s; for r in root targets content; do $B key threshold "
	       "$r 2; done", name);
	expect(0, "cd %s; $B add --schema scan-rules/1 --fields 3 --corpus "
	       "../corpus ../rules", name);
}

static void release(const char *name)
{
	expect(0, "cd %s; $B sign $P", name);
	expect(0, "cd %s; $B release $P --product ../scan.ini --preflight "
	       "../preflight", name);
}

/* A host that keeps what it trusts, under that name. */
static void host(const char *name, const char *workspace, int code)
{
	char first[256];

	snprintf(first, sizeof(first), "test -d %s || { mkdir %s && "
		 "$BAILEY_TUF --metadata-dir %s init "
		 "%s/repository/metadata/1.root.json; }", name, name, name,
		 workspace);
	expect(0, "%s", first);
	expect(code, "$BAILEY_TUF --metadata-dir %s --metadata-url "
	       "file://%s/%s/repository/metadata refresh", name, folder,
	       workspace);
}

static void download(const char *name, const char *workspace,
		     const char *target, int code)
{
	expect(code, "mkdir -p %s.targets; $BAILEY_TUF --metadata-dir %s "
	       "--metadata-url file://%s/%s/repository/metadata "
	       "--target-base-url file://%s/%s/repository/targets "
	       "--target-dir %s.targets --target-name %s download", name,
	       name, folder, workspace, folder, workspace, name, target);
}

static void test_story(void **state)
{
	make_workspace("ws");
	expect(1, "cd ws; $B release $P --product ../scan.ini");
	says("0 of 2 signatures, needs alice or bob");
	release("ws");
	host("old", "ws", 0);
	download("old", "ws", "content/scan/code/1.json", 0);
	download("old", "ws", "revoked.json", 0);
	download("old", "ws", "gate/scan.json", 1);
	expect(0, "cd ws; $B gate --release code/1 --admit early=1%% "
	       "--admit 'early/debian12=12.5%%' --dwell early=1h $P");
	download("old", "ws", "gate/scan.json", 0);
	expect(0, "cat old.targets/gate*");
	says("\"early\":{\"*\":2814749767107,\"debian12\":35184372088832}");
	expect(0, "cd ws; $B revoke code/1 $P");
	download("old", "ws", "revoked.json", 0);
	expect(0, "grep -c '\"hashes\":\\[\"' old.targets/revoked.json");
	expect(0, "cd ws; $B revoke --lift code/1 $P");
	download("old", "ws", "revoked.json", 0);
	expect(0, "grep -c '\"lifted\":\\[\"' old.targets/revoked.json");
	expect(0, "cd ws; $B add --schema scan-rules/1 --fields 3 --version "
	       "two --urgent ../rules");
	release("ws");
	download("old", "ws", "content/scan/code/2.json", 0);
	expect(0, "cat old.targets/*2.json");
	says("\"version\":\"two\"");
	says("\"urgent\":true");
	expect(0, "cd ws; $B check --json");
	says("\"good\": true");
}

/* Unchanged files are there once, and both names of an encoded role. */
static void test_layout(void **state)
{
	expect(0, "ls ws/repository/targets/blob | wc -l");
	assert_int_equal(atoi(said), 4);
	expect(0, "cmp ws/repository/metadata/2.content%%2Fscan.json "
	       "ws/repository/metadata/2.content/scan.json");
	expect(0, "cd ws/repository/targets/blob && for f in *; do test "
	       "\"$(sha256sum <$f)\" = \"$f  -\" || exit 1; done");
	expect(1, "find ws/repository ! -perm -004 | grep .");
	expect(1, "find ws/keys ws/drafts ws/staged -maxdepth 0 -perm /077 |"
	       " grep .");
	expect(1, "find ws/keys -type f ! -perm 600 | grep .");
	expect(1, "grep -L ENCRYPTED ws/keys/* | grep .");
	expect(1, "find ws -name '*~' | grep .");
}

static void test_preflight(void **state)
{
	expect(0, "cp ws/repository/metadata/timestamp.json before");
	expect(0, "cp -r rules rules2; touch rules2/bad; cd ws; $B add "
	       "--schema scan-rules/1 --fields 3 ../rules2; $B sign $P");
	expect(1, "cd ws; $B release $P --preflight ../preflight");
	says("crash on the 3rd event");
	expect(0, "cmp before ws/repository/metadata/timestamp.json");
	expect(0, "grep -c '\"passed\": false' ws/staged/*/preflight.json");
	/* and nothing of it is there to be guessed */
	expect(0, "ls ws/repository/targets/content/scan/code | wc -l");
	assert_int_equal(atoi(said), 2);
	expect(2, "cd ws; $B release $P --preflight ../none");
	expect(2, "cd ws; $B release $P --preflight ../scan.ini");
	expect(0, "cmp before ws/repository/metadata/timestamp.json");
}

/* A pass is of one version, one manifest; and of those it is remembered. */
static void test_preflight_record(void **state)
{
	make_workspace("record");
	expect(0, "rm preflight.log; cd record; $B sign $P");
	expect(0, "cd record; $B key drop robot timestamp; $B sign $P");
	expect(2, "cd record; $B release $P --product ../scan.ini --preflight "
	       "../preflight");
	says("no private key of timestamp");
	expect(0, "cd record; $B key assign robot timestamp; $B sign $P");
	expect(0, "cd record; $B release $P --preflight ../preflight");
	expect(0, "wc -l <preflight.log");
	assert_int_equal(atoi(said), 1);
	/* another build of the product has not seen it */
	expect(0, "cp -r rules rules4; touch rules4/c; cd record; $B add "
	       "--schema scan-rules/1 --fields 3 ../rules4; $B key drop robot "
	       "timestamp; $B sign $P");
	expect(2, "cd record; $B release $P --preflight ../preflight");
	expect(0, "grep -c . preflight.log; echo exit 0 >>product; cd record; "
	       "$B key assign robot timestamp; $B sign $P");
	assert_int_equal(atoi(said), 2);
	expect(0, "cd record; $B release $P --preflight ../preflight; "
	       "grep -c . ../preflight.log");
	says("\n3\n");
	expect(2, "cd record; mv ../product ../away; echo >>../rules4/c; $B "
	       "add --schema scan-rules/1 --fields 3 ../rules4; $B sign $P; $B "
	       "release $P --preflight ../preflight");
	says("the program of");
	expect(0, "mv away product");
	expect(0, "cp -r rules rules3; touch rules3/unclear; cd record; $B add "
	       "--schema scan-rules/1 --fields 3 ../rules3; $B sign $P");
	expect(2, "cd record; $B release $P --preflight ../preflight");
	says("could not tell");
	expect(0, "tail -n 1 preflight.log");
	says("--baseline");
	/* a record of another version does not help */
	expect(0, "cd record/staged; set -- $(ls -t); for d in *; do test -f "
	       "$d/preflight.json && cp $d/preflight.json ../pass.json; done;"
	       "for d in *; do cp ../pass.json $d/; done");
	expect(2, "cd record; $B release $P --preflight ../preflight");
	says("could not tell");
}

/* Only what nothing names goes, and only what was seen so for long enough. */
static void test_prune(void **state)
{
	make_workspace("pr");
	release("pr");
	host("pr.old", "pr", 0);
	/* as if 63 more had been added: the first is not wanted any more */
	expect(0, "cp -r rules many; cd pr; echo 2 >../many/a.yar; $B add "
	       "--schema scan-rules/1 --fields 3 --corpus ../corpus ../many; "
	       "sed -i '/\"code\": \\[/,/},/{/\"code\": \\[/!d}' "
	       "workspace.json");
	release("pr");
	expect(0, "cd pr; $B prune");
	/* an older file of metadata still names it */
	says("0 files removed, 0 bytes; 0 wait; 0 staged");
	expect(2, "cd pr; $B prune --keep 1s");
	says("--keep 1s: give 259200s");
	expect(0, "cd pr/repository/metadata; cp -r 1.content* ../..; : "
	       ">1.content%%2Fscan.json");
	expect(2, "cd pr; $B prune");
	says("1.content%2Fscan.json");
	says("nothing is removed");
	expect(0, "cd pr; rm -r repository/metadata/1.content*; $B prune "
	       "--dry-run; ls staged | wc -l; ! grep targets/ prune.json");
	says("0 files would be removed, 0 bytes; 2 wait; 1 staged");
	says("\n2\n");
	expect(0, "cd pr; $B prune; ls staged | wc -l");
	says("0 files removed, 0 bytes; 2 wait; 1 staged");
	says("\n1\n");
	expect(0, "cd pr; $B prune; grep -c 'targets/' prune.json");
	says("0 files removed, 0 bytes; 2 wait; 0 staged");
	/* long noted, but published since: from now on */
	expect(0, "cd pr; sed -i 's/: [0-9][0-9]*/: 1/' prune.json; $B "
	       "prune");
	says("0 files removed, 0 bytes; 2 wait");
	expect(0, "cd pr; sed -i 's/: [0-9][0-9]*/: 1/' prune.json; find "
	       "repository -type f -exec touch -d @0 {} +; ls -R repository | "
	       "sort >all; $B prune --dry-run; ls -R repository | sort | cmp "
	       "all");
	says("2 files would be removed");
	expect(0, "cd pr; $B prune; ls -R repository | sort | diff all - | "
	       "grep -c '^<'");
	says("2 files removed");
	says("\n2\n");
	expect(0, "cd pr; $B check; $B prune");
	says("0 files removed, 0 bytes; 0 wait; 0 staged");
	host("pr.old", "pr", 0);
	host("pr.new", "pr", 0);
	download("pr.new", "pr", "content/scan/code/2.json", 0);
	/* one of them is needed again: it is published again */
	expect(0, "cd pr; $B add --schema scan-rules/1 --fields 3 --corpus "
	       "../corpus ../rules");
	release("pr");
	expect(0, "cd pr; $B prune; $B check");
	host("pr.new", "pr", 0);
}

/* bob is on another machine: only a file goes there and comes back. */
static void test_carried(void **state)
{
	expect(0, "mkdir far; $B init --product scan far; cd far; $B key "
	       "generate bob --passphrase-file ../pass2 --kind rsa; openssl "
	       "pkey -in keys/bob.pem -passin file:../pass2 -pubout "
	       "-out ../bob.pub");
	expect(0, "$B init --product scan near; cd near; $B key generate alice "
	       "root targets content $P; $B key import bob ../bob.pub root "
	       "targets content");
	says("public part only");
	expect(0, "cd near; $B key generate robot snapshot timestamp data "
	       "gate revoked $P; for r in root targets content; do $B key "
	       "threshold $r 2; done; $B add --schema scan-rules/1 --fields "
	       "3 ../rules");
	expect(1, "cd near; $B sign $P");
	says("content/scan 1: 1 of 2 signatures, needs bob");
	expect(0, "cd near; $B sign --export ../carried");
	expect(2, "cd far; $B sign --with keys/bob.pem ../carried $P "
	       "</dev/null");
	says("passphrase");
	expect(1, "cp carried c2; cd far; $B sign --with ../near/keys/robot.pem"
	       " ../c2 $P");
	says("none of these is this key's");
	/* what is changed on the way does not come back */
	expect(0, "sed 's/2027-/2047-/;s/2028-/2048-/' carried >c2; cd far; $B "
	       "sign --with keys/bob.pem ../c2 --passphrase-file ../pass2");
	expect(0, "cmp -s c2 carried; test $? = 1");
	expect(0, "cd near; cp ../carried ../c3; $B sign --import ../c2; "
	       "test $? != 2");
	says("export it again");
	expect(0, "cd far; $B sign --with keys/bob.pem ../carried "
	       "--passphrase-file ../pass2");
	says("content/scan/code/1.json");
	says("role content/scan: 2 of 2 keys");
	expect(0, "cd near; $B sign --import ../carried");
	expect(0, "cd near; $B sign $P");
	expect(0, "cd near; $B release $P --product ../scan.ini --preflight "
	       "../preflight");
	host("far.host", "near", 0);
	expect(1, "cd near; $B sign --export ../carried");
	expect(2, "echo '{}' >c4; cd near; $B sign --import ../c4");
	expect(2, "cd near; $B sign --import ../pass");
}

static void test_rotation(void **state)
{
	make_workspace("rot");
	release("rot");
	host("rot.old", "rot", 0);
	/* online: both sign for a while, nobody notices */
	expect(0, "cd rot; $B key rotate robot robot2 --kind ecdsa $P");
	release("rot");
	host("rot.old", "rot", 0);
	host("rot.new", "rot", 0);
	expect(0, "cd rot; $B gate --release code/1 --admit early=all $P");
	host("rot.old", "rot", 0);
	download("rot.old", "rot", "gate/scan.json", 0);
	/* offline: one of the quorum, then a larger quorum */
	expect(0, "cd rot; $B key rotate bob carol $P");
	release("rot");
	host("rot.old", "rot", 0);
	expect(0, "cd rot; $B key generate dave root targets content $P; for r "
	       "in root targets content; do $B key threshold $r 3; done");
	release("rot");
	host("rot.old", "rot", 0);
	host("rot.third", "rot", 0);
	download("rot.old", "rot", "content/scan/code/1.json", 0);
	expect(0, "cd rot; $B check");
	/* lost: said, and done only when it is asked for */
	expect(0, "cd rot; rm keys/robot2.pem; $B key rotate robot2 robot3 $P;"
	       " $B sign $P");
	expect(2, "cd rot; $B release $P");
	says("--without-old-keys");
	host("rot.old", "rot", 0);
	expect(0, "cd rot; $B release --without-old-keys $P");
	host("rot.old", "rot", 0);
	host("rot.third", "rot", 0);
	expect(0, "cd rot; $B check");
}

static void test_expiry(void **state)
{
	expect(0, "cd rot; $B expire --in 2s timestamp $P");
	host("exp", "rot", 0);
	expect(1, "cd rot; for i in $(seq 300); do $B check || exit 1; "
	       "sleep 0.1; done");
	expect(0, "cp -r exp exp2");
	expect(1, "cd rot; $B check");
	says("bad  timestamp: expired");
	host("exp2", "rot", 1);
	expect(0, "cd rot; $B expire $P");
	host("exp", "rot", 0);
	expect(0, "cd rot; $B check");
	/* an offline role waits for its people */
	expect(0, "cd rot; $B expire --in 30d content $P");
	says("content waits for sign and release");
	expect(0, "cd rot; $B check");
	says("note content/scan: version");
	release("rot");
	expect(0, "cd rot; $B expire --within 40d $P");
	says("content waits");
	release("rot");
	expect(0, "cd rot; $B expire --life 1h gate $P; $B check --json");
	host("exp", "rot", 0);
	expect(0, "cd rot; $B expire --within 1m $P");
	says("nothing ends soon");
}

/* The online key releases data by itself, within what it was allowed. */
static void test_data(void **state)
{
	expect(2, "cd rot; $B add --class data --schema scan-rules/1 --fields "
	       "3 ../rules");
	says("there is none yet");
	expect(0, "cd rot; $B policy --schema scan-sigs/1 --max-files 2");
	release("rot");
	expect(2, "cd rot; $B add --class data --schema scan-rules/1 --fields "
	       "3 ../rules");
	says("not in it");
	expect(2, "cd rot; $B add --class data --schema scan-sigs/1 --fields "
	       "3 --bake 1s ../rules");
	says("--bake is shorter");
	expect(2, "cp -r rules rules4; touch rules4/c; cd rot; $B add --class "
	       "data --schema scan-sigs/1 --fields 3 ../rules4");
	says("more than the policy");
	expect(0, "cd rot; $B add --class data --schema scan-sigs/1 --fields 3 "
	       "../rules");
	expect(0, "mkdir away; mv rot/keys/alice.pem rot/keys/carol.pem "
	       "rot/keys/dave.pem away; cd rot; $B release $P --preflight "
	       "../preflight; r=$?; mv ../away/* keys/; exit $r");
	host("rot.old", "rot", 0);
	download("rot.old", "rot", "content/scan/data/2.json", 0);
	expect(0, "cd rot; $B check");
}

/* What a content folder may not hold. */
static void test_bad_content(void **state)
{
	static const struct {
		const char *make, *why;
	} table[] = {
		{ "ln -s /etc/passwd bad/l", "a symbolic link" },
		{ "ln -s / bad/d", "a symbolic link" },
		{ "mkfifo bad/f", "neither a file nor a folder" },
		{ "touch \"bad/a\nb\"", "a name may have" },
		{ "touch 'bad/a b'", "a name may have" },
		{ "printf x >\"bad/$(printf '\\033[2J')\"", "a name may have" },
		{ "mkdir -p bad/a/b; ln -s ../.. bad/a/b/c", "a/b/c" },
		{ "truncate -s 5G bad/giant", "larger than 1 GiB" },
		{ "mkdir bad/empty", "no file" },
		{ "d=bad/$(printf '%0200d'); mkdir $d; touch $d/$(printf "
		  "'%055d')", "a name may have" },
		{ "d=bad; for i in $(seq 40); do d=$d/x; mkdir $d; done; "
		  "touch $d/f", "a name may have" },
		{ "i=0; while [ $i -lt 4097 ]; do : >bad/$i; i=$((i+1)); done",
		  "more than 4096 files" },
		{ "touch bad/a; chmod 000 bad/a; test \"$(id -u)\" != 0 || "
		  "{ rm bad/a; mknod bad/n c 1 3 || mkfifo bad/n; }", "" },
	};

	expect(0, "$B init --product scan badws");
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		expect(0, "rm -rf bad; mkdir bad; %s", table[i].make);
		expect(2, "$B add --workspace badws --schema s/1 --fields 1 "
		       "bad");
		says(table[i].why);
		assert_null(strchr(said, '\033'));
	}
	expect(2, "$B add --workspace badws --schema s/1 --fields 1 nowhere");
	expect(2, "$B add --workspace badws --schema s/1 --fields 1 pass");
	expect(2, "$B add --workspace badws --schema s/1 --fields 1 --events "
	       "pass rules");
	says("no record of events");
	expect(2, "$B add --workspace badws --schema s/1 --fields 1 --corpus "
	       "rules rules");
	says("put it below allow/");
	expect(2, "$B add --workspace badws --schema s/1 --fields 65536 rules");
	expect(2, "$B add --workspace badws --schema ../1 --fields 1 rules");
	expect(1, "ls badws/staged | grep -v new");
	expect(0, "rm -rf bad; mkdir bad; touch bad/$(printf '%%0255d'); $B "
	       "add --workspace badws --schema s/1 --fields 1 bad");
}

static void test_cases(void **state)
{
	expect(0, "cat >cases <<'END'\n{\"cases\":[{\"path\":\"deny/evil\","
	       "\"event\":\"process.exec\",\"expect\":\"deny\",\"as\":"
	       "\"/usr/bin/x\",\"repeat\":3}]}\nEND\n");
	expect(0, "$B add --workspace badws --schema s/1 --fields 1 --corpus "
	       "corpus --cases cases --number 40 --floor 7 rules");
	expect(0, "cat badws/staged/*/version.json");
	says("\"event\":\"process.exec\",\"expect\":\"deny\","
	     "\"as\":\"/usr/bin/x\",\"repeat\":3}");
	says("\"number\":40");
	says("\"floor\":7");
	expect(2, "sed 's/process.exec/process.fork/' cases >c5; $B add "
	       "--workspace badws --schema s/1 --fields 1 --corpus corpus "
	       "--cases c5 rules");
	expect(2, "sed 's/evil/none/' cases >c5; $B add --workspace badws "
	       "--schema s/1 --fields 1 --corpus corpus --cases c5 rules");
	says("not in the corpus");
	expect(2, "$B add --workspace badws --schema s/1 --fields 1 --number "
	       "40 rules");
}

static void test_tampered(void **state)
{
	make_workspace("tam");
	expect(0, "cd tam; $B sign $P; f=$(echo staged/*/files/a.yar); cp $f "
	       "../saved; chmod u+w $f; echo x >>$f");
	expect(2, "cd tam; $B release $P --product ../scan.ini --preflight "
	       "../preflight");
	says("as it was added");
	expect(0, "cd tam; test ! -f repository/metadata/timestamp.json");
	expect(0, "cd tam; cp ../saved staged/*/files/a.yar; $B release $P "
	       "--preflight ../preflight; $B check");
	expect(0, "cd tam/repository/targets/blob; f=$(ls | head -n 1); echo "
	       "$f; chmod u+w $f; cp $f ../../../../saved; echo >>$f");
	expect(1, "cd tam; $B check");
	says("its length or hash");
	expect(0, "cd tam/repository/targets/blob; cat ../../../../saved "
	       ">$(ls | head -n 1)");
	expect(0, "cd tam; $B check");
	expect(0, "cd tam/repository/metadata; sed -i 's/\"length\":/"
	       "\"length\":1/' 1.targets.json 1.content*.json "
	       "1.content/scan.json");
	expect(1, "cd tam; $B check");
	says("content/scan");
	expect(2, "cd tam/repository/metadata; echo '{' >timestamp.json; cd "
	       "../..; $B check");
	says("restore it");
	expect(2, "cd tam; echo '{}' >workspace.json; $B check");
	says("restore it");
}

static void test_secrets(void **state)
{
	expect(0, "$B init --product scan sec; chmod 644 pass2");
	expect(2, "$B key generate a --workspace sec --passphrase-file pass2");
	says("chmod 600");
	expect(0, "chmod 600 pass2; $B key generate a root --workspace sec "
	       "--passphrase-fd 3 3<pass2");
	expect(2, "cd sec; $B sign $P </dev/null");
	says("passphrase");
	/* the one of several that fits is found */
	expect(1, "cd sec; $B sign $P --passphrase-file ../pass2");
	expect(2, ": >empty; chmod 600 empty; $B key generate b --workspace "
	       "sec --passphrase-file empty");
	says("it is empty");
	expect(2, "cd sec; $B key import again keys/a.pem --passphrase-file "
	       "../pass2");
	says("called a already");
	expect(2, "cd sec; $B key import b ../scan.ini $P");
	expect(2, "cd sec; $B key generate ../b $P");
	expect(2, "cd sec; $B key generate a $P");
	expect(0, "cd sec; openssl genpkey -algorithm ED25519 -out ../plain; "
	       "$B key import plain ../plain targets $P; grep ENCRYPTED "
	       "keys/plain.pem");
}

static void test_passphrase(void **state)
{
	expect(0, "$B init --product scan pp; cd pp; chmod 600 ../pass2; $B "
	       "key generate a root $P; cp keys/a.pem old; cp workspace.json "
	       "w");
	expect(2, "cd pp; $B key passphrase a --new-passphrase-file ../pass2 "
	       "--passphrase-file ../pass2");
	says("wrong passphrase for the key a");
	expect(2, "cd pp; $B key passphrase a $P </dev/null");
	expect(2, "cd pp; $B key passphrase nobody $P");
	expect(2, "cd pp; $B key passphrase a $P --new-passphrase-file "
	       "../empty");
	says("it is empty");
	expect(2, "cd pp; chmod 644 ../pass2; $B key passphrase a $P "
	       "--new-passphrase-file ../pass2");
	says("chmod 600");
	expect(0, "cd pp; cmp keys/a.pem old");
	expect(0, "cd pp; chmod 600 ../pass2; $B key passphrase a $P "
	       "--new-passphrase-file ../pass2; cmp workspace.json w");
	expect(1, "cd pp; cmp keys/a.pem old");
	expect(0, "cd pp; stat -c %%a keys/a.pem; grep -c ENCRYPTED "
	       "keys/a.pem; openssl pkey -in keys/a.pem -passin file:../pass2 "
	       "-pubout >n; "
	       "openssl pkey -in old -passin file:../pass -pubout | cmp n");
	says("600");
	expect(2, "cd pp; $B key passphrase a $P --new-passphrase-file "
	       "../pass");
	says("wrong passphrase for the key a");
	/* the public part alone: nothing is here to be changed */
	expect(2, "cd pp; rm keys/a.pem; $B key passphrase a $P "
	       "--new-passphrase-file ../pass2");
	says("is not here");
}

static void test_lines(void **state)
{
	static const char *const bad[] = {
		"", "nothing", "init", "init --product A/B x", "check --what",
		"sign --export a --import b", "sign --with k", "key",
		"key threshold root 0", "key threshold moon 1",
		"key threshold root 1000000000000", "key drop nobody",
		"gate --admit early", "gate --admit moon=1%",
		"gate --admit early=101%", "gate --release code/9", "gate",
		"revoke", "revoke code/9", "expire moon", "expire --in x",
		"-x check", "check --json --json", "policy",
		"add --schema s rules", "release --passphrase-fd 99",
		"check --workspace /nowhere", "prune now", "prune --keep x",
		"key passphrase", "key passphrase nobody",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		expect(2, "cd badws; $B %s $P </dev/null", bad[i]);
		assert_non_null(strstr(said, "bailey-publish: "));
	}
	expect(0, "for c in init key add policy sign release gate revoke "
	       "expire prune check; do $B $c --help | grep -q \"^usage: "
	       "bailey publish $c\" || exit 1; done");
	expect(0, "$B --help | head -n 1; exit ${PIPESTATUS:-0}");
	expect(2, "$B --help >/dev/full");
}

/* One at a time; the other is told. */
static void test_two(void **state)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/badws", folder);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0 && flock(fd, LOCK_EX) == 0);
	expect(2, "cd badws; $B check");
	says("another bailey-publish");
	close(fd);
	expect(1, "cd badws; $B check");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_story),
		cmocka_unit_test(test_layout),
		cmocka_unit_test(test_preflight),
		cmocka_unit_test(test_preflight_record),
		cmocka_unit_test(test_prune),
		cmocka_unit_test(test_carried),
		cmocka_unit_test(test_rotation),
		cmocka_unit_test(test_expiry),
		cmocka_unit_test(test_data),
		cmocka_unit_test(test_bad_content),
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_tampered),
		cmocka_unit_test(test_secrets),
		cmocka_unit_test(test_passphrase),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_two),
	};

	if (!getenv("BAILEY_PUBLISH") || !getenv("BAILEY_TUF")) {
		puts("BAILEY_PUBLISH and BAILEY_TUF: say where they are");
		return 1;
	}
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
