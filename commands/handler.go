package commands

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/admitone/admitone/eventstore"
	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/retrypolicy"
	"github.com/google/uuid"
	"github.com/maypok86/otter/v2"
)

// How often a command is decided again after another writer was first, and the
// delay before each: short, for the usual single rival, then growing past the lag
// of a replica. Half of each delay is left to chance.
const (
	maxRetries  = 5
	firstDelay  = 2 * time.Millisecond
	lastDelay   = 250 * time.Millisecond
	delayFactor = 3
	delayJitter = 0.5
)

// errStale: what was decided on is not the newest there is.
var errStale = errors.New("state was not current")

// Handler handles the commands of one kind of aggregate on one stream. Safe for
// concurrent use; commands on one aggregate take turns within the process (unless
// its cache entry is evicted between them, which costs a conflict and nothing else).
type Handler[S, C any] struct {
	stream    *eventstore.Stream
	snapshots *snapshotter // nil: none
	decider   Decider[S, C]
	cfg       Config
	cache     *otter.Cache[uuid.UUID, *entry[S]]
	retries   failsafe.Executor[any]
}

// entry is an aggregate's place in the cache. Whoever has put a token into turn
// may use the rest.
type entry[S any] struct {
	turn chan struct{}
	agg  *aggregate[S] // nil: to be loaded
	// wary is how many more decisions are preceded by a read of what is new, since another
	// writer was first: that costs less than a conflict, with which a group commit is
	// refused for all its writers.
	wary int
}

// waryFor is how many of these reads in a row may find nothing before they end.
const waryFor = 4

// New returns a handler. snapshots may be nil. Close it at the end.
func New[S, C any](stream *eventstore.Stream, snapshots *eventstore.Snapshots, d Decider[S, C], cfg Config) (*Handler[S, C], error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if stream == nil || d.Initial == nil || d.Decide == nil || d.Evolve == nil {
		return nil, errors.New("commands: a handler needs a stream and a decider with all three functions")
	}
	cfg = cfg.withDefaults()
	cache, err := otter.New(&otter.Options[uuid.UUID, *entry[S]]{MaximumSize: cfg.CacheSize})
	if err != nil {
		return nil, fmt.Errorf("commands: cache: %w", err)
	}
	policy := retrypolicy.NewBuilder[any]().HandleIf(func(_ any, err error) bool { return overtaken(err) }).
		WithMaxRetries(maxRetries).WithBackoffFactor(firstDelay, lastDelay, delayFactor).WithJitterFactor(delayJitter).Build()
	h := &Handler[S, C]{stream: stream, decider: d, cfg: cfg, cache: cache, retries: failsafe.With[any](policy)}
	if snapshots != nil && cfg.SnapshotEvery > 0 {
		h.snapshots = newSnapshotter(snapshots, stream, cfg)
	}
	return h, nil
}

// Close waits until the snapshots on their way are saved, or until ctx ends, and
// drops the rest. Commands may still be handled; they save no snapshot any more.
func (h *Handler[S, C]) Close(ctx context.Context) error {
	h.cache.StopAllGoroutines()
	if h.snapshots == nil {
		return nil
	}
	return h.snapshots.close(ctx)
}

// Handle decides and appends. It returns when the events are durable, or when
// the answer is final without any. Idempotent for the same command. Where ctx ends
// first, the command may have had its effect (eventstore.ErrUnknownOutcome): the
// same command, sent again, tells.
func (h *Handler[S, C]) Handle(ctx context.Context, cmd Command[C]) (Result[S], error) {
	if cmd.ID == uuid.Nil {
		return Result[S]{}, errors.New("commands: a command needs an id")
	}
	ctx, span := traced(ctx, &cmd)
	res, err := h.inTurn(ctx, cmd.Aggregate, func(e *entry[S]) (Result[S], error) { return h.attempt(ctx, e, cmd) })
	if err == nil && res.past {
		res, err = h.past(ctx, cmd.Aggregate, res)
	}
	endSpan(span, cmd.Aggregate, res.Version, err)
	return res, err
}

// inTurn makes attempts on what is cached of an aggregate, once nobody else in
// this process does.
func (h *Handler[S, C]) inTurn(ctx context.Context, id uuid.UUID, attempt func(*entry[S]) (Result[S], error)) (Result[S], error) {
	e := h.entry(id)
	select {
	case e.turn <- struct{}{}:
	case <-ctx.Done():
		return Result[S]{}, fmt.Errorf("commands: waiting for the turn on %s: %w", id, ctx.Err())
	}
	defer func() { <-e.turn }()

	res, err := attempt(e)
	if overtaken(err) {
		res, err = h.retry(ctx, e, id, err, attempt)
	}
	if e.agg == nil || e.agg.version == 0 {
		h.cache.Invalidate(id) // unreadable, or it does not exist: not worth a place
	} else if h.snapshots != nil {
		offer(h.snapshots, id, e.agg)
	}
	return res, err
}

func (h *Handler[S, C]) entry(id uuid.UUID) *entry[S] {
	if e, ok := h.cache.GetIfPresent(id); ok {
		return e
	}
	e, _ := h.cache.SetIfAbsent(id, &entry[S]{turn: make(chan struct{}, 1)})
	return e
}

// attempt handles the command on what is known now. Where overtaken(err), it may
// be tried again once more is known.
func (h *Handler[S, C]) attempt(ctx context.Context, e *entry[S], cmd Command[C]) (Result[S], error) {
	if err := h.prepare(ctx, e, cmd.Aggregate, cmd.Fresh); err != nil {
		return Result[S]{}, err
	}
	a := e.agg
	if done, ok := a.handled.find(cmd.ID); ok {
		return h.repeat(a, cmd, done)
	}
	if cmd.IfVersion != nil && *cmd.IfVersion != a.version {
		mismatch := &VersionMismatchError{Aggregate: cmd.Aggregate, Expected: *cmd.IfVersion, Actual: a.version}
		return Result[S]{}, h.confirm(ctx, e, cmd.Aggregate, mismatch)
	}
	payloads, err := h.decider.Decide(a.state, cmd.Body)
	if err != nil {
		return Result[S]{}, h.confirm(ctx, e, cmd.Aggregate, err)
	}
	if len(payloads) == 0 {
		return a.result(), h.confirm(ctx, e, cmd.Aggregate, nil)
	}
	if payloads, err = h.seal(ctx, cmd.Aggregate, a.state, payloads); err != nil {
		return Result[S]{}, h.confirm(ctx, e, cmd.Aggregate, err)
	}
	return h.append(ctx, e, cmd, payloads)
}

// prepare loads what is not cached, and reads what is new where another writer is
// likely to have been there.
func (h *Handler[S, C]) prepare(ctx context.Context, e *entry[S], id uuid.UUID, fresh bool) error {
	if e.agg == nil {
		return h.load(ctx, e, id, fresh)
	}
	if e.wary == 0 {
		return nil
	}
	before := e.agg.sequence
	if err := h.catchUp(ctx, e, id); err != nil {
		return err
	}
	if e.wary--; e.agg.sequence != before {
		e.wary = waryFor
	}
	return nil
}

// seal gives what was decided on a state the form in which it is written.
func (h *Handler[S, C]) seal(ctx context.Context, id uuid.UUID, state S, decided []eventstore.Payload) ([]eventstore.Payload, error) {
	if h.decider.Seal == nil {
		return decided, nil
	}
	sealed := make([]eventstore.Payload, len(decided))
	for i, p := range decided {
		var err error
		if sealed[i], err = h.decider.Seal(ctx, id, h.decider.Evolve(state, p), p); err != nil {
			return nil, err
		}
		state = h.decider.Evolve(state, sealed[i])
	}
	return sealed, nil
}

// retry goes on after an attempt that was overtaken: it tries again a few times, each
// time on what was read just before.
func (h *Handler[S, C]) retry(
	ctx context.Context, e *entry[S], id uuid.UUID, err error, attempt func(*entry[S]) (Result[S], error),
) (Result[S], error) {
	var res Result[S]
	// The outcome is kept here and not in the policy's result, which a context that
	// ends just after a successful attempt would hide.
	_ = h.retries.WithContext(ctx).RunWithExecution(func(x failsafe.Execution[any]) error {
		if x.IsFirstAttempt() {
			return err
		}
		e.wary = waryFor
		res, err = attempt(e)
		return err
	})
	switch {
	case !overtaken(err):
		return res, err
	case ctx.Err() != nil:
		return Result[S]{}, fmt.Errorf("commands: %s: nothing was appended: %w", id, ctx.Err())
	}
	return Result[S]{}, fmt.Errorf("commands: %s: %w: tried %d times, the last time: %w; nothing was appended, send it again",
		id, ErrContention, maxRetries+1, err)
}

func overtaken(err error) bool {
	return errors.Is(err, eventstore.ErrConflict) || errors.Is(err, errStale)
}

// Pauses before the leader is asked again that seems to have lost something.
const (
	firstAsk = 10 * time.Millisecond
	lastAsk  = 160 * time.Millisecond
)

// confirm returns answer, which appends nothing, when it was decided on all that
// the stream's leader has of the aggregate, and errStale when there is more.
func (h *Handler[S, C]) confirm(ctx context.Context, e *entry[S], id uuid.UUID, answer error) error {
	last, err := h.stream.LastSequence(ctx, id)
	// A follower that was read may be a moment ahead of its leader.
	for pause := firstAsk; err == nil && last < e.agg.sequence && pause <= lastAsk; pause *= 2 {
		select {
		case <-ctx.Done():
			return fmt.Errorf("commands: %s: is the answer current: %w", id, ctx.Err())
		case <-time.After(pause):
		}
		last, err = h.stream.LastSequence(ctx, id)
	}
	if err != nil {
		return fmt.Errorf("commands: %s: is the answer current: %w", id, err)
	}
	if last < e.agg.sequence {
		e.agg = nil
		return h.lostTail(id, last)
	}
	if last > e.agg.sequence {
		return errStale
	}
	return answer
}

// repeat answers as the command's first handling did.
func (h *Handler[S, C]) repeat(a *aggregate[S], cmd Command[C], done record) (Result[S], error) {
	if done.hash != hashOf(cmd.Hash) {
		return Result[S]{}, fmt.Errorf("commands: %s of %s: %w", cmd.ID, cmd.Aggregate, ErrKeyReused)
	}
	res := a.result()
	if done.last != a.version {
		res = Result[S]{Version: done.last, past: true}
	}
	res.Repeated = true
	return res, nil
}

// past reads the state of an earlier version. It may take long in a long history, and
// never changes, so nobody waits for a turn meanwhile.
func (h *Handler[S, C]) past(ctx context.Context, id uuid.UUID, of Result[S]) (Result[S], error) {
	var res Result[S]
	var err error
	// The outcome is kept here and not in the policy's result, which a context that
	// ends just after a successful attempt would hide.
	_ = h.retries.WithContext(ctx).Run(func() error {
		res, err = h.stateAt(ctx, id, of.Version)
		return err
	})
	if overtaken(err) {
		err = fmt.Errorf("commands: %s, version %d: %w: %w; nothing was appended, send it again", id, of.Version, ErrContention, err)
	}
	res.Repeated = of.Repeated
	return res, err
}

// append records what was decided.
func (h *Handler[S, C]) append(ctx context.Context, e *entry[S], cmd Command[C], payloads []eventstore.Payload) (Result[S], error) {
	a := e.agg
	events := h.events(a, cmd, payloads)
	sequences, err := h.stream.Append(ctx, eventstore.Append{
		Aggregate: cmd.Aggregate, ExpectedSequence: a.sequence, Events: events,
	})
	if err != nil {
		if !overtaken(err) {
			e.agg = nil // the events may be there all the same: the next command looks
		}
		var moved *eventstore.ConflictError
		if errors.As(err, &moved) && moved.Actual != 0 && moved.Actual < a.sequence {
			e.agg = nil
			err = h.lostTail(cmd.Aggregate, moved.Actual)
		}
		return Result[S]{}, err
	}
	for _, event := range events {
		a.admit(event, h.decider.Evolve)
	}
	a.sequence = sequences[0]
	res := a.result()
	res.Appended = true
	return res, nil
}

// events gives the envelope. Only the first event names the command; by the
// causation id the others are known to follow it.
func (h *Handler[S, C]) events(a *aggregate[S], cmd Command[C], payloads []eventstore.Payload) []eventstore.Event {
	at := h.cfg.Now().UTC().Truncate(time.Millisecond)
	if at.Before(a.time) {
		at = a.time
	}
	id := cmd.ID.String()
	cause := cmd.CausationID
	if cause == "" {
		cause = id
	}
	events := make([]eventstore.Event, len(payloads))
	for i, p := range payloads {
		events[i] = eventstore.Event{
			ID: h.cfg.NewID(), Aggregate: cmd.Aggregate, Version: a.version + uint64(i) + 1, Time: at,
			CorrelationID: cmd.CorrelationID, CausationID: cause, Actor: cmd.Actor, TraceParent: cmd.TraceParent, Payload: p,
		}
	}
	events[0].CommandID, events[0].CommandHash = id, cmd.Hash
	return events
}
