/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The anti-malware test file. Its 68 bytes are written in hexadecimal: no file
 * of this repository holds them in one piece.
 */
rule eicar_test_file
{
	meta:
		title = "EICAR anti-malware test file"
		severity = 100
		confidence = 100
	strings:
		$body = {
			58 35 4F 21 50 25 40 41 50 5B 34 5C 50 5A 58 35
			34 28 50 5E 29 37 43 43 29 37 7D 24 45 49 43 41
			52 2D 53 54 41 4E 44 41 52 44 2D 41 4E 54 49 56
			49 52 55 53 2D 54 45 53 54 2D 46 49 4C 45 21 24
			48 2B 48 2A
		}
	condition:
		filesize <= 128 and $body at 0
}

/* The same inside something small: a script that carries it, an archive that
 * only stores. Larger files that quote it are documents. */
rule eicar_test_string
{
	meta:
		title = "EICAR anti-malware test string in a small file"
		severity = 90
		confidence = 90
	strings:
		$body = {
			58 35 4F 21 50 25 40 41 50 5B 34 5C 50 5A 58 35
			34 28 50 5E 29 37 43 43 29 37 7D 24 45 49 43 41
			52 2D 53 54 41 4E 44 41 52 44 2D 41 4E 54 49 56
			49 52 55 53 2D 54 45 53 54 2D 46 49 4C 45 21 24
			48 2B 48 2A
		}
	condition:
		filesize > 128 and filesize < 4KB and $body
}
