package usb_test

import (
	"fmt"
	"io/fs"
	"maps"
	"path"
	"strings"
	"testing/fstest"

	"github.com/modemgate/modemgate/driver/usb"
	"github.com/modemgate/modemgate/driver/usb/usbtest"
)

// memory is a sysfs without a disk below it, for tests with many devices.
type memory struct{ fstest.MapFS }

func (m memory) plug(number int, d usbtest.Device) {
	dir := "bus/usb/devices/" + d.Path
	vendor, product, _ := strings.Cut(d.ID, ":")
	m.files(dir, map[string]string{"idVendor": vendor, "idProduct": product, "busnum": "1", "devnum": fmt.Sprint(number)})
	for _, i := range d.Interfaces {
		at := fmt.Sprintf("%s:1.%d", dir, i.Number)
		part := strings.Split(i.Class, "/")
		m.files(at, map[string]string{
			"bInterfaceNumber": fmt.Sprintf("%02x", i.Number), "bInterfaceClass": part[0], "bInterfaceSubClass": part[1], "bInterfaceProtocol": part[2],
		})
		m.MapFS[at+"/driver"] = &fstest.MapFile{Data: []byte("../../../drivers/" + i.Driver), Mode: fs.ModeSymlink}
		m.files(at+"/"+i.TTY, map[string]string{"port_number": "0"})
	}
}

func (m memory) files(dir string, content map[string]string) {
	for name, text := range content {
		m.MapFS[path.Join(dir, name)] = &fstest.MapFile{Data: []byte(text + "\n")}
	}
}

func (m memory) unplug(device string) {
	maps.DeleteFunc(m.MapFS, func(name string, _ *fstest.MapFile) bool {
		return strings.HasPrefix(name, "bus/usb/devices/"+device)
	})
}

func (m memory) tree(wrap func(fs.FS) fs.FS) usb.Tree {
	return usb.Tree{}.WithFS(func(dir string) fs.FS {
		if dir != "/sys" {
			return fstest.MapFS{}
		}
		if wrap == nil {
			return m.MapFS
		}
		return wrap(m.MapFS)
	})
}

// ports is a device with a port on each of n interfaces, from ttyUSBfirst on.
func ports(at, id, class, driver string, n, first int) usbtest.Device {
	d := usbtest.Device{Path: at, ID: id}
	for i := range n {
		d.Interfaces = append(d.Interfaces, usbtest.Interface{Number: i, Class: class, Driver: driver, TTY: fmt.Sprintf("ttyUSB%d", first+i)})
	}
	return d
}
