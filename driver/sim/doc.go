// Package sim simulates GSM modems on real ptys, with their SIMs, and the
// small SMS network between them and simulated phones.
//
// A [Network] owns a short message service centre, its [Modem]s and its
// [Phone]s. Each modem is reached by opening [Modem.Path] like any serial
// port; it speaks ITU-T V.250, 3GPP TS 27.007 and 27.005, and its messages
// are 3GPP TS 23.040 TPDUs, coded by this package alone so that a mistake of
// a driver is not mirrored here.
//
// One goroutine owns the state of a modem. Other goroutines reach it through
// an unbounded mailbox, so that no two of them can wait for each other, and
// it serves that mailbox also while a command waits (for the radio, a late
// answer, a hook): unsolicited codes come where they come on real modems.
//
// Faults ([Modem.Inject], or the control API of [Network.Handler]) make a
// modem behave as bad as real ones do. Hooks ([Modem.OnPoint]) stop the
// modem at the points where a crash or an unplug hurts most.
//
// A modem can answer as a real one did ([Options.Replay]): a command that its
// trace holds is done by the modem and answered by the trace, as far as that
// is not masked; sends, lists, reads and deletes stay with network and
// memories unless the trace has them refused.
//
// Numbers of simulated modems are +999000001, +999000002, …; every other
// number is a phone, made on first use.
package sim
