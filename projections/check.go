package projections

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/admitone/admitone/readstore"
	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"
)

// checksAtOnce is how many aggregates are checked side by side: each is some
// requests, one after the other.
const checksAtOnce = 8

// checkSample compares some aggregates' rows with a fold of the log.
func (g *generation) checkSample(ctx context.Context, size int) error {
	ids, err := g.sample(ctx, size)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(checksAtOnce)
	for _, id := range ids {
		group.Go(func() error {
			difference, err := g.checkAggregate(ctx, id)
			if err == nil && difference != "" {
				err = fmt.Errorf("projections: %s does not equal a fold of the log: %s", g.name(), difference)
			}
			return err
		})
	}
	return group.Wait()
}

// sample picks aggregates by random sequences.
func (g *generation) sample(ctx context.Context, size int) ([]uuid.UUID, error) {
	state, err := g.stream.State(ctx)
	if err != nil || state.Messages == 0 {
		return nil, err
	}
	stream, err := g.stream.JetStream().Stream(ctx, g.stream.Name())
	if err != nil {
		return nil, fmt.Errorf("projections: look up stream %s: %w", g.stream.Name(), err)
	}
	picked := make([]uuid.UUID, size)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(checksAtOnce)
	for i := range picked {
		sequence := state.FirstSequence + rand.Uint64N(state.LastSequence-state.FirstSequence+1)
		group.Go(func() (err error) {
			picked[i], err = g.aggregateAt(ctx, stream, sequence)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	slices.SortFunc(picked, func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) })
	picked = slices.Compact(picked)
	return slices.DeleteFunc(picked, func(id uuid.UUID) bool { return id == uuid.Nil }), nil
}

// aggregateAt is whose message has a sequence; uuid.Nil where it is nobody's.
func (g *generation) aggregateAt(ctx context.Context, stream jetstream.Stream, sequence uint64) (uuid.UUID, error) {
	m, err := stream.GetMsg(ctx, sequence)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return uuid.Nil, nil
	}
	if err != nil {
		return uuid.Nil, fmt.Errorf("projections: read sequence %d of %s: %w", sequence, g.stream.Name(), err)
	}
	return g.stream.Aggregate(m.Subject), nil
}

// Looks at an aggregate that changes while it is being checked.
const (
	checkLooks = 40
	checkPause = 50 * time.Millisecond
)

// checkAggregate folds one aggregate from the log and compares its rows; the
// answer is empty when they are equal. Where the rows are behind or ahead, since
// the log goes on, it looks again for two seconds.
func (g *generation) checkAggregate(ctx context.Context, id uuid.UUID) (string, error) {
	var difference string
	for range checkLooks {
		var err error
		if difference, err = g.compareOnce(ctx, id); err != nil || difference == "" {
			return "", err
		}
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-time.After(checkPause):
		}
	}
	return difference, nil
}

func (g *generation) compareOnce(ctx context.Context, id uuid.UUID) (string, error) {
	e, err := g.entryOf(id, nil)
	if err != nil {
		return "", err
	}
	if _, err := g.foldLog(ctx, e, func(*entry) error { return nil }); err != nil {
		return "", err
	}
	return g.compare(ctx, e)
}

// compare reads the rows that an entry should have.
func (g *generation) compare(ctx context.Context, e *entry) (string, error) {
	rows, err := g.store.Get(ctx, g.home, readstore.Key{e.key})
	if err != nil {
		return "", err
	}
	if e.version == 0 {
		if rows[0] != nil {
			return fmt.Sprintf("%s has a row in %s and no events", e.key, g.home.Name), nil
		}
		return "", nil
	}
	want, err := g.projection.homeRow(e)
	if err != nil {
		return err.Error(), nil
	}
	if text := differ(g.home, want, rows[0]); text != "" {
		return text, nil
	}
	for i, table := range g.indexes {
		if text, err := g.compareRows(ctx, table, e.rows[i]); text != "" || err != nil {
			return text, err
		}
	}
	for i, table := range g.appended {
		for some := range slices.Chunk(e.appendedTo(i), comparedAtOnce) {
			if text, err := g.compareRows(ctx, table, some); text != "" || err != nil {
				return text, err
			}
		}
	}
	return "", nil
}

// comparedAtOnce is how many appended rows of an aggregate are read together.
const comparedAtOnce = 500

func (g *generation) compareRows(ctx context.Context, table *readstore.Table, want []readstore.Row) (string, error) {
	if len(want) == 0 {
		return "", nil
	}
	keys := make([]readstore.Key, len(want))
	for i, row := range want {
		keys[i] = table.KeyOf(row)
	}
	have, err := g.store.Get(ctx, table, keys...)
	if err != nil {
		return "", err
	}
	for i := range want {
		if text := differ(table, want[i], have[i]); text != "" {
			return text, nil
		}
	}
	return "", nil
}

// differ describes in words how a row differs from what it should be.
func differ(table *readstore.Table, want, have readstore.Row) string {
	if have == nil {
		return fmt.Sprintf("table %s lacks the row %v", table.Name, want)
	}
	columns := table.Columns()
	for i := range want {
		if !sameValue(want[i], have[i]) {
			return fmt.Sprintf("table %s, row %v: %s is %v, the log says %v", table.Name, table.KeyOf(want), columns[i].Name, have[i], want[i])
		}
	}
	return ""
}
