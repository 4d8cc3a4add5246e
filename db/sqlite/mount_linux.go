package sqlite

import "golang.org/x/sys/unix"

// isMount reports whether path is mounted by itself, as far as the kernel tells: it does since Linux 5.8.
func isMount(path string) bool {
	var found unix.Statx_t
	err := unix.Statx(unix.AT_FDCWD, path, 0, unix.STATX_BASIC_STATS, &found)
	return err == nil && found.Attributes&found.Attributes_mask&unix.STATX_ATTR_MOUNT_ROOT != 0
}
