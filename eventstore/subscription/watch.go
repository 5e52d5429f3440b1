package subscription

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/admitone/admitone/eventstore"
	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"
)

// Watch tells those who wait in this process that an aggregate's version is in the
// stream, whoever appended it. It reads the headers of what the stream has stored,
// by one consumer for the process; nothing is kept or acknowledged. Safe for
// concurrent use.
type Watch struct {
	stream  *eventstore.Stream
	log     *slog.Logger
	waiters *Waiters[uuid.UUID]
	started chan struct{}
	next    atomic.Uint64 // the sequence to go on from; 0: what is appended next
}

// NewWatch prepares a watch of what is appended from Run on.
func NewWatch(stream *eventstore.Stream, log *slog.Logger) *Watch {
	return &Watch{stream: stream, log: log, waiters: NewWaiters[uuid.UUID](), started: make(chan struct{})}
}

// Wait returns a channel that is closed when version is stored after the call, or
// may have been (the watch has begun anew): look, and wait again. Call forget at the
// end. What was stored before the call is not signalled, so look once after it.
func (w *Watch) Wait(id uuid.UUID, version uint64) (reached <-chan struct{}, forget func()) {
	return w.waiters.Wait(id, version)
}

// Started is closed when Run follows the stream for the first time.
func (w *Watch) Started() <-chan struct{} { return w.started }

// Run follows the stream until ctx ends, through reconnections of any length.
func (w *Watch) Run(ctx context.Context) error {
	for started := w.started; ctx.Err() == nil; started = nil {
		if err := w.follow(ctx, started); err != nil && ctx.Err() == nil {
			w.log.Warn("watch interrupted, starting again", "stream", w.stream.Name(), "cause", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(retryAfter):
		}
	}
	return nil
}

// follow reads on until something goes wrong.
func (w *Watch) follow(ctx context.Context, started chan struct{}) error {
	if w.next.Load() == 0 {
		state, err := w.stream.State(ctx)
		if err != nil {
			return err
		}
		w.next.Store(state.LastSequence + 1)
	}
	cons, err := w.stream.JetStream().OrderedConsumer(ctx, w.stream.Name(), jetstream.OrderedConsumerConfig{
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: w.next.Load(), HeadersOnly: true,
	})
	if err != nil {
		return fmt.Errorf("subscription: watch %s: %w", w.stream.Name(), err)
	}
	broken := make(chan error, 1)
	cc, err := cons.Consume(w.signal, jetstream.PullExpiry(pullExpiry), jetstream.PullHeartbeat(pullExpiry/4),
		jetstream.ConsumeErrHandler(func(_ jetstream.ConsumeContext, err error) {
			select {
			case broken <- err:
			default:
			}
		}))
	if err != nil {
		return fmt.Errorf("subscription: watch %s: %w", w.stream.Name(), err)
	}
	defer func() {
		cc.Stop()
		<-cc.Closed()
	}()
	w.waiters.WakeAll()
	if started != nil {
		close(started)
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case err := <-broken:
		return err
	}
}

func (w *Watch) signal(m jetstream.Msg) {
	if meta, err := m.Metadata(); err == nil {
		w.next.Store(meta.Sequence.Stream + 1)
	}
	pos, err := w.stream.Position(eventstore.Message{Subject: m.Subject(), Header: m.Headers()})
	if err == nil {
		w.waiters.Reached(pos.Aggregate, pos.Version)
	}
}
