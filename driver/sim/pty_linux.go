package sim

import "golang.org/x/sys/unix"

const (
	ioctlGetTermios = unix.TCGETS
	ioctlUnread     = unix.TIOCINQ
	ioctlSetTermios = unix.TCSETS
)

func setFlow(fd int, on bool) error {
	if on {
		return unix.IoctlSetInt(fd, unix.TCXONC, unix.TCOON)
	}
	return unix.IoctlSetInt(fd, unix.TCXONC, unix.TCOOFF)
}
