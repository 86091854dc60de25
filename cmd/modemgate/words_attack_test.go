package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// TestAttackForgedLines holds that neither a sender's name nor a client's
// reference can write a line of its own on the terminal of the operator.
func TestAttackForgedLines(t *testing.T) {
	const forged = "bank\nforged line\x1b[2J\u009b2J\u202Etxt.exe\tx"
	var out bytes.Buffer
	showFacts(&out, [][2]string{{"reference", forged}})
	if got := sender(inboundJSON{From: forged}); strings.ContainsAny(got, "\n\t\x1b\u009b\u202E") {
		t.Errorf("a sender is shown as %q", got)
	}
	if got := out.String(); strings.Count(got, "\n") != 1 || strings.ContainsAny(got, "\x1b\u009b\u202E") {
		t.Errorf("a reference is shown as %q", got)
	}
}

// TestAttackJSONForTheTerminal holds that --json shows no character that a
// terminal obeys, and still means the same.
func TestAttackJSONForTheTerminal(t *testing.T) {
	const text = "\u009b2Jred\u202E\u2066\u007f und äöü 日本 😀"
	answer := []byte(`{"text":"` + text + `"}`)
	var out bytes.Buffer
	printJSON(&out, answer)
	if strings.ContainsAny(out.String(), "\u009b\u202E\u2066\u007f") {
		t.Errorf("shown as %q", out.String())
	}
	var got struct{ Text string }
	if err := json.Unmarshal(out.Bytes(), &got); err != nil || got.Text != text {
		t.Errorf("means %q, %v", got.Text, err)
	}
}
