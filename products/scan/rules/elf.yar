/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs: packers, miners, preloaded hiders.
 */
private rule is_elf
{
	condition:
		uint32be(0) == 0x7f454c46
}

/* Packed as its author meant it: worth knowing, no reason to refuse. */
rule elf_packed_upx
{
	meta:
		title = "Program packed with UPX"
		severity = 20
		confidence = 90
		technique = "T1027.002"
	strings:
		$magic = { 55 50 58 21 }
		$info = { 24 49 6E 66 6F 3A 20 54 68 69 73 20 66 69 6C 65 20 69 73 20 70 61 63 6B 65 64 20 77 69 74 68 20 74 68 65 20 55 50 58 }
	condition:
		is_elf and $magic in (0..1024) and $info
}

/* UPX's loader without UPX's marks: somebody removed them so that the program
 * cannot be unpacked for inspection. */
rule elf_packed_upx_tampered
{
	meta:
		title = "Program packed with UPX whose marks were removed"
		severity = 65
		confidence = 80
		technique = "T1027.002"
	strings:
		$loader = "PROT_EXEC|PROT_WRITE failed.\n"
		$magic = { 55 50 58 21 }
	condition:
		is_elf and filesize < 32MB and $loader and not $magic
}

/* A pool's protocol, a miner's own option and an algorithm, in one program. */
rule miner_program
{
	meta:
		title = "Crypto-currency miner"
		severity = 70
		confidence = 85
		technique = "T1496"
	strings:
		$pool1 = /stratum\+(tcp|ssl|tls):\/\//
		$pool2 = "mining.subscribe"
		$pool3 = "mining.authorize"
		$own1 = "donate-level"
		$own2 = "--nicehash"
		$own3 = "--coin="
		$own4 = "cpu-max-threads-hint"
		$own5 = "xmrig"
		$algo1 = "randomx" nocase
		$algo2 = "cryptonight" nocase
		$algo3 = "argon2/chukwa"
		$algo4 = "ethash" nocase
	condition:
		is_elf and any of ($pool*) and 2 of ($own*) and any of ($algo*)
}

/* Shared objects that hide processes from ps through ld.so.preload: they wrap
 * readdir and look names up below /proc. */
rule preload_process_hider
{
	meta:
		title = "Preloaded library that hides processes"
		severity = 85
		confidence = 80
		technique = "T1574.006"
	strings:
		$wrap1 = "readdir64"
		$wrap2 = "dlsym"
		$look1 = "/proc/self/fd/%d"
		$look2 = "/proc/%s/stat"
		$look3 = "process_to_filter"
		$preload = { 2F 65 74 63 2F 6C 64 2E 73 6F 2E 70 72 65 6C 6F 61 64 }
	condition:
		is_elf and uint16(16) == 3 and filesize < 1MB and
		all of ($wrap*) and
		(all of ($look*) or ($preload and $look1 and $look2))
}
