package configs

import (
	"fmt"
	"io"
	"os"
	"strings"
)

// ReadPIN reads the PIN of a SIM from a file: 4 to 8 digits, and a line end if
// there is one. Nobody but its owner may have access to the file. No error
// holds any of its content.
func ReadPIN(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return "", err
	case !info.Mode().IsRegular():
		return "", fmt.Errorf("%s is no regular file: name the file that holds the PIN", path)
	case info.Mode().Perm()&0o077 != 0:
		return "", fmt.Errorf("%s may be used by others than its owner (mode %04o): chmod 600 %s", path, info.Mode().Perm(), path)
	}
	const enough = 64 // octets; what is longer is no PIN
	b, err := io.ReadAll(io.LimitReader(f, enough))
	if err != nil {
		return "", err
	}
	pin := strings.TrimSpace(string(b))
	if len(pin) < 4 || len(pin) > 8 || strings.Trim(pin, "0123456789") != "" {
		return "", fmt.Errorf("%s holds no PIN: 4 to 8 digits on one line and nothing else", path)
	}
	return pin, nil
}
