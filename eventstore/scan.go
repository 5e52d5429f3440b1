package eventstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	scanAhead     = 2048             // messages asked of the broker before fn took them
	scanHeartbeat = 2 * time.Second  // of the ordered consumer
	scanForgotten = 30 * time.Second // after which the server removes the consumer of a scan that is over
	scanLook      = time.Second      // how often a scan without progress asks for the stream's state
)

// Scan calls fn, from one goroutine at a time, for each aggregate's message in
// stream order with from ≤ sequence ≤ to, and returns when to is passed, or the
// end that the stream had when Scan was called. It reads by an ordered consumer
// that re-creates itself after lost heartbeats and connections. An error of fn
// ends it and is returned; ErrLogChanged when the stream is replaced or shortened
// meanwhile.
func (s *Stream) Scan(ctx context.Context, from, to uint64, fn func(Message) error) error {
	return s.scan(ctx, "", from, to, fn)
}

// ScanPartition is Scan for the aggregates of one partition alone.
func (s *Stream) ScanPartition(ctx context.Context, partition int, from, to uint64, fn func(Message) error) error {
	return s.scan(ctx, s.Filter(partition), from, to, fn)
}

func (s *Stream) scan(ctx context.Context, filter string, from, to uint64, fn func(Message) error) error {
	state, err := s.State(ctx)
	if err != nil {
		return err
	}
	if err := s.sameLog(state, 0); err != nil {
		return err
	}
	from, to = max(from, state.FirstSequence, 1), min(to, state.LastSequence)
	if from > to || state.Messages == 0 {
		return nil
	}
	sc := &scan{stream: s, filter: filter, next: from, to: to, fn: fn, done: make(chan struct{}), dry: make(chan struct{}, 1)}
	for {
		finished, err := sc.consume(ctx)
		if finished || err != nil {
			return err
		}
	}
}

func (s *Stream) sameLog(state StreamState, to uint64) error {
	if !state.Created.Equal(s.created) {
		return fmt.Errorf("eventstore: scan %s: %w: it was created anew at %s", s.cfg.Name, ErrLogChanged, state.Created.Format(time.RFC3339))
	}
	if state.LastSequence < to {
		return fmt.Errorf("eventstore: scan %s: %w: it ends at sequence %d and had %d", s.cfg.Name, ErrLogChanged, state.LastSequence, to)
	}
	return nil
}

// scan is the progress of one Scan over any number of consumers.
type scan struct {
	stream *Stream
	filter string // empty: the whole stream
	to     uint64
	fn     func(Message) error
	done   chan struct{} // closed at the end, or when fn failed
	dry    chan struct{} // the consumer has nothing more for now

	mu    sync.Mutex // held while fn runs
	next  uint64
	ended bool
	err   error
}

// consume reads with one ordered consumer until the end, or until it seems stuck.
func (sc *scan) consume(ctx context.Context) (finished bool, err error) {
	s := sc.stream
	cfg := jetstream.OrderedConsumerConfig{
		DeliverPolicy:     jetstream.DeliverByStartSequencePolicy,
		OptStartSeq:       sc.position(),
		InactiveThreshold: scanForgotten,
	}
	if sc.filter != "" {
		cfg.FilterSubjects = []string{sc.filter}
	}
	cons, err := s.js.OrderedConsumer(ctx, s.cfg.Name, cfg)
	if err != nil {
		return false, sc.pause(ctx, err)
	}
	if info := cons.CachedInfo(); info != nil && info.NumPending == 0 {
		sc.runDry()
	}
	cc, err := cons.Consume(sc.take, jetstream.PullMaxMessages(scanAhead), jetstream.PullHeartbeat(scanHeartbeat))
	if err != nil {
		return false, sc.pause(ctx, err)
	}
	defer cc.Stop()
	look := time.NewTicker(scanLook)
	defer look.Stop()
	before, still := uint64(0), 0
	for {
		select {
		case <-ctx.Done():
			sc.end(ctx.Err())
			return true, sc.result()
		case <-sc.done:
			return true, sc.result()
		case <-sc.dry:
		case <-look.C:
			still++
		}
		now := sc.position()
		if now != before {
			before, still = now, 0
		}
		if finished, err := sc.look(ctx, now); finished || err != nil {
			sc.end(err)
			return true, sc.result()
		}
		if still >= stuckLooks {
			return false, nil
		}
	}
}

// stuckLooks is after how many looks without progress a consumer is replaced. fn
// may be the one who is slow; a new consumer goes on at the same place.
const stuckLooks = 10

func (sc *scan) result() error {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	return sc.err
}

func (sc *scan) position() uint64 {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	return sc.next
}

// end marks the scan as over; the first cause stays.
func (sc *scan) end(err error) {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	sc.endLocked(err)
}

func (sc *scan) endLocked(err error) {
	if !sc.ended {
		sc.ended, sc.err = true, err
		close(sc.done)
	}
}

// look asks the leader whether the rest of the log is still there, and whether
// anything is left to deliver: to may be on no message, and a consumer on a
// replica that lags may say too soon that it has no more.
func (sc *scan) look(ctx context.Context, next uint64) (finished bool, err error) {
	state, err := sc.stream.State(ctx)
	if errors.Is(err, ErrLogChanged) {
		return false, err
	}
	if err != nil {
		return false, nil // the broker is away; the consumer waits for it
	}
	if err := sc.stream.sameLog(state, sc.to); err != nil {
		return false, err
	}
	m, err := sc.stream.fromLeader(ctx, messageRequest{Sequence: next, NextFor: cmp.Or(sc.filter, ">")})
	if err != nil {
		return false, nil
	}
	return m == nil || m.Sequence > sc.to, nil
}

func (sc *scan) pause(ctx context.Context, cause error) error {
	if _, err := sc.look(ctx, sc.position()); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return fmt.Errorf("eventstore: scan %s: %w: %w (%w)", sc.stream.cfg.Name, ErrUnavailable, ctx.Err(), cause)
	case <-time.After(scanLook):
		return nil
	}
}

// take runs in the consumer's goroutine; the lock keeps a replaced consumer's
// last message apart from the next consumer's first.
func (sc *scan) take(m jetstream.Msg) {
	r, ok := ReceiptOf(m.Reply())
	sc.mu.Lock()
	defer sc.mu.Unlock()
	if !ok || sc.ended || r.Sequence < sc.next {
		return
	}
	if r.Sequence <= sc.to && sc.stream.onAggregate(m.Subject()) {
		err := sc.fn(Message{Subject: m.Subject(), Sequence: r.Sequence, Stored: r.Stored, Header: m.Headers(), Data: m.Data()})
		if err != nil {
			sc.endLocked(err)
			return
		}
	}
	sc.next = r.Sequence + 1
	switch {
	case r.Sequence >= sc.to:
		sc.endLocked(nil)
	case r.Pending == 0:
		sc.runDry()
	}
}

func (sc *scan) runDry() {
	select {
	case sc.dry <- struct{}{}:
	default:
	}
}
