// Package control lets the subcommands ask a running server over NATS: one
// subject for each operation, JSON both ways, progress while it lasts. The server
// registers operations, a subcommand calls them. It imports nats.go alone.
package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// Subjects and headers of the protocol. A request gets any number of replies
// with the status "progress" and then one with "done" or "error".
const (
	prefix         = "admitone.control."
	headerStatus   = "Admitone-Status"
	statusProgress = "progress"
	statusDone     = "done"
	statusError    = "error"
)

// Timing of the protocol.
const (
	heartbeat = time.Second      // the server sends something at least this often
	silence   = 10 * time.Second // the client gives up after so long without a word
)

// ErrNoServer: nobody answers.
var ErrNoServer = errors.New("no running server answers")

// Operation answers one request. progress may be called from one goroutine.
type Operation func(ctx context.Context, request json.RawMessage, progress func(any)) (any, error)

// Server answers operations until it is closed.
type Server struct {
	nc     *nats.Conn
	log    *slog.Logger
	subs   []*nats.Subscription
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

// Serve registers operations by name. Copies share the requests.
func Serve(nc *nats.Conn, log *slog.Logger, operations map[string]Operation) (*Server, error) {
	ctx, cancel := context.WithCancel(context.Background())
	s := &Server{nc: nc, log: log, ctx: ctx, cancel: cancel}
	for name, op := range operations {
		sub, err := nc.QueueSubscribe(prefix+name, "control", func(m *nats.Msg) {
			s.wg.Go(func() { s.answer(name, op, m) })
		})
		if err != nil {
			s.Close()
			return nil, fmt.Errorf("control: serve %s: %w", name, err)
		}
		s.subs = append(s.subs, sub)
	}
	return s, nil
}

// Close stops answering; operations under way are cancelled and waited for.
func (s *Server) Close() {
	for _, sub := range s.subs {
		_ = sub.Unsubscribe()
	}
	s.cancel()
	s.wg.Wait()
}

func (s *Server) answer(name string, op Operation, m *nats.Msg) {
	var mu sync.Mutex
	var last any
	send := func(status string, body any) {
		mu.Lock()
		defer mu.Unlock()
		last = body
		s.send(m, status, body)
	}
	ctx, cancel := context.WithCancel(s.ctx)
	beat := make(chan struct{})
	go func() {
		defer close(beat)
		tick := time.NewTicker(heartbeat)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				mu.Lock()
				s.send(m, statusProgress, last)
				mu.Unlock()
			}
		}
	}()
	result, err := op(ctx, m.Data, func(p any) { send(statusProgress, p) })
	cancel()
	<-beat
	if err != nil {
		s.log.Warn("control operation failed", "operation", name, "cause", err)
		send(statusError, err.Error())
		return
	}
	send(statusDone, result)
}

func (s *Server) send(m *nats.Msg, status string, body any) {
	data, err := json.Marshal(body)
	if err != nil {
		data, status = []byte(`"the answer could not be encoded"`), statusError
	}
	reply := nats.NewMsg(m.Reply)
	reply.Header.Set(headerStatus, status)
	reply.Data = data
	if err := s.nc.PublishMsg(reply); err != nil {
		s.log.Debug("control reply not sent", "cause", err)
	}
}

// Call asks the running server and decodes its answer into result. progress, if
// not nil, gets each report on the way. ErrNoServer, or the server's own words.
func Call(ctx context.Context, nc *nats.Conn, operation string, request, result any, progress func(json.RawMessage)) error {
	body, err := json.Marshal(request)
	if err != nil {
		return fmt.Errorf("control: encode %s: %w", operation, err)
	}
	inbox := nc.NewRespInbox()
	sub, err := nc.SubscribeSync(inbox)
	if err != nil {
		return fmt.Errorf("control: %s: %w", operation, err)
	}
	defer func() { _ = sub.Unsubscribe() }()
	if err := nc.PublishRequest(prefix+operation, inbox, body); err != nil {
		return fmt.Errorf("control: %s: %w", operation, err)
	}
	for {
		wait, cancel := context.WithTimeout(ctx, silence)
		m, err := sub.NextMsgWithContext(wait)
		cancel()
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, context.DeadlineExceeded) || errors.Is(err, nats.ErrNoResponders):
			return fmt.Errorf("control: %s: %w", operation, ErrNoServer)
		case err != nil:
			return fmt.Errorf("control: %s: %w", operation, err)
		}
		switch m.Header.Get(headerStatus) {
		case statusProgress:
			if progress != nil && string(m.Data) != "null" {
				progress(m.Data)
			}
		case statusError:
			var text string
			_ = json.Unmarshal(m.Data, &text)
			return errors.New(text)
		default:
			if err := json.Unmarshal(m.Data, result); err != nil {
				return fmt.Errorf("control: decode the answer of %s: %w", operation, err)
			}
			return nil
		}
	}
}
