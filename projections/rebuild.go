package projections

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/admitone/admitone/eventstore"
	"github.com/google/uuid"
)

// Errors of Rebuild and of calls that name a projection.
var (
	// ErrRebuildRunning: the projection is being rebuilt already.
	ErrRebuildRunning = errors.New("a rebuild is running")
	// ErrUnknownProjection: no projection has that name.
	ErrUnknownProjection = errors.New("unknown projection")
)

// Progress of a generation that is being built.
type Progress struct {
	Generation int     `json:"generation"`
	Holder     string  `json:"holder"` // the copy that builds
	Events     uint64  `json:"events"` // folded so far
	Total      uint64  `json:"total"`
	Rate       float64 `json:"rate"` // events per second
	Errors     uint64  `json:"errors"`
	LastError  string  `json:"last_error"`
	Blocked    bool    `json:"blocked"` // caught up, but not switched for the reason in LastError
}

// build is the filling of a generation by the copy that holds the lease.
type build struct {
	number  int
	release func()
	errors  uint64
	last    string
	blocked bool
}

// Rebuild asks for a fresh generation of a projection and returns its number.
// Whichever running copy takes the lease fills it beside the live one, and
// switches readers when it is caught up and verified. ErrRebuildRunning,
// ErrUnknownProjection.
func (p *Projector) Rebuild(ctx context.Context, name string) (int, error) {
	k := p.keepers[name]
	if k == nil {
		return 0, fmt.Errorf("projections: %q: %w", name, ErrUnknownProjection)
	}
	rec, err := p.records.read(ctx, name, k.def.revision)
	if err != nil {
		return 0, err
	}
	if rec.Building != 0 {
		return 0, k.running(rec)
	}
	number, err := k.number(ctx)
	if err != nil {
		return 0, err
	}
	_, err = k.announce(ctx, number)
	return number, err
}

func (k *keeper) running(rec record) error {
	return fmt.Errorf("projections: %s: generation %d is being built: %w", k.def.name, rec.Building, ErrRebuildRunning)
}

// announce makes number the generation to build.
func (k *keeper) announce(ctx context.Context, number int) (record, error) {
	state, err := k.stream.State(ctx)
	if err != nil {
		return record{}, err
	}
	return k.p.records.change(ctx, k.def.name, k.def.revision, func(rec *record) error {
		if rec.Building != 0 {
			return k.running(*rec)
		}
		rec.Building, rec.Total = number, state.Messages
		rec.Tables = rec.Tables[:0]
		for _, t := range k.def.tables() {
			rec.Tables = append(rec.Tables, *t)
		}
		return nil
	})
}

// begin starts the first generation of a revision.
func (k *keeper) begin(ctx context.Context) (record, error) {
	number, err := k.number(ctx)
	if err != nil {
		return record{}, err
	}
	rec, err := k.announce(ctx, number)
	if errors.Is(err, ErrRebuildRunning) {
		err = nil
	}
	return rec, err
}

// number hands out a generation number whose tables were never written. A read
// store that knows it although the broker does not belongs to another log.
func (k *keeper) number(ctx context.Context) (int, error) {
	// A number is spent for good, so none is taken while tables cannot be looked at.
	if err := k.p.deps.store.Ping(ctx); err != nil {
		return 0, fmt.Errorf("projections: a new generation of %s: %w", k.def.name, err)
	}
	for {
		number, err := k.p.records.number(ctx, k.def.name)
		if err != nil {
			return 0, err
		}
		sequences, _, err := k.generation(number).readCheckpoints(ctx)
		if errors.Is(err, ErrLogChanged) && k.p.cfg.RebuildOnLogChange {
			return number, k.drop(ctx, number, k.def.tables())
		}
		if err != nil {
			return 0, err
		}
		if maxOf(sequences) == 0 {
			return number, nil
		}
	}
}

func maxOf(list []uint64) (highest uint64) {
	for _, v := range list {
		highest = max(highest, v)
	}
	return highest
}

func (k *keeper) leaseKey() string { return "rebuild." + k.def.name }

// building says whether this copy builds rec.Building, taking the lease if it is free.
func (k *keeper) building(ctx context.Context, rec record) bool {
	k.mu.Lock()
	b := k.build
	k.mu.Unlock()
	if b != nil {
		return b.number == rec.Building
	}
	b = &build{number: rec.Building}
	held, release, ok, err := k.p.leases.take(context.WithoutCancel(ctx), k.leaseKey(), func() []byte { return k.progressOf(b, rec) })
	if err != nil || !ok {
		return false
	}
	b.release = release
	k.mu.Lock()
	k.build = b
	k.mu.Unlock()
	k.ending.Go(func() { k.drive(ctx, held, b, rec) })
	return true
}

func (k *keeper) progressOf(b *build, rec record) []byte {
	k.mu.Lock()
	p := Progress{Generation: b.number, Holder: k.p.holder, Total: rec.Total, Errors: b.errors, LastError: b.last, Blocked: b.blocked}
	r := k.runners[b.number]
	k.mu.Unlock()
	if r != nil {
		if s := r.scan.Load(); s != nil {
			p.Events = s.done.Load()
			p.Rate = float64(p.Events) / time.Since(r.started).Seconds()
		}
		if problem := r.g.stats.lastProblem(); problem != "" {
			p.LastError = problem
		}
	}
	body, _ := json.Marshal(p)
	return body
}

// drive waits until the generation is caught up and may be switched to.
func (k *keeper) drive(ctx, held context.Context, b *build, rec record) {
	defer func() {
		b.release()
		k.mu.Lock()
		k.build = nil
		k.mu.Unlock()
	}()
	log := k.p.cfg.Logger.With("projection", k.def.name, "generation", b.number)
	log.Info("building a generation", "events", rec.Total)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-held.Done():
			log.Warn("lost the lease of the rebuild")
			return
		case <-tick.C:
		}
		done, err := k.finish(held, b)
		if err != nil && held.Err() == nil {
			k.mu.Lock()
			b.errors++
			b.last = err.Error()
			k.mu.Unlock()
		}
		if done {
			log.Info("generation is live")
			return
		}
	}
}

// finish switches to the generation if it is caught up, true to the log, and has
// not parked what the live one has not.
func (k *keeper) finish(ctx context.Context, b *build) (bool, error) {
	r := k.runner(b.number)
	if r == nil {
		return false, nil
	}
	select {
	case <-r.ready:
	default:
		return false, nil
	}
	rec, err := k.p.records.read(ctx, k.def.name, k.def.revision)
	if err != nil {
		return false, err
	}
	if ok, err := k.caughtUp(ctx, r.g, rec); err != nil || !ok {
		return false, err
	}
	if err := r.g.checkSample(ctx, sampleSize); err != nil {
		return false, err
	}
	if err := k.mayReplace(ctx, r.g, rec); err != nil {
		k.mu.Lock()
		b.blocked = errors.Is(err, errParksMore)
		k.mu.Unlock()
		return false, err
	}
	return k.switchTo(ctx, b.number)
}

// underWay is how many events a generation may lack when readers switch: those that
// arrive at this moment. A reader that names a version waits for it.
const underWay = 64

// caughtUp: the generation lacks no more than what is under way, or than the live
// one does under the same load.
func (k *keeper) caughtUp(ctx context.Context, g *generation, rec record) (bool, error) {
	states, err := g.consumerStates(ctx)
	if err != nil {
		return false, err
	}
	lag := lagOf(states)
	if lag <= underWay || rec.Live == 0 {
		return lag <= underWay, nil
	}
	live, err := k.current(rec.Live).consumerStates(ctx)
	return lag <= 2*lagOf(live), err
}

// sampleSize is how many aggregates are compared with the log before a switch.
const sampleSize = 100

// errParksMore keeps readers with the generation that they have.
var errParksMore = errors.New("it is not switched to")

// mayReplace refuses a generation in which aggregates are parked that the one
// before it has not parked.
func (k *keeper) mayReplace(ctx context.Context, g *generation, rec record) error {
	old, ok, err := k.replaced(ctx, rec)
	if err != nil || !ok {
		return err
	}
	before, err := k.p.deps.marks.Current(ctx, k.def.name, old)
	if err != nil {
		return err
	}
	known := map[uuid.UUID]bool{}
	for _, mark := range before {
		known[mark.Aggregate] = true
	}
	now, err := k.p.deps.marks.Current(ctx, k.def.name, g.number)
	if err != nil {
		return err
	}
	var added []string
	for _, mark := range now {
		if !known[mark.Aggregate] {
			added = append(added, mark.Aggregate.String()+" ("+mark.Cause+")")
		}
	}
	if len(added) > 0 {
		return fmt.Errorf("projections: %s: %w: %d aggregates are parked in it that generation %d has not: %s: mend the cause and retry them, readers stay with generation %d",
			g.name(), errParksMore, len(added), old, strings.Join(added[:min(3, len(added))], ", "), old)
	}
	return nil
}

// replaced is the generation that readers read today.
func (k *keeper) replaced(ctx context.Context, rec record) (int, bool, error) {
	if rec.Live != 0 {
		return rec.Live, true, nil
	}
	older, ok, err := k.p.records.older(ctx, k.def.name, k.def.revision)
	return older.Live, ok, err
}

// switchTo makes the built generation the live one, and drops what an earlier
// switch left behind.
func (k *keeper) switchTo(ctx context.Context, number int) (bool, error) {
	var dropped record
	_, err := k.p.records.change(ctx, k.def.name, k.def.revision, func(rec *record) error {
		dropped = *rec
		if rec.Building != number {
			return fmt.Errorf("projections: generation %d of %s is not the one being built any more", number, k.def.name)
		}
		rec.Previous, rec.Live, rec.Building, rec.SwitchedAt = rec.Live, number, 0, time.Now().UTC()
		return nil
	})
	if err != nil {
		return false, err
	}
	if dropped.Previous != 0 {
		// By then every copy has seen the record and let go of the generation.
		pause(ctx, 4*lookEvery)
		err = k.drop(ctx, dropped.Previous, k.def.tables())
	}
	if dropped.Live != 0 {
		err = errors.Join(err, k.dropOlderRevisions(ctx))
	}
	if err != nil {
		k.p.cfg.Logger.Warn("what a rebuild left behind could not be dropped", "projection", k.def.name, "cause", err)
	}
	return true, nil
}

// StreamOf is the stream of a projection, nil when there is none of that name.
func (p *Projector) StreamOf(name string) *eventstore.Stream {
	if k := p.keepers[name]; k != nil {
		return k.stream
	}
	return nil
}
