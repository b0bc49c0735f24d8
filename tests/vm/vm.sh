# SPDX-License-Identifier: Apache-2.0
# tests/vm/vm.sh - sourced by what runs inside: file systems, results, the end
# shellcheck shell=sh disable=SC2034

export PATH=/bin:/sbin:/usr/bin:/usr/sbin
vm_failed=0

vm_mounts() {
	mount -t proc none /proc
	mount -t sysfs none /sys
	mount -t devtmpfs none /dev 2>/dev/null
	mkdir -p /dev/pts
	mount -t devpts none /dev/pts
	mount -t securityfs none /sys/kernel/security
	mount -t cgroup2 none /sys/fs/cgroup
	mount -t tmpfs none /tmp
	mount -t tmpfs none /run
}

vm_modules() { # those of the disk
	while read -r module; do
		insmod "/lib/modules/$module.ko"
	done </lib/modules/order
}

vm_switch_root() { # to the disk, whose init goes on
	mount -t devtmpfs none /dev
	mount -t proc none /proc
	vm_modules
	mount -t ext4 /dev/vda /mnt
	umount /proc
	umount /dev
	exec switch_root /mnt /sbin/init
}

vm_check() { # WHAT COMMAND...
	vm_what=$1
	shift
	if "$@"; then
		echo "vm: ok: $vm_what"
	else
		echo "vm: not so: $vm_what"
		vm_failed=$((vm_failed + 1))
	fi
}

vm_end() { # the last line that the runner looks for
	if [ "$vm_failed" = 0 ]; then
		echo "vm: PASS"
	else
		echo "vm: FAIL ($vm_failed)"
	fi
	poweroff -f
}
