package events

import (
	"fmt"

	"github.com/nats-io/nats-server/v2/server"
)

// An account sees of another only what that one exports to it and it imports.
// Subject rights inside one account do not separate readers: whoever may name
// a reply or deliver subject there makes the server publish for it.

// account registers the account of a grant with its exports and imports. Its
// name holds the rights, so one that is there already is the right one.
func (a *gate) account(srv *server.Server, g Grant) (*server.Account, error) {
	gateway, _ := srv.LookupOrRegisterAccount(gatewayAccount)
	acc, isNew := srv.LookupOrRegisterAccount(g.account())
	if !isNew {
		return acc, nil
	}
	only := []*server.Account{acc}
	for _, s := range append(g.inboundSubjects(), g.statusSubjects()...) {
		subject := a.names.subject(s)
		if err := gateway.AddStreamExport(subject, only); err != nil {
			return nil, fmt.Errorf("export %s: %w", subject, err)
		}
		if err := acc.AddStreamImport(gateway, subject, ""); err != nil {
			return nil, fmt.Errorf("import %s: %w", subject, err)
		}
	}
	for _, s := range a.services(g) {
		if err := gateway.AddServiceExportWithResponse(s.to, s.response, only); err != nil {
			return nil, fmt.Errorf("export %s: %w", s.to, err)
		}
		if err := acc.AddServiceImport(gateway, s.from, s.to); err != nil {
			return nil, fmt.Errorf("import %s: %w", s.from, err)
		}
	}
	return acc, nil
}

// service is one subject a client may send requests to, and where they go.
type service struct {
	from, to string
	response server.ServiceRespType
}

// services are those of the key's consumers. The API needs another name than
// the server's own, which answers "JetStream not enabled for account" in the
// account of a key; the acknowledgement has the name the server gives it.
func (a *gate) services(g Grant) []service {
	streams := []string{a.names.streams[streamStatus]}
	if g.Inbound {
		streams = append(streams, a.names.streams[streamInbound])
	}
	var list []service
	for _, s := range streams {
		consumer := s + "." + g.Key
		ack := "$JS.ACK." + consumer + ".>"
		list = append(list,
			service{a.names.api() + ".CONSUMER.INFO." + consumer, "$JS.API.CONSUMER.INFO." + consumer, server.Singleton},
			service{a.names.api() + ".CONSUMER.MSG.NEXT." + consumer, "$JS.API.CONSUMER.MSG.NEXT." + consumer, server.Streamed},
			service{ack, ack, server.Singleton},
		)
	}
	return list
}

// permissions let a client publish requests and acknowledgements and nothing
// else: not even to other connections of its own key.
func (a *gate) permissions(g Grant) *server.Permissions {
	var allow []string
	for _, s := range a.services(g) {
		allow = append(allow, s.from)
	}
	return &server.Permissions{Publish: &server.SubjectPermission{Allow: allow}}
}
