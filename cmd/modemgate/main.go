// Command modemgate is an SMS gateway for modems of your own: see README.md.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Exit codes. Clients of a running daemon use those from exitRefused on.
const (
	exitOK          = 0
	exitFailed      = 1 // the daemon failed; a client was refused, or the code was wrong
	exitUsage       = 2 // wrong command line or configuration: systemd does not retry
	exitUnreachable = 3 // no daemon answers
	exitTimeout     = 4
)

// version is set when a release is built.
var version = "dev"

func main() {
	log.SetOutput(io.Discard) // libraries tell there what their errors tell too
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	temporary := new(tempDirs)
	go obey(signals, cancel, timeToStop(os.Args[1:]), os.Stderr, func(code int) {
		temporary.removeAll()
		os.Exit(code)
	})
	os.Exit(run(ctx, system{in: os.Stdin, out: os.Stdout, err: os.Stderr, env: os.Environ(), temporary: temporary}, os.Args[1:]))
}

// stopPatience is how long a command that only asks or changes something may
// take to end in order.
var stopPatience = 5 * time.Second

// timeToStop is how long the command of a command line may take to end in order,
// 0 for as long as it takes: what runs modems hangs up first.
func timeToStop(args []string) time.Duration {
	if len(args) > 0 && slices.ContainsFunc(commands(), func(c command) bool { return c.name == args[0] && c.stays }) {
		return 0
	}
	return stopPatience
}

// obey stops the program in order at the first signal; at once at the second,
// or when the patience is at its end.
func obey(signals <-chan os.Signal, cancel func(), patience time.Duration, w io.Writer, exit func(int)) {
	<-signals
	cancel()
	var late <-chan time.Time
	if patience > 0 {
		late = time.After(patience)
	}
	why := "by a second signal"
	select {
	case <-signals:
	case <-late:
		why = "since it hung for " + patience.String() + " after the signal"
	}
	fmt.Fprintf(w, "modemgate: stopped at once %s; what a modem had in hand is settled at the next start\n", why)
	exit(exitFailed)
}

// system is what a command touches of the world around it.
type system struct {
	in       io.Reader
	out, err io.Writer
	env      []string
	usage    string // line of the command that runs

	temporary *tempDirs // nil: nobody ends the command at once
}

// getenv reads one variable.
func (s system) getenv(name string) string {
	for _, kv := range s.env {
		if v, ok := strings.CutPrefix(kv, name+"="); ok {
			return v
		}
	}
	return ""
}

// fail prints an error with its hint lines and returns the code.
func (s system) fail(code int, format string, args ...any) int {
	fmt.Fprintf(s.err, "modemgate: "+format+"\n", args...)
	return code
}

// command is one word of the command line.
type command struct {
	name    string
	args    string // after the name, in the usage line
	summary string
	help    string // examples, one a line
	stays   bool   // until it is told to stop
	run     func(ctx context.Context, s system, args []string) int
}

// usage is how the command is written.
func (c command) usage() string {
	return strings.TrimSpace("usage: modemgate " + c.name + " " + c.args)
}

// run is the whole program: it finds the command and returns its exit code.
func run(ctx context.Context, s system, args []string) int {
	all := commands()
	if len(args) == 0 || args[0] == "help" || args[0] == "--help" || args[0] == "-h" {
		if len(args) > 1 {
			return helpOn(s, all, args[1])
		}
		overview(s.out, all)
		return map[bool]int{true: exitUsage, false: exitOK}[len(args) == 0]
	}
	if args[0] == "--version" {
		args[0] = "version"
	}
	for _, c := range all {
		if c.name != args[0] {
			continue
		}
		for _, a := range args[1:] {
			if a == "--" {
				break
			}
			if a == "--help" || a == "-h" {
				return helpOn(s, all, c.name)
			}
		}
		s.usage = c.usage()
		return s.writing(func(s system) int { return c.run(ctx, s, args[1:]) })
	}
	return s.fail(exitUsage, "there is no command %q\n  modemgate --help lists them", args[0])
}

// commands lists all commands in the order of the overview.
func commands() []command {
	return []command{
		serveCommand, demoCommand, simCommand, statusCommand, modemsCommand, doctorCommand,
		sendCommand, otpCommand, inboxCommand, messagesCommand, explainCommand, cancelCommand, resolveCommand, queueCommand,
		lineCommand, atCommand, ussdCommand, traceCommand,
		keyCommand, backupCommand, restoreCommand, eraseCommand,
		checkCommand, configCommand, versionCommand,
	}
}

func overview(w io.Writer, all []command) {
	fmt.Fprint(w, "modemgate sends and receives SMS through modems of your own.\n\n")
	for _, c := range all {
		fmt.Fprintf(w, "  %-10s %s\n", c.name, c.summary)
	}
	fmt.Fprint(w, "\nmodemgate demo shows it all without hardware; modemgate COMMAND --help says more.\n")
}

func helpOn(s system, all []command, name string) int {
	for _, c := range all {
		if c.name == name {
			fmt.Fprintf(s.out, "%s\n\n%s\n", c.usage(), c.summary)
			if c.help != "" {
				fmt.Fprintf(s.out, "\n%s\n", strings.TrimRight(c.help, "\n"))
			}
			return exitOK
		}
	}
	return s.fail(exitUsage, "there is no command %q\n  modemgate --help lists them", name)
}
