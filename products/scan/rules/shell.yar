/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reverse shells of one line, in what a shell or an interpreter would run: a
 * file that starts with #! or is small enough to be a cron line or a dropper.
 * Long texts that quote them (manuals, wordlists) do not match.
 */
private rule looks_like_script
{
	condition:
		filesize < 256KB and uint32be(0) != 0x7f454c46 and
		(uint16be(0) == 0x2321 or filesize < 2KB)
}

rule reverse_shell_dev_tcp
{
	meta:
		title = "Reverse shell over bash's /dev/tcp"
		severity = 90
		confidence = 90
		technique = "T1059.004"
	strings:
		$interactive = /(ba|z|k)?sh[ \t]{1,4}-i[ \t]{0,4}(>&|&>|[0-9]?>&?[0-9]?|<>?)[ \t]{0,4}\/dev\/(tcp|udp)\/[^ \t\/]{1,253}\/[0-9]{1,5}/
		$exec = /exec[ \t]{1,4}[0-9]{1,3}<>[ \t]{0,4}\/dev\/(tcp|udp)\/[^ \t\/]{1,253}\/[0-9]{1,5}[ \t;&]{1,8}.{0,80}sh[ \t]{0,4}<&[0-9]/
	condition:
		looks_like_script and any of them
}

rule reverse_shell_netcat
{
	meta:
		title = "Reverse shell through netcat"
		severity = 90
		confidence = 85
		technique = "T1059.004"
	strings:
		$option = /(nc|ncat|netcat)(\.traditional)?[ \t]{1,4}(-[a-z]{1,8}[ \t]{1,4}){0,4}(-[a-z]{0,4}[ec]|--exec|--sh-exec)[ \t]{1,4}["']?(\/(usr\/)?bin\/)?(ba|da|z)?sh/
		$after = /(nc|ncat|netcat)(\.traditional)?[ \t]{1,4}[^ \t\r\n|;&-]{1,253}[ \t]{1,4}[0-9]{1,5}[ \t]{1,4}-[a-z]{0,4}[ec][ \t]{1,4}["']?(\/(usr\/)?bin\/)?(ba|da|z)?sh/
		$fifo = /mkfifo[ \t]{1,4}([^ \t\r\n;&]{1,80})[ \t]{0,4}[;&]{1,2}.{0,80}sh[ \t]{1,4}-i.{0,40}\|[ \t]{0,4}(nc|ncat|netcat|openssl)[ \t]/
	condition:
		looks_like_script and any of them
}

rule reverse_shell_interpreter
{
	meta:
		title = "Reverse shell in Python, Perl, PHP or Ruby"
		severity = 85
		confidence = 85
		technique = "T1059"
	strings:
		$python = /os\.dup2\([ \t]{0,2}s[a-z]{0,8}\.fileno\(\)[ \t]{0,2},[ \t]{0,2}[012][ \t]{0,2}\)/
		$python_run = /(subprocess\.(call|run|Popen)\([ \t]{0,2}\[|pty\.spawn\([ \t]{0,2}\[?|os\.(system|execl?v?p?)\()["'](\/(usr\/)?bin\/)?(ba|da|z)?sh["']/
		$perl = /open\(STD(IN|OUT|ERR),[ \t]{0,2}["']?[<>]&[ \t]{0,2}S(OCK(ET)?)?["']?\)/
		$perl_run = /exec[ \t]{0,2}[\({]?[ \t]{0,2}["']\/(usr\/)?bin\/(ba|da|z)?sh[ \t]{1,2}-i["']/
		$php = /fsockopen\([^)]{1,80}\)[ \t]{0,2};.{0,40}(exec|system|shell_exec|proc_open|popen)\([ \t]{0,2}["'](\/(usr\/)?bin\/)?sh[ \t]{1,2}-i/
		$ruby = /TCPSocket\.(open|new)\([^)]{1,80}\).{0,80}exec[ \t]{0,2}\(?[ \t]{0,2}(sprintf\()?["']\/?(bin\/)?sh[ \t]{1,2}-i[ \t]{0,2}<&/
	condition:
		looks_like_script and
		((all of ($python*)) or (all of ($perl*)) or $php or $ruby)
}
