package quorum

import (
	"os"
	"syscall"
)

// allocated is the space that a file takes on disk: preallocated logs take more
// than they hold, sparse files less.
func allocated(info os.FileInfo) int64 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return st.Blocks * 512
	}
	return info.Size()
}
