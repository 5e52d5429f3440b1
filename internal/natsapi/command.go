package natsapi

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"

	"github.com/admitone/admitone/api"
	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
)

// Headers that a request and an answer have over NATS as over HTTP.
var (
	requestHeaders = []string{"Authorization", "Idempotency-Key", "If-Match", "Prefer", "Consistency-Token", "X-Request-Id", "Traceparent"}
	answerHeaders  = []string{"Content-Type", "Location", "ETag", "Consistency-Token", "Retry-After", "Www-Authenticate", "X-Request-Id"}
)

// endpointName: the framework allows no dots.
func endpointName(command string) string { return strings.ReplaceAll(command, ".", "-") }

// command hands each request to a goroutine of its own, while there is room.
func (s *Server) command(c api.Command) micro.Handler {
	return micro.HandlerFunc(func(r micro.Request) {
		s.room <- struct{}{}
		s.wg.Go(func() {
			defer func() { <-s.room }()
			s.answer(c, r)
		})
	})
}

// answer lets the HTTP handler answer.
func (s *Server) answer(c api.Command, r micro.Request) {
	in, err := s.request(c, r)
	if err != nil {
		s.respond(r, r.Error("500", "the request could not be passed on", nil))
		return
	}
	out := &recorder{header: http.Header{}, status: http.StatusOK}
	s.cfg.Commands.ServeHTTP(out, in)
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
func (s *Server) request(c api.Command, r micro.Request) (*http.Request, error) {
	headers := nats.Header(r.Headers())
	path := c.Path
	if strings.Contains(path, "{id}") {
		target := headers.Get(api.HeaderTarget)
		if _, err := uuid.Parse(target); err != nil {
			target = "-"
		}
		path = strings.Replace(path, "{id}", target, 1)
	}
	in, err := http.NewRequestWithContext(s.ctx, c.Method, path, bytes.NewReader(r.Data()))
	if err != nil {
		return nil, err
	}
	in.RequestURI, in.RemoteAddr = path, "nats:0"
	if len(r.Data()) > 0 {
		in.Header.Set("Content-Type", "application/json")
	}
	for _, name := range requestHeaders {
		if values := headers.Values(name); len(values) > 0 {
			in.Header[http.CanonicalHeaderKey(name)] = values
		}
	}
	return in, nil
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
