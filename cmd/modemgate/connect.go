package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/modemgate/modemgate/api"
	"github.com/modemgate/modemgate/configs"
)

// connect finds the daemon: by the socket in the data_dir of the
// configuration when a daemon answers on it, else by MODEMGATE_URL and
// MODEMGATE_KEY.
func connect(ctx context.Context, s system, config string) (*client, error) {
	remote := s.getenv("MODEMGATE_URL")
	cfg, err := clientConfig(s, config, remote != "")
	if err != nil {
		return nil, err
	}
	path := filepath.Join(cfg.DataDir, socketName)
	why := dialable(ctx, path)
	if why == nil {
		return socketClient(cfg, path), nil
	}
	if remote == "" {
		return nil, noDaemon(path, why)
	}
	return remoteClient(s, cfg, remote)
}

// offline is what may be done where no daemon runs.
type offline int

const (
	notOffline  offline = iota // nothing: a daemon is needed
	onData                     // work on a data directory that is there
	onFreshData                // and make one where there is none
)

// connectHere finds the daemon of this machine, for what only its operator
// may do. Without a daemon it works directly on the data directory, as far as
// without says.
func connectHere(ctx context.Context, s system, config string, without offline) (*client, error) {
	cfg, err := clientConfig(s, config, false)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(cfg.DataDir, socketName)
	why := dialable(ctx, path)
	switch {
	case why == nil:
		return socketClient(cfg, path), nil
	case s.getenv("MODEMGATE_URL") != "" && !holdsData(cfg.DataDir):
		f := noDaemon(path, why)
		f.hints = []string{why.Error(), "this is done on the machine of the daemon itself: MODEMGATE_URL does not reach it"}
		return nil, f
	case without == notOffline || !absent(why) || without == onData && !holdsData(cfg.DataDir):
		return nil, noDaemon(path, why)
	}
	if err := ownedByUs(cfg.DataDir); err != nil {
		return nil, err
	}
	g, end, err := openOffline(ctx, cfg)
	if err != nil {
		return nil, &failure{code: exitFailed, text: err.Error()}
	}
	handler := api.New(api.Options{Gateway: g}).LocalHandler()
	return &client{http: &http.Client{Transport: inProcess{handler}}, base: "http://modemgate", place: cfg.DataDir, local: true, cfg: cfg, end: end}, nil
}

// clientConfig reads the configuration as serve does. Where a daemon is named
// by MODEMGATE_URL, a file that this user may not read does not matter.
func clientConfig(s system, config string, remote bool) (configs.Config, error) {
	cfg, _, err := configs.Load(config, s.env, nil)
	switch {
	case err == nil:
		return cfg, nil
	case remote && config == "" && errors.Is(err, fs.ErrPermission):
		return configs.Default(), nil
	}
	f := &failure{code: exitUsage, text: err.Error()}
	if lines := strings.Split(strings.TrimSpace(err.Error()), "\n"); len(lines) > 1 {
		f.text, f.hints = lines[0], lines[1:]
	}
	if errors.Is(err, fs.ErrPermission) {
		f.hints = append(f.hints, "run it as root or as the user of the daemon: sudo -u modemgate modemgate …")
	}
	return cfg, f
}

// dialable says why no daemon answers on a socket; nil when one does.
func dialable(ctx context.Context, path string) error {
	d := net.Dialer{Timeout: 2 * time.Second}
	conn, err := d.DialContext(ctx, "unix", path)
	if err == nil {
		return conn.Close()
	}
	var op *net.OpError
	if errors.As(err, &op) {
		err = op.Err
	}
	var call *os.SyscallError
	if errors.As(err, &call) {
		err = call.Err
	}
	return fmt.Errorf("tried %s: %w", path, err)
}

// absent says whether there is no daemon, not merely none that can be
// reached.
func absent(why error) bool {
	return errors.Is(why, syscall.ENOENT) || errors.Is(why, syscall.ECONNREFUSED)
}

// noDaemon tells what was tried and what to do.
func noDaemon(path string, why error) *failure {
	f := &failure{code: exitUnreachable, text: "no daemon answers", hints: []string{why.Error()}}
	if errors.Is(why, syscall.EACCES) || errors.Is(why, syscall.EPERM) {
		f.text = "this user may not open the socket of the daemon"
		f.hints = append(f.hints, "run it as root or as the user of the daemon: sudo -u modemgate modemgate …")
		return f
	}
	f.hints = append(f.hints,
		"start one with modemgate serve; if it uses another data_dir, name its --config FILE",
		"for a daemon on another machine set MODEMGATE_URL and MODEMGATE_KEY")
	return f
}

func socketClient(cfg configs.Config, path string) *client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", path)
	}
	return &client{
		http: &http.Client{Transport: &http.Transport{DialContext: dial}, CheckRedirect: noRedirect},
		base: "http://modemgate", place: path, local: true, cfg: cfg,
	}
}

func remoteClient(s system, cfg configs.Config, base string) (*client, error) {
	u, err := url.Parse(base)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return nil, &failure{code: exitUsage, text: "MODEMGATE_URL: must be a URL such as https://sms.example.org:8080"}
	case u.User != nil:
		return nil, &failure{code: exitUsage, text: "MODEMGATE_URL: holds credentials; put the API key into MODEMGATE_KEY"}
	case s.getenv("MODEMGATE_KEY") == "":
		return nil, &failure{
			code: exitUsage, text: "MODEMGATE_KEY is not set",
			hints: []string{"MODEMGATE_URL is: it needs an API key; modemgate key new makes one on the machine of the daemon"},
		}
	}
	if ip := net.ParseIP(u.Hostname()); u.Scheme == "http" && u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
		fmt.Fprintln(s.err, "modemgate: warning: MODEMGATE_URL is http:// to another machine: the API key and texts cross the network unencrypted; use https://")
	}
	base = strings.TrimSuffix(u.Scheme+"://"+u.Host+u.Path, "/")
	return &client{
		http: &http.Client{CheckRedirect: noRedirect}, base: strings.TrimSuffix(base, "/v1"),
		key: s.getenv("MODEMGATE_KEY"), place: base, cfg: cfg,
	}, nil
}

// noRedirect keeps the key at the address it was meant for.
func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// holdsData says whether there is a data directory of ours.
func holdsData(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "lock"))
	return err == nil
}

// ownedByUs refuses to work in a data directory of another user: what root
// left there, the daemon could not open.
func ownedByUs(dir string) error {
	info, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return &failure{code: exitFailed, text: "data_dir: " + err.Error()}
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok || int(owner.Uid) == os.Geteuid() {
		return nil
	}
	name := strconv.Itoa(int(owner.Uid))
	if u, err := user.LookupId(name); err == nil {
		name = u.Username
	}
	return &failure{
		code: exitFailed, text: fmt.Sprintf("data_dir: %s belongs to the user %s", dir, name),
		hints: []string{"run it as that user: sudo -u " + name + " modemgate …"},
	}
}
