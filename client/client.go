// Package client sends AdmitOne's commands, and asks its queries, over NATS
// request-reply, for services that are connected to the same broker and need no
// address. A copy that is free answers; one that dies in the middle is made up for by
// sending the request again: a command under the same idempotency key, which takes
// effect once. While the connection is cut off, requests wait for it.
//
// It imports api and nats.go.
package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/admitone/admitone/api"
	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/retrypolicy"
	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
)

// ErrUnavailable: no copy answered before the context ended. The command may have
// taken effect: sent again with the same IdempotencyKey, it still does so once.
var ErrUnavailable = errors.New("no copy of AdmitOne answers")

// Problem is a refusal or fault, as RFC 9457 has it. Branch on Code.
type Problem api.Problem

func (p *Problem) Error() string { return fmt.Sprintf("%s (%d %s)", p.Detail, p.Status, p.Code) }

// Reply is a resource after a command.
type Reply[T any] struct {
	Resource         T
	ETag             string // for IfMatch
	ConsistencyToken string // for After, and for queries over HTTP
	Location         string // the path over HTTP
}

// Client sends requests as one account. Safe for concurrent use.
type Client struct {
	nc    *nats.Conn
	token string
	retry failsafe.Executor[*nats.Msg]
}

// Pauses between two attempts.
const (
	firstPause = 50 * time.Millisecond
	lastPause  = 2 * time.Second
	// attemptFor is how long one attempt waits for its answer: as long as a copy
	// may take, and a little more.
	attemptFor = 35 * time.Second
)

// New returns a client that acts as the account of an access token (admitone token
// mints one).
func New(nc *nats.Conn, token string) *Client {
	policy := retrypolicy.NewBuilder[*nats.Msg]().HandleErrors(errAgain).
		WithBackoff(firstPause, lastPause).WithJitterFactor(0.25).WithMaxRetries(-1).Build()
	return &Client{nc: nc, token: token, retry: failsafe.With[*nats.Msg](policy)}
}

// Do sends any command: name as in the contract ("ticket.withdraw"), target the id
// of the resource where it concerns one that exists, body what is sent as JSON, or
// nil. It tries again until ctx ends, so give ctx a deadline. A *Problem,
// ErrUnavailable, or what is wrong with the connection or the message itself.
func Do[T any](ctx context.Context, c *Client, name string, target uuid.UUID, body any, options ...Option) (Reply[T], error) {
	options = append([]Option{IdempotencyKey(uuid.NewString())}, options...)
	return exchange[T](ctx, c, api.CommandSubject+name, target, body, attemptFor, options)
}

// Ask asks any query that the contract offers over NATS: name as it stands there
// ("conversation.get"), target the id of the resource where it concerns one, parameters
// an object of those that stand in the URL over HTTP, or nil. Otherwise it is as Do.
func Ask[T any](ctx context.Context, c *Client, name string, target uuid.UUID, parameters any, options ...Option) (Reply[T], error) {
	return exchange[T](ctx, c, api.QuerySubject+name, target, parameters, attemptFor, options)
}

// exchange makes attempts until one is answered or ctx ends.
func exchange[T any](
	ctx context.Context, c *Client, name string, target uuid.UUID, body any, attemptFor time.Duration, options []Option,
) (Reply[T], error) {
	request, err := c.request(name, target, body, options)
	if err != nil {
		return Reply[T]{}, fmt.Errorf("client: %s: %w", name, err)
	}
	var last error
	answer, err := c.retry.WithContext(ctx).Get(func() (*nats.Msg, error) {
		var m *nats.Msg
		m, last = c.attempt(ctx, request, attemptFor)
		return m, last
	})
	switch {
	case err == nil:
		return read[T](name, answer)
	case ctx.Err() == nil:
		return Reply[T]{}, fmt.Errorf("client: %s: not sent: %w", name, err)
	}
	return Reply[T]{}, fmt.Errorf("client: %s: %w: %w", name, ErrUnavailable, errors.Join(ctx.Err(), last))
}

func (c *Client) request(subject string, target uuid.UUID, body any, options []Option) (*nats.Msg, error) {
	m := nats.NewMsg(subject)
	m.Header.Set("Authorization", "Bearer "+c.token)
	if target != uuid.Nil {
		m.Header.Set(api.HeaderTarget, target.String())
	}
	for _, o := range options {
		o(m.Header)
	}
	if body == nil {
		return m, nil
	}
	var err error
	m.Data, err = json.Marshal(body)
	return m, err
}

func status(m *nats.Msg) int {
	n, _ := strconv.Atoi(m.Header.Get(api.HeaderStatus))
	return n
}

func read[T any](name string, m *nats.Msg) (Reply[T], error) {
	r := Reply[T]{ETag: m.Header.Get("ETag"), ConsistencyToken: m.Header.Get("Consistency-Token"), Location: m.Header.Get("Location")}
	if s := status(m); s < 200 || s > 299 {
		return r, fmt.Errorf("client: %s: %w", name, problemOf(m))
	}
	if err := json.Unmarshal(m.Data, &r.Resource); err != nil {
		return r, fmt.Errorf("client: %s: the answer cannot be read: %w", name, err)
	}
	return r, nil
}

func problemOf(m *nats.Msg) error {
	var p Problem
	if err := json.Unmarshal(m.Data, &p); err != nil || p.Status == 0 {
		p = Problem{Status: status(m), Code: "unreadable", Detail: "the answer cannot be read: " + string(m.Data)}
	}
	return &p
}
