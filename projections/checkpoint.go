package projections

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/readstore"
)

// checkpoints is the table that says, for each generation, stream and partition,
// up to which sequence everything is written. Its timestamps are the sequences.
var checkpoints = &readstore.Table{
	Name:       "checkpoints",
	Partition:  []readstore.Column{{Name: "generation", Type: readstore.Text}},
	Clustering: []readstore.Column{{Name: "stream", Type: readstore.Text}, {Name: "part", Type: readstore.Int}, {Name: "created", Type: readstore.Text}},
	Values:     []readstore.Column{{Name: "sequence", Type: readstore.Int}},
}

// checkpoint is the write that keeps sequence for a partition.
func (g *generation) checkpoint(partition int, sequence uint64) []readstore.Mutation {
	if sequence == 0 {
		return nil
	}
	return []readstore.Mutation{{
		Table:     checkpoints,
		Row:       readstore.Row{g.name(), g.stream.Name(), int64(partition), g.createdText(), int64(sequence)},
		Timestamp: int64(sequence),
	}}
}

// createdText tells a stream from one that was created anew under its name.
func (g *generation) createdText() string { return g.stream.Created().UTC().Format(time.RFC3339Nano) }

// readCheckpoints returns the sequences by partition, 0 where there is none, and where
// the stream ends. It refuses a read store that was written from another log than
// this one. The end is looked up last, since other copies go on meanwhile.
func (g *generation) readCheckpoints(ctx context.Context) (sequences []uint64, last uint64, err error) {
	page, err := g.store.Page(ctx, checkpoints, readstore.Query{Partition: readstore.Key{g.name()}, Limit: 1000})
	if err != nil && !errors.Is(err, readstore.ErrNoTable) {
		return nil, 0, fmt.Errorf("projections: read checkpoints of %s: %w", g.name(), err)
	}
	state, err := g.stream.State(ctx)
	if err != nil {
		return nil, 0, err
	}
	sequences, err = g.checkpointsOf(page.Rows, state.LastSequence)
	return sequences, state.LastSequence, err
}

func (g *generation) checkpointsOf(rows []readstore.Row, last uint64) ([]uint64, error) {
	sequences := make([]uint64, g.stream.Partitions())
	for _, row := range rows {
		stream, _ := row[1].(string)
		partition, _ := row[2].(int64)
		created, _ := row[3].(string)
		sequence, _ := row[4].(int64)
		switch {
		case stream != g.stream.Name():
			continue
		case created != g.createdText():
			return nil, g.logChanged(fmt.Sprintf("stream %s was created at %s, but the read store was filled from one created at %s", stream, g.createdText(), created))
		case uint64(sequence) > last:
			return nil, g.logChanged(fmt.Sprintf("stream %s ends at sequence %d, but the read store was filled up to %d", stream, last, sequence))
		case int(partition) >= len(sequences):
			return nil, g.logChanged(fmt.Sprintf("stream %s has %d partitions, but the read store knows partition %d", stream, len(sequences), partition))
		}
		sequences[partition] = uint64(sequence)
	}
	return sequences, nil
}

func (g *generation) logChanged(what string) error {
	return fmt.Errorf("projections: %s: %s: %w: restore the log that belongs to this read store, or accept the log as it is and rebuild with --on-log-change rebuild",
		g.name(), what, eventstore.ErrLogChanged)
}

// KnownStreams is what a read store was filled from: each stream with its creation
// time and the highest sequence written. Open streams with it as their Expect, so
// that one which is gone, was created anew or lost its tail is noticed.
func KnownStreams(ctx context.Context, store readstore.Store) (map[string]*eventstore.LogRecord, error) {
	known := map[string]*eventstore.LogRecord{}
	err := store.Scan(ctx, checkpoints, func(row readstore.Row) error {
		name, _ := row[1].(string)
		text, _ := row[3].(string)
		sequence, _ := row[4].(int64)
		created, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			return fmt.Errorf("checkpoint of stream %s: %w", name, err)
		}
		record := known[name]
		if record == nil {
			record = &eventstore.LogRecord{Stream: name, Created: created}
			known[name] = record
		}
		if !record.Created.Equal(created) {
			return fmt.Errorf("the read store was filled from two streams %s, created at %s and %s: %w", name, record.Created, created, eventstore.ErrLogChanged)
		}
		record.LastSequence = max(record.LastSequence, uint64(sequence))
		return nil
	})
	if errors.Is(err, readstore.ErrNoTable) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("projections: read checkpoints: %w", err)
	}
	return known, nil
}

// forgetCheckpoints removes a generation's checkpoints, so that its number may be
// filled from a log that was replaced.
func forgetCheckpoints(ctx context.Context, store readstore.Store, generation string) error {
	page, err := store.Page(ctx, checkpoints, readstore.Query{Partition: readstore.Key{generation}, Limit: 1000})
	if errors.Is(err, readstore.ErrNoTable) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("projections: read checkpoints of %s: %w", generation, err)
	}
	var deletes []readstore.Mutation
	for _, row := range page.Rows {
		sequence, _ := row[4].(int64)
		deletes = append(deletes, readstore.Mutation{
			Table: checkpoints, Row: readstore.Row(checkpoints.KeyOf(row)), Delete: true, Timestamp: sequence,
		})
	}
	if err := store.Write(ctx, deletes); err != nil {
		return fmt.Errorf("projections: forget checkpoints of %s: %w", generation, err)
	}
	return nil
}
