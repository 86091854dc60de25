package sim

import "golang.org/x/sys/unix"

const (
	ioctlGetTermios = unix.TIOCGETA
	ioctlUnread     = 0x4004667F // FIONREAD
	ioctlSetTermios = unix.TIOCSETA
)

func setFlow(fd int, on bool) error {
	if on {
		return unix.IoctlSetInt(fd, unix.TIOCSTART, 0)
	}
	return unix.IoctlSetInt(fd, unix.TIOCSTOP, 0)
}
