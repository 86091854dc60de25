package api

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

// wireTypes are the Go types behind the schemas of openapi.yaml.
var wireTypes = map[string]any{
	"NewMessage": newMessage{}, "Resolution": resolution{}, "Message": message{}, "MessageDetail": messageDetail{},
	"Part": part{}, "HistoryEntry": history{}, "Submission": submission{}, "Cell": cell{}, "MessagePage": page[message]{},
	"NewOTP": newOTP{}, "Try": try{}, "NumberTry": numberTry{}, "Verdict": verdict{}, "OTP": otp{}, "Delivery": delivery{},
	"Inbound": inbound{}, "InboundPage": page[inbound]{}, "Cursor": cursor{},
	"Line": line{}, "Identity": identity{}, "Storage": storage{}, "Counters": counters{}, "LineLimits": limits{}, "LinePage": page[line]{}, "Modem": modem{}, "ModemPage": page[modem]{},
	"Recovery": recovery{}, "Incident": incident{}, "Call": ring{}, "ResetLine": resetLine{},
	"Credit": credit{}, "ATCommand": atCommand{}, "ATAnswer": atAnswer{}, "TraceLine": traceLine{}, "TracePage": page[traceLine]{},
	"USSDStep": ussdStep{}, "USSDAnswer": ussdAnswer{},
	"Queue": queue{}, "Status": status{}, "NATSStatus": natsStatus{}, "StoreStatus": storeStatus{},
	"SimText": simText{}, "SimPage": page[simText]{}, "SimSend": simSend{}, "SimSent": simSent{},
	"NewKey": newKey{}, "Key": key{}, "MadeKey": madeKey{}, "KeyPage": page[key]{},
	"BackupTo": backupTo{}, "BackupDone": backupDone{}, "EraseNumber": eraseNumber{}, "Erased": erased{},
	"QueueChanged": queueChanged{}, "Healthy": healthy{}, "Problem": problem{}, "Fault": fault{},
}

func mustDocument(t *testing.T) *openapi3.T {
	t.Helper()
	doc, err := document()
	if err != nil {
		t.Fatalf("openapi.yaml: %v", err)
	}
	return doc
}

func TestRoutesAndDocumentAreTheSameSet(t *testing.T) {
	doc := mustDocument(t)
	s := New(Options{Gateway: newFake()})
	var routes, documented []string
	for _, r := range s.routes() {
		routes = append(routes, r.method+" "+regexp.MustCompile(`:(\w+)`).ReplaceAllString(r.path, "{$1}"))
	}
	for path, item := range doc.Paths.Map() {
		for method := range item.Operations() {
			documented = append(documented, method+" "+path)
		}
	}
	slices.Sort(routes)
	slices.Sort(documented)
	if !slices.Equal(routes, documented) {
		t.Errorf("routes\n%s\nopenapi.yaml\n%s", strings.Join(routes, "\n"), strings.Join(documented, "\n"))
	}
}

// TestEchoServesTheTable asks every path, so that what echo knows is what the
// table says: anything but the answer of an unknown route.
func TestEchoServesTheTable(t *testing.T) {
	b := start(t, newFake())
	for _, r := range b.s.routes() {
		path := regexp.MustCompile(`:\w+`).ReplaceAllString(r.path, "x_1")
		tcp, socket := b.do(r.method, path, ""), b.local(r.method, path, "")
		if socket.status == http.StatusNotFound || socket.status == http.StatusMethodNotAllowed {
			t.Errorf("%s %s on the socket: %d", r.method, path, socket.status)
		}
		if missing := tcp.status == http.StatusNotFound; missing != (r.access == adminSocket) {
			t.Errorf("%s %s over TCP: %d", r.method, path, tcp.status)
		}
	}
}

// members lists the JSON members of a struct and which of them are always
// there.
func members(typ reflect.Type) (all, always []string) {
	for f := range fields(typ) {
		name, option, _ := strings.Cut(f.Tag.Get("json"), ",")
		all = append(all, name)
		if option != "omitempty" {
			always = append(always, name)
		}
	}
	slices.Sort(all)
	slices.Sort(always)
	return all, always
}

// fields are those of a struct with those of what it embeds.
func fields(typ reflect.Type) func(func(reflect.StructField) bool) {
	return func(yield func(reflect.StructField) bool) {
		for i := range typ.NumField() {
			if f := typ.Field(i); f.Anonymous {
				fields(f.Type)(yield)
			} else if !yield(f) {
				return
			}
		}
	}
}

// declared lists the properties of a schema and its required ones.
func declared(s *openapi3.Schema) (all, always []string) {
	all, always = slices.Collect(maps.Keys(s.Properties)), slices.Clone(s.Required)
	for _, part := range s.AllOf {
		a, r := declared(part.Value)
		all, always = append(all, a...), append(always, r...)
	}
	slices.Sort(all)
	slices.Sort(always)
	return all, always
}

func TestSchemasHaveTheMembersOfTheTypes(t *testing.T) {
	doc := mustDocument(t)
	for name, schema := range doc.Components.Schemas {
		typ, known := wireTypes[name]
		if !known {
			if len(schema.Value.Properties) > 0 {
				t.Errorf("schema %s has no Go type", name)
			}
			continue
		}
		gotAll, gotAlways := members(reflect.TypeOf(typ))
		wantAll, wantAlways := declared(schema.Value)
		if !slices.Equal(gotAll, wantAll) || !slices.Equal(gotAlways, wantAlways) {
			t.Errorf("%s: type has %v, always %v\nschema has %v, always %v", name, gotAll, gotAlways, wantAll, wantAlways)
		}
	}
	for name := range wireTypes {
		if doc.Components.Schemas[name] == nil {
			t.Errorf("type of %s has no schema", name)
		}
	}
}

// TestExamplesAreOfTheTypes decodes each example with the type of the server
// and encodes it again: nothing is lost. Examples of requests go through the
// strict decoder.
func TestExamplesAreOfTheTypes(t *testing.T) {
	doc := mustDocument(t)
	seen := 0
	check := func(asked bool, where string, m *openapi3.MediaType) {
		if m.Schema == nil {
			return
		}
		name := strings.TrimPrefix(m.Schema.Ref, "#/components/schemas/")
		examples := []any{m.Example}
		for _, e := range m.Examples {
			examples = append(examples, e.Value.Value)
		}
		for _, e := range examples {
			if e != nil {
				seen++
				checkExample(t, asked, where, name, e)
			}
		}
	}
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			if op.RequestBody != nil {
				m := op.RequestBody.Value.Content["application/json"]
				check(true, method+" "+path, m)
				if m.Example == nil {
					t.Errorf("%s %s: no example of a request", method, path)
				}
			}
			for code, r := range op.Responses.Map() {
				for _, m := range r.Value.Content {
					check(false, method+" "+path+" "+code, m)
				}
			}
		}
	}
	if seen < 30 {
		t.Errorf("only %d examples were looked at", seen)
	}
}

func checkExample(t *testing.T, asked bool, where, name string, example any) {
	t.Helper()
	typ, known := wireTypes[name]
	if !known {
		t.Errorf("%s: schema %q has no Go type", where, name)
		return
	}
	want, err := json.Marshal(example)
	if err != nil {
		t.Fatal(err)
	}
	v := reflect.New(reflect.TypeOf(typ))
	if asked {
		if f := decode(want, v.Interface()); len(f) > 0 {
			t.Errorf("%s: the server refuses the example: %v", where, f)
		}
		return
	}
	d := json.NewDecoder(bytes.NewReader(want))
	d.DisallowUnknownFields()
	if err := d.Decode(v.Interface()); err != nil {
		t.Errorf("%s: %v in %s", where, err, want)
		return
	}
	got, err := json.Marshal(v.Interface())
	if err != nil {
		t.Fatal(err)
	}
	if !sameJSON(t, got, want) {
		t.Errorf("%s: example\n%s\nbecomes\n%s", where, want, got)
	}
}

func sameJSON(t testing.TB, a, b []byte) bool {
	t.Helper()
	var x, y any
	if err := json.Unmarshal(a, &x); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &y); err != nil {
		t.Fatal(err)
	}
	return reflect.DeepEqual(x, y)
}

func TestServedDocumentIsTheFile(t *testing.T) {
	b := start(t, newFake())
	r := b.ask(b.tcp, "GET", "/openapi.yaml", "")
	if r.status != 200 || r.body != string(OpenAPI) || r.header.Get("Content-Type") != "application/yaml" {
		t.Errorf("%d %s, %d octets", r.status, r.header.Get("Content-Type"), len(r.body))
	}
}
