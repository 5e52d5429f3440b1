package natsapi

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/admitone/admitone/api"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
)

// answerHeaders are those that an answer has over NATS as over HTTP.
var answerHeaders = []string{"Content-Type", "Location", "ETag", "Consistency-Token", "Retry-After", "Www-Authenticate", "X-Request-Id"}

// What is answered in the HTTP handler's place.
var (
	malformed = api.Problem{Status: http.StatusBadRequest, Code: "malformed", Title: "Malformed request", Detail: errParameters.Error()}
	tooLarge  = api.Problem{Status: http.StatusRequestEntityTooLarge, Code: "answer_too_large", Title: "Answer too large",
		Detail: "The answer is larger than a message of the broker may be. Ask for less of it, with a smaller limit, or over HTTP."}
	internal = api.Problem{Status: http.StatusInternalServerError, Code: "internal", Title: "Internal error",
		Detail: "The request could not be passed on. The server's log has the cause."}
	busy = api.Problem{Status: http.StatusServiceUnavailable, Code: "too_many_waiting", Title: "Too many are waiting",
		Detail: "This copy answers as many of these queries as it can. Ask again shortly; another copy may have room."}
)

// retryAfter is how many seconds somebody who finds no room is sent away for.
const retryAfter = "1"

// send answers a request. An answer that the broker would refuse becomes one that says
// so: whoever waited in vain would only ask for the same again.
func (s *Server) send(r micro.Request, out *recorder) {
	size := (&nats.Msg{Header: nats.Header(out.headers()), Data: out.body.Bytes()}).Size()
	if most := s.cfg.Conn.MaxPayload(); int64(size) > most {
		s.cfg.Logger.Warn("answer larger than a message of the broker may be", "subject", r.Subject(), "bytes", size, "max_payload", most)
		out = refusal(tooLarge)
	}
	// Not by r's own methods: they note errors in r, which the service reads when the
	// handler, here only the one that starts a goroutine, has returned.
	m := &nats.Msg{Subject: r.Reply(), Header: nats.Header(out.headers()), Data: out.body.Bytes()}
	if out.status >= 400 {
		m.Header[micro.ErrorCodeHeader] = []string{strconv.Itoa(out.status)}
		m.Header[micro.ErrorHeader] = []string{http.StatusText(out.status)}
	}
	if err := s.cfg.Conn.PublishMsg(m); err != nil {
		s.cfg.Logger.Debug("answer over NATS not sent", "subject", r.Subject(), "cause", err)
	}
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

// headers are those of the answer over NATS.
func (r *recorder) headers() micro.Headers {
	headers := micro.Headers{api.HeaderStatus: {strconv.Itoa(r.status)}}
	for _, name := range answerHeaders {
		if values := r.header.Values(name); len(values) > 0 {
			headers[name] = values
		}
	}
	return headers
}

// refusal is an answer with a problem.
func refusal(p api.Problem) *recorder {
	p.Type = "urn:admitone:problem:" + p.Code
	r := &recorder{header: http.Header{"Content-Type": {"application/problem+json"}}, status: p.Status}
	if p.Status == http.StatusServiceUnavailable {
		r.header.Set("Retry-After", retryAfter)
	}
	_ = json.NewEncoder(&r.body).Encode(p) // into memory
	return r
}

// about has it answer the same request as another one.
func (r *recorder) about(other *recorder) *recorder {
	r.header.Set("X-Request-Id", other.header.Get("X-Request-Id"))
	return r
}
