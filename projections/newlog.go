package projections

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/admitone/admitone/readstore"
)

// acceptLog drops every generation that was filled from another log than the one
// that is there, and forgets that it was, so that building begins anew before
// anybody reads what the log does not hold.
func (k *keeper) acceptLog(ctx context.Context) error {
	numbers, err := k.fromAnotherLog(ctx)
	if err != nil || len(numbers) == 0 {
		return err
	}
	k.p.cfg.Logger.Warn("the log was replaced: building anew", "projection", k.def.name, "generations", len(numbers))
	for number := range numbers {
		if err := k.drop(ctx, number, k.def.tables()); err != nil {
			return err
		}
	}
	for revision := k.def.revision; revision >= 1; revision-- {
		if err := k.forget(ctx, revision, numbers); err != nil {
			return err
		}
	}
	return nil
}

// fromAnotherLog is the numbers of the generations whose checkpoints do not fit the stream.
func (k *keeper) fromAnotherLog(ctx context.Context) (map[int]bool, error) {
	known := map[int]bool{}
	err := k.p.deps.store.Scan(ctx, checkpoints, func(row readstore.Row) error {
		name, _ := row[0].(string)
		if digits, ok := strings.CutPrefix(name, k.def.name+"_g"); ok {
			if number, err := strconv.Atoi(digits); err == nil {
				known[number] = true
			}
		}
		return nil
	})
	if err != nil && !errors.Is(err, readstore.ErrNoTable) {
		return nil, err
	}
	for number := range known {
		_, _, err := k.generation(number).readCheckpoints(ctx)
		if err == nil {
			delete(known, number)
		} else if !errors.Is(err, ErrLogChanged) {
			return nil, err
		}
	}
	return known, nil
}

// forget takes generations out of a revision's record.
func (k *keeper) forget(ctx context.Context, revision int, numbers map[int]bool) error {
	rec, err := k.p.records.read(ctx, k.def.name, revision)
	if err != nil || !numbers[rec.Live] && !numbers[rec.Building] && !numbers[rec.Previous] {
		return err
	}
	_, err = k.p.records.change(ctx, k.def.name, revision, func(r *record) error {
		for _, number := range []*int{&r.Live, &r.Building, &r.Previous} {
			if numbers[*number] {
				*number = 0
			}
		}
		return nil
	})
	return err
}
