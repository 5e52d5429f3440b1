package timers

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/retrypolicy"
	"github.com/nats-io/nats.go/jetstream"
)

// Fired is a timer whose time has come.
type Fired struct {
	Timer
	FiredAt time.Time // the broker's time, never before At
}

// Handler deals with a timer that is due. It may be called again for the same one,
// also by another copy at the same time; nil means that it is dealt with.
type Handler func(ctx context.Context, f Fired) error

// Settings of the consumer of due timers, which all copies share.
const (
	ackWait       = 5 * time.Second // after which another copy gets what a dead one had
	maxAckPending = 4096
	pullAhead     = 512
	pullExpiry    = 8 * time.Second
	retryAfter    = 250 * time.Millisecond
	firstDelay    = 50 * time.Millisecond
	longestDelay  = 2 * time.Second
)

// listener handles the due timers of one kind in this process.
type listener struct {
	*Timers
	kind    string
	handler Handler
	started func()
	retry   failsafe.Executor[any]
	wg      sync.WaitGroup
	places  chan struct{} // bounds what is busy

	mu   sync.Mutex
	busy map[uint64]jetstream.Msg // by sequence: waited out or handled just now
}

// Run hands due timers of a kind to handler until ctx ends, as many at once as there
// are slots, and waits for those. Errors of handler are retried for ever, with a
// growing delay, and so is what the broker fails at. First it looks for what was left
// unhandled before. started, unless nil, is called once, when due timers begin to come.
func (t *Timers) Run(ctx context.Context, kind string, handler Handler, started func()) error {
	if !kindForm.MatchString(kind) {
		return fmt.Errorf("timers: kind %q must match %s", kind, kindForm)
	}
	l := &listener{Timers: t, kind: kind, handler: handler, places: make(chan struct{}, maxAckPending), busy: map[uint64]jetstream.Msg{}}
	if l.started = func() {}; started != nil {
		l.started = sync.OnceFunc(started)
	}
	l.retry = failsafe.With(retrypolicy.NewBuilder[any]().WithMaxRetries(-1).
		WithBackoff(firstDelay, longestDelay).WithJitterFactor(0.3).OnRetryScheduled(l.logFirst).Build())
	defer l.wg.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	l.wg.Go(func() { l.extend(ctx) })
	l.wg.Go(func() { l.startUp(ctx) })
	for ctx.Err() == nil {
		if err := l.consume(ctx); ctx.Err() == nil {
			t.log.Warn("due timers interrupted, starting again", "kind", kind, "cause", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(retryAfter):
		}
	}
	return nil
}

func (l *listener) logFirst(e failsafe.ExecutionScheduledEvent[any]) {
	if e.Attempts() == 1 {
		l.log.Warn("due timers: trying again", "kind", l.kind, "cause", e.LastError())
	}
}

// startUp deals with what an earlier run left: due timers that were delivered and
// not removed, and such as the broker has not fired.
func (l *listener) startUp(ctx context.Context) {
	l.wg.Go(func() {
		_ = l.retry.WithContext(ctx).Run(func() error { return l.rearm(ctx, l.kind) })
	})
	_ = l.retry.WithContext(ctx).Run(func() error {
		return l.each(ctx, dueSubjects(l.kind), func(m jetstream.Msg) error {
			l.take(ctx, m)
			return nil
		})
	})
}

// consume takes due timers until something goes wrong.
func (l *listener) consume(ctx context.Context) error {
	cons, err := l.stream.CreateOrUpdateConsumer(ctx, jetstream.ConsumerConfig{
		Durable: "due_" + l.kind, FilterSubject: dueSubjects(l.kind),
		AckPolicy: jetstream.AckExplicitPolicy, AckWait: ackWait, MaxDeliver: -1, MaxAckPending: maxAckPending,
	})
	if err != nil {
		return failed("open consumer of "+dueSubjects(l.kind), err)
	}
	broken := make(chan error, 1)
	cc, err := cons.Consume(
		func(m jetstream.Msg) { l.take(ctx, m) },
		jetstream.PullMaxMessages(pullAhead), jetstream.PullExpiry(pullExpiry), jetstream.PullHeartbeat(pullExpiry/4),
		jetstream.ConsumeErrHandler(func(_ jetstream.ConsumeContext, err error) {
			select {
			case broken <- err:
			default:
			}
		}))
	if err != nil {
		return failed("consume "+dueSubjects(l.kind), err)
	}
	defer func() {
		cc.Stop()
		<-cc.Closed()
	}()
	l.started()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case err := <-broken:
		return err
	}
}

// take starts to handle a due timer, unless that is under way.
func (l *listener) take(ctx context.Context, m jetstream.Msg) {
	timer, meta, err := read(m)
	if err != nil {
		l.log.Error("due timer cannot be read, it is left alone", "subject", m.Subject(), "cause", err)
		_ = m.Term()
		return
	}
	if !l.begin(ctx, meta.Sequence.Stream, m) {
		return
	}
	l.wg.Go(func() {
		defer l.done(meta.Sequence.Stream)
		l.handle(ctx, m, Fired{Timer: timer, FiredAt: later(meta.Timestamp, timer.At).UTC()}, meta)
	})
}

// begin blocks while too many are under way: that is what slows the pull.
func (l *listener) begin(ctx context.Context, sequence uint64, m jetstream.Msg) bool {
	select {
	case <-ctx.Done():
		return false
	case l.places <- struct{}{}:
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, busy := l.busy[sequence]; busy {
		<-l.places
		return false
	}
	l.busy[sequence] = m
	return true
}

func (l *listener) done(sequence uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.busy, sequence)
	<-l.places
}

// handle waits out what the broker was early, and removes the timer once it is
// handled: just that one, since it may have been set and fired again.
func (l *listener) handle(ctx context.Context, m jetstream.Msg, f Fired, meta *jetstream.MsgMetadata) {
	select {
	case <-ctx.Done():
		return
	case <-time.After(f.At.Sub(meta.Timestamp)):
	}
	err := l.retry.WithContext(ctx).Run(func() error { return l.attempt(ctx, f) })
	if err == nil {
		err = l.retry.WithContext(ctx).Run(func() error { return l.remove(ctx, f, meta.Sequence.Stream) })
	}
	if err == nil {
		_ = m.Ack()
	}
}

// attempt calls the handler in one of the slots, which it does not keep while it waits
// for the next attempt: a timer that cannot be handled holds up no other one.
func (l *listener) attempt(ctx context.Context, f Fired) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case l.slots <- struct{}{}:
		defer func() { <-l.slots }()
	}
	return l.handler(ctx, f)
}

func (l *listener) remove(ctx context.Context, f Fired, sequence uint64) error {
	err := l.stream.Purge(ctx, jetstream.WithPurgeSubject(dueSubject(f.Kind, f.ID)), jetstream.WithPurgeSequence(sequence+1))
	if err != nil {
		return failed(fmt.Sprintf("remove %s %s, which is handled", f.Kind, f.ID), err)
	}
	return nil
}

// extend keeps what is under way from being delivered again.
func (l *listener) extend(ctx context.Context) {
	tick := time.NewTicker(ackWait / 3)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			for _, m := range l.held() {
				_ = m.InProgress()
			}
		}
	}
}

func (l *listener) held() (messages []jetstream.Msg) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, m := range l.busy {
		messages = append(messages, m)
	}
	return messages
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
