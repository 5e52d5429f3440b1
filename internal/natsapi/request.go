package natsapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/admitone/admitone/api"
	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
)

// Headers that a request and an answer have over NATS as over HTTP.
var (
	requestHeaders = []string{"Authorization", "Idempotency-Key", "If-Match", "If-None-Match", "Prefer", "Consistency-Token", "X-Request-Id", "Traceparent"}
	answerHeaders  = []string{"Content-Type", "Location", "ETag", "Consistency-Token", "Retry-After", "Www-Authenticate", "X-Request-Id"}
)

// inquiry is one operation as this copy answers it.
type inquiry struct {
	api.Operation
	subject string
	query   bool
	room    chan struct{} // to answer in
}

// endpointName: the framework allows no dots.
func (q inquiry) endpointName() string { return strings.ReplaceAll(q.Name, ".", "-") }

// serve hands each request to a goroutine of its own, while there is room.
func (s *Server) serve(q inquiry) micro.Handler {
	return micro.HandlerFunc(func(r micro.Request) {
		q.room <- struct{}{}
		s.wg.Go(func() {
			defer func() { <-q.room }()
			s.answer(q, r)
		})
	})
}

// answer lets the HTTP handler answer.
func (s *Server) answer(q inquiry, r micro.Request) {
	out := &recorder{header: http.Header{}, status: http.StatusOK}
	in, err := s.request(q, r)
	switch {
	case errors.Is(err, errParameters):
		out.refuse(err)
	case err != nil:
		s.respond(r, r.Error("500", "the request could not be passed on", nil))
		return
	default:
		s.cfg.Requests.ServeHTTP(out, in)
	}
	headers := micro.Headers{api.HeaderStatus: {strconv.Itoa(out.status)}}
	for _, name := range answerHeaders {
		if values := out.header.Values(name); len(values) > 0 {
			headers[name] = values
		}
	}
	if out.status >= 400 {
		s.respond(r, r.Error(strconv.Itoa(out.status), http.StatusText(out.status), out.body.Bytes(), micro.WithHeaders(headers)))
		return
	}
	s.respond(r, r.Respond(out.body.Bytes(), micro.WithHeaders(headers)))
}

func (s *Server) respond(r micro.Request, err error) {
	if err != nil {
		s.cfg.Logger.Debug("answer over NATS not sent", "subject", r.Subject(), "cause", err)
	}
}

// request is the HTTP request that means the same. A target that is no UUID takes
// the place of one, to be refused there like any other.
func (s *Server) request(q inquiry, r micro.Request) (*http.Request, error) {
	headers := nats.Header(r.Headers())
	path, body := q.Path, r.Data()
	if strings.Contains(path, "{id}") {
		target := headers.Get(api.HeaderTarget)
		if _, err := uuid.Parse(target); err != nil {
			target = "-"
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

// recorder takes an answer.
type recorder struct {
	header  http.Header
	status  int
	body    bytes.Buffer
	written bool
}

func (r *recorder) Header() http.Header { return r.header }

func (r *recorder) WriteHeader(status int) {
	if !r.written {
		r.status, r.written = status, true
	}
}

func (r *recorder) Write(b []byte) (int, error) {
	r.written = true
	return r.body.Write(b)
}

// refuse answers in the HTTP handler's place.
func (r *recorder) refuse(err error) {
	r.status = http.StatusBadRequest
	r.header.Set("Content-Type", "application/problem+json")
	_ = json.NewEncoder(&r.body).Encode(api.Problem{
		Type: "urn:admitone:problem:malformed", Title: "Malformed request", Status: r.status, Code: "malformed", Detail: err.Error(),
	})
}
