package main

import (
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/modemgate/modemgate/configs"
)

// showSecret prints a new key with lines to paste that use it.
func showSecret(w io.Writer, c *client, k keyJSON) {
	fmt.Fprintf(w, "the key %s is made, with %s", k.Name, strings.Join(k.Scopes, ", "))
	if k.ExpiresAt != nil {
		fmt.Fprintf(w, ", until %s", when(*k.ExpiresAt))
	}
	fmt.Fprintf(w, "; this is its secret, shown this once:\n\n  %s\n\n", k.Secret)
	running := c.end == nil
	fmt.Fprintf(w, "REST\n  export MODEMGATE_URL=%s MODEMGATE_KEY=%s\n", restAddress(c.cfg, running), k.Secret)
	for _, line := range restLines(k) {
		fmt.Fprintf(w, "  %s\n", line)
	}
	fmt.Fprintln(w, "\nNATS")
	for _, line := range natsLines(c.cfg, k, running) {
		fmt.Fprintf(w, "  %s\n", line)
	}
	if !running {
		fmt.Fprintln(w, "\nno daemon runs now: modemgate serve starts one; the addresses are those of its configuration")
	}
}

// restLines are requests that the scopes of the key allow.
func restLines(k keyJSON) []string {
	const head = `curl -H "Authorization: Bearer $MODEMGATE_KEY" `
	to := "+447700900123"
	if len(k.To) > 0 {
		to = (k.To[0] + "7700900123000")[:13]
	}
	var out []string
	post := func(path, body string) {
		out = append(out, head+`-H 'Content-Type: application/json' -d '`+body+`' "$MODEMGATE_URL`+path+`"`)
	}
	if k.has("otp") {
		post("/v1/otp", `{"to":"`+to+`"}`)
	}
	if k.has("send") {
		post("/v1/messages", `{"to":"`+to+`","text":"Hello"}`)
	}
	if k.has("inbound") {
		out = append(out, head+`"$MODEMGATE_URL/v1/inbound?order=asc&wait=25s"`)
	}
	if k.has("messages") {
		out = append(out, head+`"$MODEMGATE_URL/v1/messages"`)
	}
	if k.has("status") {
		out = append(out, head+`"$MODEMGATE_URL/v1/status"`)
	}
	return out
}

// has says whether the key has the scope, or one narrowed to a line.
func (k keyJSON) has(scope string) bool {
	return slices.ContainsFunc(k.Scopes, func(s string) bool {
		return s == scope || s == "admin" || strings.HasPrefix(s, scope+":")
	})
}

// natsLines listen to what the key may hear: by the nats command, and from Go.
func natsLines(cfg configs.Config, k keyJSON, running bool) []string {
	if cfg.NATS.URL != "" {
		return []string{"events go to your own cluster, " + cfg.NATS.URL + ": its operator grants the rights, keys of modemgate do not"}
	}
	addr := natsAddress(cfg, running)
	if addr == "" {
		return []string{"the embedded server has no listener: set nats.listen to reach it"}
	}
	scheme := "nats"
	if cfg.NATS.TLS.On() {
		scheme = "tls"
	}
	dot := ""
	if cfg.NATS.Prefix != "" {
		dot = cfg.NATS.Prefix + "."
	}
	out := []string{fmt.Sprintf("export NATS_URL=%s://%s", scheme, addr)}
	// The nats command takes the key in the address only; some clients, that of
	// Node among them, take it as their option token only.
	command := fmt.Sprintf(`nats --server "%s://$MODEMGATE_KEY@%s" `, scheme, addr)
	for _, subject := range subjects(k) {
		out = append(out, command+"sub '"+dot+subject+"'")
	}
	stream := "SMS_STATUS"
	if k.has("inbound") {
		stream = "SMS_INBOUND"
	}
	if cfg.NATS.Prefix != "" {
		stream = strings.ToUpper(strings.ReplaceAll(cfg.NATS.Prefix, "-", "_")) + "_" + stream
	}
	return append(out,
		fmt.Sprintf("%sconsumer next %s %s --js-api-prefix %smodemgate.API", command, stream, k.Name, dot),
		fmt.Sprintf("other clients: server %s, the key as the option token", addr),
		`Go: nc, err := nats.Connect(os.Getenv("NATS_URL"), nats.Token(os.Getenv("MODEMGATE_KEY")))`,
		fmt.Sprintf(`    js, err := jetstream.NewWithAPIPrefix(nc, "%smodemgate.API")`, dot),
		fmt.Sprintf(`    c, err := js.Consumer(ctx, "%s", "%s")`, stream, k.Name),
	)
}

// subjects are the live subjects of the key.
func subjects(k keyJSON) []string {
	var out []string
	for _, s := range k.Scopes {
		if line, ok := strings.CutPrefix(s, "inbound:"); ok && !slices.Contains(k.Scopes, "inbound") && !slices.Contains(k.Scopes, "admin") {
			out = append(out, "sms.inbound."+line+".>")
		}
	}
	if slices.Contains(k.Scopes, "inbound") || slices.Contains(k.Scopes, "admin") {
		out = append(out, "sms.inbound.>")
	}
	if k.has("otp") {
		out = append(out, "otp.status."+k.Name+".>")
	}
	switch {
	case k.has("messages"):
		out = append(out, "sms.status.>")
	case k.has("send") || k.has("otp"):
		out = append(out, "sms.status."+k.Name+".>")
	}
	if k.has("status") {
		out = append(out, "modem.>")
	}
	return out
}

// restAddress is where the API is: where it listens, or will by the
// configuration.
func restAddress(cfg configs.Config, running bool) string {
	scheme := "http"
	if cfg.API.TLS.On() {
		scheme = "https"
	}
	u := url.URL{Scheme: scheme, Host: reachable(address(cfg, "api.addr", cfg.API.Listen, running))}
	return u.String()
}

func natsAddress(cfg configs.Config, running bool) string {
	if cfg.NATS.Listen == "" {
		return ""
	}
	return reachable(address(cfg, "nats.addr", cfg.NATS.Listen, running))
}

// address is what a running daemon wrote into its data_dir, else what is
// configured: without a daemon the file may be that of an older one.
func address(cfg configs.Config, name, configured string, running bool) string {
	if !running {
		return configured
	}
	b, err := os.ReadFile(filepath.Join(cfg.DataDir, name))
	if addr := strings.TrimSpace(string(b)); err == nil && addr != "" {
		return addr
	}
	return configured
}

// reachable is an address to connect to, for one that is listened on: an
// address of all interfaces is also this machine.
func reachable(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return net.JoinHostPort(host, port)
}
