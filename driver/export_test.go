package driver

// PINCounters are the commands that read the tries left of the PIN.
func PINCounters() (list []string) {
	for _, c := range pinCounters {
		list = append(list, c.cmd)
	}
	return list
}
