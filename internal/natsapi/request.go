package natsapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/admitone/admitone/api"
	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
)

// requestHeaders are those that a request has over NATS as over HTTP.
var requestHeaders = []string{"Authorization", "Idempotency-Key", "If-Match", "If-None-Match", "Prefer", "Consistency-Token", "X-Request-Id", "Traceparent"}

// inquiry is one operation as this copy answers it.
type inquiry struct {
	api.Operation
	subject string
	query   bool
	room    chan struct{} // to answer in
}

// endpointName: the framework allows no dots.
func (q inquiry) endpointName() string { return strings.ReplaceAll(q.Name, ".", "-") }

// serve hands each request to a goroutine of its own, while there is room. A command
// waits for room, which is soon there; a query, that may stay for long, is sent away.
func (s *Server) serve(q inquiry) micro.Handler {
	return micro.HandlerFunc(func(r micro.Request) {
		if !q.query {
			q.room <- struct{}{}
		} else {
			select {
			case q.room <- struct{}{}:
			default:
				s.send(r, refusal(busy))
				return
			}
		}
		s.wg.Go(func() {
			defer func() { <-q.room }()
			s.answer(q, r)
		})
	})
}

// answer lets the HTTP handler answer.
func (s *Server) answer(q inquiry, r micro.Request) {
	in, err := s.request(q, r)
	switch {
	case errors.Is(err, errParameters):
		s.send(r, refusal(malformed))
	case err != nil:
		s.cfg.Logger.Error("request over NATS not passed on", "subject", r.Subject(), "cause", err)
		s.send(r, refusal(internal))
	default:
		out := &recorder{header: http.Header{}, status: http.StatusOK}
		s.cfg.Requests.ServeHTTP(out, in)
		if p, wrong := q.targetFault(r); wrong && out.status == http.StatusBadRequest {
			out = refusal(p).about(out)
		}
		s.send(r, out)
	}
}

// targetFault is what to say of a target that is no id: the HTTP handler, which refuses
// it in its turn, knows it as a part of a path, which the caller has not written.
func (q inquiry) targetFault(r micro.Request) (p api.Problem, wrong bool) {
	if !strings.Contains(q.Path, "{id}") {
		return p, false
	}
	p = malformed
	given := nats.Header(r.Headers()).Get(api.HeaderTarget)
	if given == "" {
		p.Detail = "the header " + api.HeaderTarget + " is missing: it must have the id, a UUID, of what this is about"
		return p, true
	}
	p.Detail = "the header " + api.HeaderTarget + " must be a UUID, the id of what this is about"
	_, err := uuid.Parse(given)
	return p, err != nil
}

// request is the HTTP request that means the same. A target that is no UUID takes
// the place of one, to be refused there like any other.
func (s *Server) request(q inquiry, r micro.Request) (*http.Request, error) {
	headers := nats.Header(r.Headers())
	path, body := q.Path, r.Data()
	if strings.Contains(path, "{id}") {
		target := "-"
		// As it is written here: other forms of a UUID would change the path.
		if id, err := uuid.Parse(headers.Get(api.HeaderTarget)); err == nil {
			target = id.String()
		}
		path = strings.Replace(path, "{id}", target, 1)
	}
	if q.query {
		parameters, err := parametersIn(body)
		if err != nil {
			return nil, err
		}
		path, body = path+parameters, nil
	}
	in, err := http.NewRequestWithContext(s.ctx, q.Method, path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	in.RequestURI, in.RemoteAddr = path, "nats:0"
	if len(body) > 0 {
		in.Header.Set("Content-Type", "application/json")
	}
	for _, name := range requestHeaders {
		if values := headers.Values(name); len(values) > 0 {
			in.Header[http.CanonicalHeaderKey(name)] = values
		}
	}
	return in, nil
}

var errParameters = errors.New("the body of a query must be empty, or a JSON object with texts, numbers and truth values by the names of its parameters")

// parametersIn is the part of a URL behind its path that says what a query's body says.
func parametersIn(body []byte) (string, error) {
	if len(body) == 0 {
		return "", nil
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var object map[string]any
	if err := d.Decode(&object); err != nil || object == nil || d.More() {
		return "", errParameters
	}
	values := url.Values{}
	for name, value := range object {
		switch value.(type) {
		case string, json.Number, bool:
			values.Set(name, fmt.Sprint(value))
		default:
			return "", errParameters
		}
	}
	return "?" + values.Encode(), nil
}
