package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/modemgate/modemgate/driver"
)

var atCommand = command{
	name: "at", args: "LINE|PORT COMMAND... [--timeout 10s] [--json] [--config FILE]", summary: "run AT commands on the modem of a line",
	help: `  modemgate at front AT+CSQ
  modemgate at front ATI AT+CGMR
  modemgate at front 'AT+COPS=?' --timeout 180s
  modemgate at /dev/ttyUSB2 ATI

The commands run between those of the daemon; without a daemon on the port of
the line itself, which is looked for when the line has an imei or iccid. A PORT
is opened in any case, unless a program holds it. One command at a time, and
only those that are known to read: AT+NAME? and AT+NAME=?, ATI, AT&V, ATSn? and
such as AT+CSQ, AT+CGMR, AT+CPINR, AT+CPBR=1,9, AT+CRSM=176,...; and ATH, which
hangs up. Every other one is refused, with what to use instead: it could break
the session, spend tries of a PIN, take away messages or change modem or SIM.
Needs the scope admin.`,
	run: func(ctx context.Context, s system, args []string) int { return report(s, at(ctx, s, args)) },
}

// spoken is what a modem answered to one command.
type spoken struct {
	Lines  []string `json:"lines"`
	Result string   `json:"result"`
}

// maxATCommands bounds the commands of one call.
const maxATCommands = 64

func at(ctx context.Context, s system, args []string) error {
	f := newClientFlags("at", true)
	var timeout span
	f.Var(&timeout, "timeout", "")
	pos, err := f.parse(args, 2, 1+maxATCommands)
	if err != nil {
		return err
	}
	for _, cmd := range pos[1:] { // all of them before the first is run
		if c := strings.ToUpper(strings.TrimSpace(cmd)); c != "" && 'A' <= c[0] && c[0] <= 'Z' && !strings.HasPrefix(c, "AT") {
			return usageError("at", "a command begins with AT, such as AT+CSQ")
		}
		if err := driver.CommandAllowed(cmd); err != nil {
			return &failure{code: exitUsage, text: "at: " + err.Error()}
		}
	}
	say, end, err := interlocutor(ctx, s, f.config, pos[0], time.Duration(timeout))
	if err != nil {
		return err
	}
	defer end()
	bad := 0
	for _, cmd := range pos[1:] {
		answer, body, err := say(cmd)
		if err != nil {
			return err
		}
		if f.json {
			printJSON(s.out, body)
		} else {
			for _, l := range answer.Lines {
				fmt.Fprintln(s.out, oneLine(l))
			}
			fmt.Fprintln(s.out, resultWords(answer.Result))
		}
		if answer.Result != "OK" {
			bad++
		}
	}
	if bad > 0 {
		return &failure{code: exitFailed, text: count(bad, "command was", "commands were") + " refused by the modem"}
	}
	return nil
}

// resultWords is a final code as the modem wrote it, with its meaning.
func resultWords(result string) string {
	kind, number, is := strings.Cut(result, "-")
	switch {
	case result == "OK":
		return "OK"
	case is && (kind == "cme" || kind == "cms"):
		text := "+" + strings.ToUpper(kind) + " ERROR: " + oneLine(number)
		if words, known := modemErrors[result]; known {
			text += " (" + words + ")"
		}
		return text
	case result == "error":
		return "ERROR"
	}
	return "ERROR " + oneLine(result)
}

// interlocutor finds who says commands to the modem of a line: the daemon, or
// without one this program.
func interlocutor(ctx context.Context, s system, config, line string, timeout time.Duration) (say func(cmd string) (spoken, []byte, error), end func(), err error) {
	if strings.HasPrefix(line, "/") {
		m, err := openBare(ctx, line)
		if err != nil {
			return nil, nil, err
		}
		return bySelf(ctx, m, timeout), func() { _ = m.Close() }, nil
	}
	c, err := connect(ctx, s, config)
	var none *failure
	if err == nil {
		return byDaemon(ctx, c, line, timeout), func() { _ = c.close() }, nil
	}
	if !errors.As(err, &none) || none.code != exitUnreachable || s.getenv("MODEMGATE_URL") != "" {
		return nil, nil, err
	}
	cfg, loadErr := clientConfig(s, config, false)
	if loadErr != nil {
		return nil, nil, loadErr
	}
	if why := dialable(ctx, filepath.Join(cfg.DataDir, socketName)); !absent(why) {
		return nil, nil, err
	}
	port, err := portOf(ctx, cfg, line)
	if err != nil {
		return nil, nil, err
	}
	m, err := openBare(ctx, port)
	if err != nil {
		return nil, nil, err
	}
	fmt.Fprintf(s.err, "no daemon runs: speaking to the port of line %s itself, %s\n", oneLine(line), oneLine(port))
	return bySelf(ctx, m, timeout), func() { _ = m.Close() }, nil
}

func byDaemon(ctx context.Context, c *client, line string, timeout time.Duration) func(string) (spoken, []byte, error) {
	return func(cmd string) (spoken, []byte, error) {
		body := map[string]string{"command": cmd}
		if timeout > 0 {
			body["timeout"] = wireDuration(timeout)
		}
		var answer spoken
		raw, err := c.do(ctx, call{
			method: http.MethodPost, path: "/v1/lines/" + url.PathEscape(line) + "/at", body: body, wait: max(timeout, 20*time.Second),
		}, &answer)
		return answer, raw, err
	}
}

func bySelf(ctx context.Context, m *driver.Modem, timeout time.Duration) func(string) (spoken, []byte, error) {
	return func(cmd string) (spoken, []byte, error) {
		lines, err := m.Command(ctx, cmd, timeout)
		answer := spoken{Lines: lines, Result: "OK"}
		var refused *driver.CommandError
		switch {
		case errors.As(err, &refused):
			answer.Result = refused.Code
		case errors.Is(err, driver.ErrTimeout):
			return answer, nil, &failure{code: exitTimeout, text: "the modem gave no answer in time", hints: []string{"--timeout gives it longer"}}
		case err != nil:
			return answer, nil, &failure{code: exitFailed, text: err.Error()}
		}
		if answer.Lines == nil {
			answer.Lines = []string{}
		}
		raw, err := json.Marshal(answer)
		return answer, raw, err
	}
}
