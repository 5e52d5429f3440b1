package projections

import (
	"context"
	"errors"
	"fmt"

	"github.com/admitone/admitone/readstore"
	"github.com/nats-io/nats.go/jetstream"
)

func (k *keeper) dropOlderRevisions(ctx context.Context) error {
	for revision := k.def.revision - 1; revision >= 1; revision-- {
		rec, err := k.p.records.read(ctx, k.def.name, revision)
		if err != nil {
			return err
		}
		var tables []*readstore.Table
		for i := range rec.Tables {
			tables = append(tables, &rec.Tables[i])
		}
		for _, number := range []int{rec.Live, rec.Building, rec.Previous} {
			if number == 0 {
				continue
			}
			if err := k.drop(ctx, number, tables); err != nil {
				return err
			}
		}
		if rec.kvRevision != 0 {
			if err := k.p.records.kv.Delete(ctx, recordKey(k.def.name, revision)); err != nil {
				return fmt.Errorf("projections: forget revision %d of %s: %w", revision, k.def.name, err)
			}
		}
	}
	return nil
}

// drop removes all that a generation left: consumers, marks, checkpoints, tables.
func (k *keeper) drop(ctx context.Context, number int, described []*readstore.Table) error {
	g := k.generation(number)
	if r := k.takeRunner(number); r != nil {
		r.close()
	}
	for p := range k.stream.Partitions() {
		err := k.stream.JetStream().DeleteConsumer(ctx, k.stream.Name(), g.consumer(p))
		if err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
			return fmt.Errorf("projections: delete consumer %s: %w", g.consumer(p), err)
		}
	}
	if err := k.p.deps.marks.Clear(ctx, k.def.name, number); err != nil {
		return err
	}
	if err := forgetCheckpoints(ctx, k.p.deps.store, g.name()); err != nil {
		return err
	}
	var tables []*readstore.Table
	for _, t := range described {
		tables = append(tables, t.Named(tableName(t.Name, number)))
	}
	return k.p.deps.store.Drop(ctx, tables...)
}

func (k *keeper) takeRunner(number int) *runner {
	k.mu.Lock()
	defer k.mu.Unlock()
	r := k.runners[number]
	delete(k.runners, number)
	return r
}
