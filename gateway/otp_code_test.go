package gateway_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	mrand "math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/modemgate/modemgate/gateway"
)

// chi2 is Pearson's statistic of counts that should be equal.
func chi2(counts []int) float64 {
	total := 0
	for _, n := range counts {
		total += n
	}
	want, sum := float64(total)/float64(len(counts)), 0.0
	for _, n := range counts {
		d := float64(n) - want
		sum += d * d / want
	}
	return sum
}

// S1, S2: 10^6 codes of 6 digits are uniform in each place and in triples,
// leading zeros included. The source is seeded, so the bounds (about 10^-9 of
// the chi-squared distribution) never fail by chance.
func TestS1CodesAreUniform(t *testing.T) {
	const n, length = 1_000_000, 6
	var seed [32]byte
	copy(seed[:], "uniform codes")
	random := mrand.NewChaCha8(seed)
	var places [length][]int
	for i := range places {
		places[i] = make([]int, 10)
	}
	heads, tails := make([]int, 1000), make([]int, 1000)
	for range n {
		c, err := gateway.NewCode(random, length)
		if err != nil || len(c) != length {
			t.Fatalf("code %q, %v", c, err)
		}
		v := 0
		for i := range length {
			d := int(c[i] - '0')
			if d < 0 || d > 9 {
				t.Fatalf("code %q holds more than digits", c)
			}
			places[i][d]++
			if v = v*10 + d; i == 2 {
				heads[v]++
				v = 0
			}
		}
		tails[v]++
	}
	for i := range places {
		if x := chi2(places[i]); x > 60 {
			t.Errorf("digit %d of the codes is not uniform: chi2 %.1f with 9 degrees of freedom, %v", i+1, x, places[i])
		}
	}
	for what, counts := range map[string][]int{"first": heads, "last": tails} {
		if x := chi2(counts); x > 1310 {
			t.Errorf("the %s three digits are not uniform: chi2 %.1f with 999 degrees of freedom", what, x)
		}
	}
	if places[0][0] == 0 || heads[0] == 0 {
		t.Error("no code has leading zeros")
	}
}

func TestS1EveryLengthIsConstant(t *testing.T) {
	for length := 4; length <= 10; length++ {
		for range 200 {
			if c, err := gateway.NewCode(rand.Reader, length); err != nil || len(c) != length || strings.Trim(c, "0123456789") != "" {
				t.Fatalf("code of %d digits: %q, %v", length, c, err)
			}
		}
	}
}

// S3: each digit stands for exactly 25 octets, and the six octets that would
// make some digits likelier give none.
func TestS3NoModuloBias(t *testing.T) {
	count := map[byte]int{}
	for b := range 256 {
		c, err := gateway.NewCode(io.MultiReader(bytes.NewReader(bytes.Repeat([]byte{byte(b)}, 16)), fill(0)), 1)
		if err != nil {
			t.Fatal(err)
		}
		if b < 250 {
			count[c[0]]++
		} else if c != "0" { // taken from the refill
			t.Fatalf("octet %#x gave the digit %s", b, c)
		}
	}
	for d := byte('0'); d <= '9'; d++ {
		if count[d] != 25 {
			t.Errorf("digit %c stands for %d octets, want 25", d, count[d])
		}
	}
	if c, err := gateway.NewCode(fill(0xff), 6); err == nil {
		t.Fatalf("a source of 0xff gave the code %s", c)
	}
	if c, err := gateway.NewCode(io.MultiReader(bytes.NewReader(bytes.Repeat([]byte{0xff, 0xfa}, 400)), fill(7)), 6); err != nil || c != "777777" {
		t.Fatalf("after a run of unusable octets: %q, %v", c, err)
	}
}

func TestS3ReaderErrors(t *testing.T) {
	broken := errors.New("no entropy")
	for name, r := range map[string]io.Reader{
		"error": iotest.ErrReader(broken), "short": strings.NewReader("123"), "none": strings.NewReader(""),
		"late error": io.MultiReader(bytes.NewReader(bytes.Repeat([]byte{0xff}, 16)), iotest.ErrReader(broken)),
	} {
		if c, err := gateway.NewCode(r, 6); err == nil || c != "" {
			t.Errorf("%s: code %q, %v", name, c, err)
		}
	}
}

// fill is a source that gives one octet for ever.
type fill byte

func (f fill) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(f)
	}
	return len(p), nil
}

// S3: without random octets nothing is made, charged or sent, and a pending
// OTP stays as it is.
func TestS3NoEntropyNoSMS(t *testing.T) {
	r := newRig(t, func(o *gateway.Options) { o.OTP.PerHour = 2 }, nil)
	source := &source{r: rand.Reader}
	r.g.SetRandom(source)
	pending, right := r.sentCode(app, gateway.NewOTP{To: number(2)}, 0)
	r.pass(pending.ResendAt.Sub(r.now()) + 1)
	source.r = iotest.ErrReader(errors.New("no entropy"))
	for range 3 {
		if v, _, err := r.g.CreateOTP(t.Context(), app, gateway.NewOTP{To: number(1)}); code(err) != gateway.NoEntropy {
			t.Fatalf("without random octets: %+v, %v", v, err)
		}
		if _, _, err := r.g.ResendOTP(t.Context(), app, pending.ID); code(err) != gateway.NoEntropy {
			t.Fatalf("a new code without random octets: %v", err)
		}
	}
	source.r = rand.Reader
	r.approve(app, pending.ID, right)
	// Nothing was charged: the number still has its two sends.
	v, _ := r.sentCode(app, gateway.NewOTP{To: number(1)}, 0)
	r.pass(v.ResendAt.Sub(r.now()) + 1)
	r.resend(app, v, 1)
	if n := r.submitted(number(1)) + r.submitted(number(2)); n != 3 {
		t.Fatalf("%d SMS were sent, want 3", n)
	}
}

// source is a source of codes that can be exchanged between requests.
type source struct{ r io.Reader }

func (s *source) Read(p []byte) (int, error) { return s.r.Read(p) }

// S3, S10: the files that make or judge secrets use the system's source and
// compare in constant time.
func TestS10SourcesOfSecrets(t *testing.T) {
	for _, file := range []string{"otp.go", "verify.go", "secrets.go", "keys.go", "id.go", "idempotency.go"} {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range f.Imports {
			if strings.HasPrefix(i.Path.Value, `"math/rand`) {
				t.Errorf("%s imports %s", file, i.Path.Value)
			}
		}
	}
}

// S10: a MAC is only ever compared by hmac.Equal.
func TestS10ConstantTimeCompare(t *testing.T) {
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	good := 0
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.BinaryExpr:
				if (n.Op == token.EQL || n.Op == token.NEQ) && (isMAC(n.X) || isMAC(n.Y)) {
					t.Errorf("%s compares a MAC with %s", name, n.Op)
				}
			case *ast.CallExpr:
				if !slices.ContainsFunc(n.Args, isMAC) {
					break
				}
				switch f := types.ExprString(n.Fun); f {
				case "hmac.Equal":
					good++
				case "bytes.Equal", "bytes.Compare", "string", "slices.Equal", "reflect.DeepEqual":
					t.Errorf("%s gives a MAC to %s", name, f)
				}
			}
			return true
		})
	}
	if good == 0 {
		t.Error("no MAC is compared by hmac.Equal: the test looks at the wrong thing")
	}
}

// isMAC says whether an expression is the MAC of an OTP.
func isMAC(e ast.Expr) bool {
	s := types.ExprString(e)
	return strings.HasSuffix(s, ".MAC") || strings.Contains(s, "codeMAC(")
}
