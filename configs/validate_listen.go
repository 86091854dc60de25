package configs

import (
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

func (v *checks) listeners(c Config) {
	v.tls("api.tls", c.API.TLS)
	v.tls("nats.tls", c.NATS.TLS)
	if c.API.Listen == "" {
		v.add("api.listen", "is empty; write an address such as 127.0.0.1:8080")
	} else {
		v.listen("api", c.API.Listen, c.API.TLS, c.InsecureLAN)
	}
	if c.NATS.URL != "" || c.NATS.Listen == "" {
		return
	}
	v.listen("nats", c.NATS.Listen, c.NATS.TLS, c.InsecureLAN)
	if sameAddress(c.API.Listen, c.NATS.Listen) {
		v.addf("nats.listen", "uses port of api.listen (%s) too; give one of them another port", clip(c.API.Listen))
	}
}

func (v *checks) tls(path string, t TLS) {
	switch {
	case t.CertFile != "" && t.KeyFile == "":
		v.add(path+".key_file", "is missing; TLS needs cert_file and key_file")
	case t.CertFile == "" && t.KeyFile != "":
		v.add(path+".cert_file", "is missing; TLS needs cert_file and key_file")
	}
}

var hostName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?$`)

// listen checks one address. Beyond this host it wants TLS.
func (v *checks) listen(section, addr string, t TLS, insecure bool) {
	path := section + ".listen"
	host, err := hostPort(addr)
	if err != nil {
		v.addf(path, "%s %v; write an address such as 127.0.0.1:8080", quote(addr), err)
		return
	}
	if !loopback(host) && !t.On() && !insecure {
		v.addf(path, "%s can be reached from other machines without TLS; set %s.tls, listen on 127.0.0.1, or set insecure_lan: true",
			quote(addr), section)
	}
}

// hostPort splits host:port; the host may be empty, which means all
// addresses, the port is a number up to 65535.
func hostPort(addr string) (host string, err error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "", fmt.Errorf("is not host:port")
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || strconv.FormatUint(n, 10) != port {
		return "", fmt.Errorf("has no port from 0 to 65535")
	}
	bare, _, _ := strings.Cut(host, "%") // an IPv6 zone
	if host != "" && net.ParseIP(bare) == nil && !hostName.MatchString(host) {
		return "", fmt.Errorf("has no valid host")
	}
	return host, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

// sameAddress tells whether two listeners want the same port of the same or
// of all addresses.
func sameAddress(a, b string) bool {
	ha, pa, errA := net.SplitHostPort(a)
	hb, pb, errB := net.SplitHostPort(b)
	if errA != nil || errB != nil || pa != pb || pa == "0" {
		return false
	}
	every := func(h string) bool { ip := net.ParseIP(h); return h == "" || ip != nil && ip.IsUnspecified() }
	return ha == hb || every(ha) || every(hb) || loopback(ha) && loopback(hb)
}

var subjectPrefix = regexp.MustCompile(`^[a-z0-9-]*$`)

func (v *checks) nats(n NATS) {
	if len(n.Prefix) > maxNames || !subjectPrefix.MatchString(n.Prefix) {
		v.addf("nats.prefix", "%s must be made of a-z, 0-9 and -, %d at most", quote(n.Prefix), maxNames)
	}
	if n.URL == "" {
		if n.CredsFile != "" {
			v.add("nats.creds_file", "is for your own cluster; set nats.url too, or remove it")
		}
		return
	}
	if n.TLS.On() {
		v.add("nats.tls", "is for the embedded server; with nats.url write the scheme tls:// and remove it")
	}
	for i, u := range n.Servers() {
		if err := serverURL(u); err != nil {
			v.addf("nats.url", "server %d %v", i+1, err)
		}
	}
}

// Servers are the single URLs of the cluster, each with its scheme; those
// written without one have the first one's. Empty for the embedded server.
func (n NATS) Servers() []string {
	if n.URL == "" {
		return nil
	}
	first, _, ok := strings.Cut(n.URL, "://")
	var all []string
	for s := range strings.SplitSeq(n.URL, ",") {
		s = strings.TrimSpace(s)
		if ok && !strings.Contains(s, "://") {
			s = first + "://" + s
		}
		all = append(all, s)
	}
	return all
}

// serverURL checks one server. The URL itself is never shown: it may hold a
// password.
func serverURL(s string) error {
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Host == "":
		return fmt.Errorf("is no URL such as nats://10.0.0.5:4222")
	case u.Scheme != "nats" && u.Scheme != "tls" && u.Scheme != "ws" && u.Scheme != "wss":
		return fmt.Errorf("has none of the schemes nats, tls, ws and wss")
	case u.User != nil:
		return fmt.Errorf("holds credentials; put them into a file and name it in nats.creds_file")
	}
	host := u.Host
	if u.Port() == "" {
		host = net.JoinHostPort(u.Hostname(), "4222")
	}
	if _, err := hostPort(host); err != nil || u.Hostname() == "" {
		return fmt.Errorf("is no URL such as nats://10.0.0.5:4222")
	}
	return nil
}
