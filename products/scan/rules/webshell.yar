/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One-line web shells: code from a request goes straight into an evaluator.
 * An honest program has no use for that; each rule needs the language's own
 * opening tag, so that documents about it do not match.
 */
rule webshell_php_eval_request
{
	meta:
		title = "PHP web shell: evaluates what a request sends"
		severity = 90
		confidence = 95
		technique = "T1505.003"
	strings:
		$tag = /<\?(php|=)?[ \t\r\n@]/
		$eval = /[^a-z_](eval|assert)[ \t]{0,4}\([ \t]{0,4}((base64_decode|gzinflate|gzuncompress|str_rot13|stripslashes|urldecode|trim)[ \t]{0,4}\([ \t]{0,4}){0,3}@?\$_(GET|POST|REQUEST|COOKIE|SERVER)[ \t]{0,4}[\[{]/ nocase
	condition:
		filesize < 256KB and $tag and $eval
}

rule webshell_php_run_request
{
	meta:
		title = "PHP web shell: runs a command that a request sends"
		severity = 90
		confidence = 90
		technique = "T1505.003"
	strings:
		$tag = /<\?(php|=)?[ \t\r\n@]/
		$run = /[^a-z_>:](system|passthru|shell_exec|popen|proc_open|pcntl_exec)[ \t]{0,4}\([ \t]{0,4}@?\$_(GET|POST|REQUEST|COOKIE)[ \t]{0,4}[\[{]/ nocase
	condition:
		filesize < 256KB and $tag and $run
}

rule webshell_jsp_run_request
{
	meta:
		title = "JSP web shell: runs a command that a request sends"
		severity = 90
		confidence = 90
		technique = "T1505.003"
	strings:
		$tag = /<%[@=! \t\r\n]/
		$run = /getRuntime\(\)[ \t\r\n]{0,8}\.exec\([ \t]{0,4}(new String\[\][ \t]{0,2}\{[^}]{0,40})?request\.getParameter\(/
	condition:
		filesize < 256KB and $tag and $run
}

rule webshell_asp_eval_request
{
	meta:
		title = "ASP web shell: evaluates what a request sends"
		severity = 90
		confidence = 90
		technique = "T1505.003"
	strings:
		$tag = /<%[@= \t\r\n]?/
		$eval = /[^a-z_](eval|execute|executeglobal)[ \t]{0,4}\(?[ \t]{0,4}request[ \t]{0,4}(\.(item|form|querystring)[ \t]{0,4})?[\(\[][ \t]{0,4}["']/ nocase
	condition:
		filesize < 64KB and $tag and $eval
}
