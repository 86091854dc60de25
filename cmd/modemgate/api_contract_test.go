package main

import (
	"testing"
	"time"

	"github.com/modemgate/modemgate/configs"
)

// restPromise is one promise of the REST API with the test that holds it.
type restPromise struct {
	says string
	test func(*station)
}

// plainSentences hold with the defaults.
var plainSentences = []restPromise{
	{"wait returns at once if the thing is final", waitOnFinal},
	{"wait returns at once if rev is above after", waitAboveAfter},
	{"wait returns on the next change", waitForChange},
	{"wait returns unchanged when its time is over", waitUnchanged},
	{"a wait that is no duration, or an after that is no rev, is 400", waitMalformed},
	{"each body has rev and final, and final things do not change", revAndFinal},
	{"POSTs answer when stored, before the radio", answersBeforeRadio},
	{"order=asc&after=cursor&wait is a loss-free feed", inboundFeed},

	{"lists are newest first, pages follow by next_cursor", listsPages},
	{"limit is 1 to 200", listsLimit},
	{"messages are listed by state, to, via, since and until", listsFilters},
	{"inbound is listed by from, to, line and since", listsInbound},
	{"in queries a space before digits reads as +", spaceReadsAsPlus},
	{"ids are prefixed and time-ordered", idsInOrder},

	{"POST messages is 202 with Location and its members", messageMembers},
	{"numbers come in with spaces, dashes and brackets and go out as E.164", numbersIn},
	{"a number that is none is 422 number-invalid", numbersInvalid},
	{"unknown members are 400", unknownMembers},
	{"a number where a string belongs is 400", wrongTypes},
	{"a body over 16 KiB is 400", tooLargeBody},
	{"all faults are told at once", allFaults},
	{"via is a name or a list", viaNames},
	{"a line that is not there is 422 no-such-line", noSuchLine},
	{"a text of too many parts is 422 text-too-long", textTooLong},
	{"ttl counts from send_at, which is at most 30 days ahead", ttlFromSendAt},
	{"states go queued, sending, sent, delivered", statesInOrder},
	{"sent is final when no report was asked for", sentWithoutReport},
	{"undelivered and failed are ends", undeliveredAndFailed},
	{"expired is an end, whether or not a line is up", expiredWithoutLine},
	{"cancel is 200, or 409 once a line has begun", cancelInTime},
	{"DELETE erases a final message, and only a final one", deleteFinal},
	{"high goes before normal before low, OTPs before all", prioritiesInOrder},

	{"POST otp is 201 with its members, never the code", otpMembers},
	{"the message of an OTP never has text", otpMessageWithoutText},
	{"a second POST is 200, same id and settings, reused, and sends nothing", otpReused},
	{"one is pending per key, purpose and number", otpPerPurpose},
	{"verify is 200 valid, then 410 approved", otpApproved},
	{"a wrong code is 200 valid:false; the last try blocks", otpBlocked},
	{"the last allowed try with the right code succeeds", otpLastTryRight},
	{"verify by number finds what is pending, else 200 valid:false", otpByNumber},
	{"resend before resend_at is 429 with Retry-After", otpResendTooEarly},
	{"cancel ends an OTP: 410 canceled", otpCanceled},
	{"a failed message fails its pending OTP", otpFailed},
	{"a request narrows what the file allows, never widens it", otpNarrows},
	{"a locked number is 429 number-locked before anything else, until unlock", otpNumberLocked},
	{"per_number counts over all keys", otpPerNumber},

	{"errors are problems with a request id, which may be the client's", problemMembers},
	{"a route that is not there is 404, a method 405", unknownRoutes},
	{"readyz is 200, and with sending=1 unless no line can send 503", readyVariants},
	{"every measure of the contract is in /metrics", metricsNames},
	{"pause survives restarts and shows everywhere", pauseSurvives},
	{"IMEI and ICCID are masked unless admin", identityMasked},
	{"everything that a simulated line touched says so", simulatedEverywhere},
	{"a key has at most its share of long polls", waitsBounded},
}

// quickSentences hold where codes may be sent again at once and numbers are
// British.
var quickSentences = []restPromise{
	{"national form is read with default_region", nationalForm},
	{"a second POST otp acts as a resend if one is due", otpReusedResends},
	{"resend: new code, the old one void, tries kept, expires_at anew", otpResend},
	{"resend cancels the unclaimed old message", otpResendCancels},
	{"without sends_left resend is 429", otpSendsUsed},
	{"unknown is held for resolve", unknownHeld},
	{"on_unknown fail is failed with outcome-unknown", unknownFails},
	{"on_unknown resend sends once more with possible_duplicate, the same code of an OTP at no cost of sends_left", unknownCopies},
	{"allow and deny: destination-blocked", destinations},
}

func TestREST(t *testing.T) {
	t.Parallel()
	tell(t, newStation(t), plainSentences)
}

func TestRESTQuick(t *testing.T) {
	t.Parallel()
	tell(t, newStation(t, func(c *configs.Config) {
		c.DefaultRegion = "GB"
		c.OTP.ResendAfter = configs.Duration(time.Millisecond)
		c.Limits.Allow, c.Limits.Deny = []string{"+44", "+49"}, []string{"+4477008"}
	}), quickSentences)
}

func tell(t *testing.T, s *station, all []restPromise) {
	for _, x := range all {
		t.Run(x.says, func(t *testing.T) {
			sub := s.in(t)
			x.test(sub)
			sub.settle()
		})
	}
}

// settle brings the simulated network back to what every test expects.
func (s *station) settle() {
	for _, m := range s.sim.Modems() {
		m.OnPoint(nil)
		m.ClearFaults()
		s.local("POST", "/v1/lines/"+m.Name()+"/resume", "")
	}
}

// pause takes all lines out of sending.
func (s *station) pause() {
	s.t.Helper()
	for _, m := range s.sim.Modems() {
		s.local("POST", "/v1/lines/"+m.Name()+"/pause", "").want(s.t, 200, "")
	}
}

func (s *station) resume() {
	s.t.Helper()
	for _, m := range s.sim.Modems() {
		s.local("POST", "/v1/lines/"+m.Name()+"/resume", "").want(s.t, 200, "")
	}
}
