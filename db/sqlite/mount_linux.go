package sqlite

import "golang.org/x/sys/unix"

// isMount reports whether path is a mount point of its own. Kernels before Linux 5.8 do not tell, and it
// returns false.
func isMount(path string) bool {
	var found unix.Statx_t
	err := unix.Statx(unix.AT_FDCWD, path, 0, unix.STATX_BASIC_STATS, &found)
	return err == nil && found.Attributes&found.Attributes_mask&unix.STATX_ATTR_MOUNT_ROOT != 0
}
