package main

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"github.com/admitone/admitone/bench/lab"
	"github.com/admitone/admitone/bench/market"
	"github.com/admitone/admitone/bench/raw"
	"github.com/admitone/admitone/eventstore"
	tables "github.com/admitone/admitone/projections/market"
)

// talkEvents is how many events of conversations the Auditors find waiting.
const talkEvents = 100_000

// talkPartitions is as many as the distributed form has.
const talkPartitions = 8

// audits: copies of the Auditor take up what was published while none ran, and share
// the partitions.
func audits() []measurement {
	var all []measurement
	for _, copies := range []int{1, 2, 4} {
		all = append(all, measurement{
			limit: 4 * time.Minute, cql: true,
			rows: []spec{rows("messages stored, CQL, "+auditorsText(copies), "gocql inserts of the same rows", 0.90)},
			open: each(auditSide(copies), messageInserts),
		})
	}
	return all
}

func auditorsText(n int) string {
	if n == 1 {
		return "1 Auditor"
	}
	return fmt.Sprintf("%d Auditors", n)
}

func auditSide(copies int) side {
	return func(ctx context.Context, l *lab.Lab) ([]float64, error) {
		n := l.Count(talkEvents)
		b, err := l.Broker(ctx, lab.Relaxed)
		if err != nil {
			return nil, err
		}
		s, err := b.Stream(ctx, eventstore.StreamConfig{Name: market.Talks, Partitions: talkPartitions, Registry: market.TalkRegistry()}, true)
		if err != nil {
			return nil, err
		}
		store, err := l.CQLStore(ctx)
		if err != nil {
			return nil, err
		}
		def, err := tables.Messages()
		if err != nil {
			return nil, err
		}
		first, err := l.Project(ctx, s, store, def)
		if err != nil {
			return nil, err
		}
		if err := first.Until(ctx, lab.IsLive); err != nil {
			return nil, err
		}
		if err := first.Stop(); err != nil {
			return nil, err
		}
		if err := market.FillTalks(ctx, s, n); err != nil {
			return nil, err
		}
		runtime.GC()
		auditors, err := l.ProjectShared(ctx, s, store, def, copies)
		if err != nil {
			return nil, err
		}
		if err := auditors[0].Until(ctx, lab.IsLive); err != nil {
			return nil, err
		}
		took := time.Since(firstAdmission(auditors))
		return one(float64(market.Messages(n))/took.Seconds(), admittedBy(ctx, auditors, n))
	}
}

// firstAdmission is when the first of the copies that had something to do began to: how
// fast messages are stored does not depend on how long copies take to start and to share
// out the partitions.
func firstAdmission(copies []*lab.Running) (first time.Time) {
	for _, c := range copies {
		if at := c.Began(); !at.IsZero() && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	return first
}

// admittedBy checks that the copies have admitted all events, each once or more: one
// that shared a partition with another for a moment may have admitted what that had.
func admittedBy(ctx context.Context, copies []*lab.Running, n int) error {
	var admitted uint64
	for _, c := range copies {
		list, err := c.Status(ctx)
		if err != nil {
			return err
		}
		admitted += list[0].Counters.Admitted
	}
	if admitted < uint64(n) {
		return fmt.Errorf("%d of %d events were admitted", admitted, n)
	}
	return nil
}

func messageInserts(ctx context.Context, l *lab.Lab) ([]float64, error) {
	_, session, err := l.Keyspace(ctx)
	if err != nil {
		return nil, err
	}
	return one(raw.Inserts(ctx, session, market.CreateMessages, market.InsertMessage, market.Messages(l.Count(talkEvents)), market.MessageRow))
}
