package eventstore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"

	"github.com/nats-io/nats.go"
)

// Why a request has no answer.
var (
	errNotSent      = errors.New("not sent")        // certain
	errNoResponders = errors.New("no responders")   // certain: nothing took the request
	errCut          = errors.New("connection lost") // the request may have arrived
)

// replies receives the answers to a stream's requests on one subscription. Other
// than nats.go's own requests, one request may have many answers, and all that
// wait learn at once that the connection broke.
type replies struct {
	nc     *nats.Conn
	prefix string

	mu    sync.Mutex
	calls map[string]*call
	next  uint64
}

// call is one request that waits. take sees each answer, in order, and says when
// it was the last one.
type call struct {
	subject string
	take    func(*nats.Msg) (last bool)
	done    chan error
}

func newReplies(nc *nats.Conn) (*replies, error) {
	r := &replies{nc: nc, prefix: nc.NewInbox() + ".", calls: map[string]*call{}}
	sub, err := nc.Subscribe(r.prefix+"*", r.receive)
	if err != nil {
		return nil, fmt.Errorf("subscribe to replies: %w", err)
	}
	// Answers are asked for, so they are bounded by the requests.
	if err := sub.SetPendingLimits(-1, -1); err != nil {
		return nil, fmt.Errorf("subscribe to replies: %w", err)
	}
	go r.watch(nc.StatusChanged(nats.DISCONNECTED, nats.RECONNECTING, nats.CLOSED))
	return r, nil
}

// watch fails all that wait whenever the connection breaks; it ends with the connection.
func (r *replies) watch(changes chan nats.Status) {
	defer r.nc.RemoveStatusListener(changes)
	for !r.nc.IsClosed() {
		if status := <-changes; status == nats.CLOSED {
			break
		}
		r.failAll()
	}
	r.failAll()
}

func (r *replies) failAll() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for subject, c := range r.calls {
		delete(r.calls, subject)
		c.done <- errCut
	}
}

func (r *replies) receive(m *nats.Msg) {
	r.mu.Lock()
	c := r.calls[m.Subject]
	r.mu.Unlock()
	if c == nil {
		return
	}
	noResponders := len(m.Data) == 0 && first(m.Header, headerStatus) == "503"
	if !noResponders && !c.take(m) {
		return
	}
	if !r.forget(c) {
		return
	}
	if noResponders {
		c.done <- errNoResponders
		return
	}
	c.done <- nil
}

// begin registers a request before it is sent.
func (r *replies) begin(take func(*nats.Msg) bool) *call {
	c := &call{take: take, done: make(chan error, 1)}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.next++
	c.subject = r.prefix + strconv.FormatUint(r.next, 36)
	r.calls[c.subject] = c
	return c
}

// forget says whether the call still waited.
func (r *replies) forget(c *call) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, waited := r.calls[c.subject]
	delete(r.calls, c.subject)
	return waited
}

// wait blocks until the last answer, a broken connection, or the end of ctx.
func (r *replies) wait(ctx context.Context, c *call) error {
	select {
	case err := <-c.done:
		return err
	case <-ctx.Done():
		r.forget(c)
		return ctx.Err()
	}
}

// ask sends a request with one answer.
func (r *replies) ask(ctx context.Context, subject string, header nats.Header, data []byte) (*nats.Msg, error) {
	var answer *nats.Msg
	c := r.begin(func(m *nats.Msg) bool {
		answer = m
		return true
	})
	err := r.send(&nats.Msg{Subject: subject, Reply: c.subject, Header: header, Data: data})
	if err != nil {
		r.forget(c)
		return nil, err
	}
	if err := r.wait(ctx, c); err != nil {
		return nil, err
	}
	return answer, nil
}

// send publishes. errNotSent is certain; after any other error the message may
// have left.
func (r *replies) send(m *nats.Msg) error {
	err := r.nc.PublishMsg(m)
	if err == nil {
		return nil
	}
	for _, certain := range []error{
		nats.ErrReconnectBufExceeded, nats.ErrConnectionClosed, nats.ErrConnectionDraining,
		nats.ErrMaxPayload, nats.ErrBadSubject, nats.ErrBadHeaderMsg,
	} {
		if errors.Is(err, certain) {
			return fmt.Errorf("%w: %w", errNotSent, err)
		}
	}
	return fmt.Errorf("%w: %w", errCut, err)
}
