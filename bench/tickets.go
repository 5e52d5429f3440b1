package main

import (
	"context"
	"time"

	"github.com/admitone/admitone/bench/lab"
	"github.com/admitone/admitone/bench/market"
	"github.com/admitone/admitone/bench/meter"
	"github.com/admitone/admitone/bench/raw"
	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/projections"
	tickettables "github.com/admitone/admitone/projections/market"
)

// How many events of tickets there are: 10 to a ticket.
const (
	ticketEvents    = 300_000
	ticketEventsCQL = 150_000
)

// tickets: the market's own projection, a home table and two lists, live and then
// rebuilt beside the live generation. Without bars.
func tickets() []measurement {
	return []measurement{
		{
			limit: 10 * time.Minute,
			rows:  ticketRows("SQLite", "explicit-ack consume", "ordered consume", "messages/s"),
			open: func(ctx context.Context, l *lab.Lab) (ours, raw side, err error) {
				b, s, err := soldTickets(ctx, l)
				return ticketSide(ticketEvents, sqliteStore), consumeSide(b, s, l.Count(ticketEvents)), err
			},
		},
		{
			limit: 10 * time.Minute, cql: true,
			rows: ticketRows("CQL", "gocql inserts", "gocql inserts", "rows/s"),
			open: each(ticketSide(ticketEventsCQL, cqlStore), ticketInserts),
		},
	}
}

func ticketRows(store, liveRaw, rebuiltRaw, unit string) []spec {
	return []spec{
		rate("tickets live, "+store, liveRaw+", "+unit, 0),
		rows("tickets live, "+store+", rows", liveRaw+", "+unit, 0),
		rate("tickets rebuilt, "+store, rebuiltRaw+", "+unit, 0),
		rows("tickets rebuilt, "+store+", rows", rebuiltRaw+", "+unit, 0),
	}
}

// soldTickets is a broker with the log that the plain consumers read.
func soldTickets(ctx context.Context, l *lab.Lab) (*lab.Broker, *eventstore.Stream, error) {
	b, err := l.Broker(ctx, lab.Relaxed)
	if err != nil {
		return nil, nil, err
	}
	s, err := b.Stream(ctx, eventstore.StreamConfig{Name: market.Stream, Registry: market.Registry()}, true)
	if err != nil {
		return nil, nil, err
	}
	return b, s, market.Fill(ctx, s, l.Count(ticketEvents))
}

func ticketSide(n int, open openStore) side {
	return func(ctx context.Context, l *lab.Lab) ([]float64, error) {
		n := l.Count(n)
		b, err := l.Broker(ctx, lab.Relaxed)
		if err != nil {
			return nil, err
		}
		s, err := b.Stream(ctx, eventstore.StreamConfig{Name: market.Stream, Registry: market.Registry()}, true)
		if err != nil {
			return nil, err
		}
		store, err := open(ctx, l)
		if err != nil {
			return nil, err
		}
		def, err := tickettables.Tickets()
		if err != nil {
			return nil, err
		}
		counted := &lab.CountingStore{Store: store}
		fill := func() error {
			defer counted.Rows() // those of before do not count
			return market.Fill(ctx, s, n)
		}
		p, live, err := takeUp(ctx, l, s, counted, def, fill, n)
		if err != nil {
			return nil, err
		}
		liveRows := counted.Rows()
		rebuilt, err := rebuildBeside(ctx, p, def.Name())
		if err != nil {
			return nil, err
		}
		return append(perSecond(live, n, liveRows), perSecond(rebuilt, n, counted.Rows())...), nil
	}
}

func perSecond(took time.Duration, counts ...int) []float64 {
	list := make([]float64, len(counts))
	for i, n := range counts {
		list[i] = float64(n) / took.Seconds()
	}
	return list
}

// rebuildBeside is from the order to rebuild until readers have the new generation.
func rebuildBeside(ctx context.Context, p *lab.Running, name string) (time.Duration, error) {
	began := time.Now()
	number, err := p.Rebuild(ctx, name)
	if err != nil {
		return 0, err
	}
	err = p.Until(ctx, func(s projections.Status) bool { return s.Generation == number })
	return time.Since(began), err
}

// consumeSide is a plain reader beside each of the four rows.
func consumeSide(b *lab.Broker, s *eventstore.Stream, n int) side {
	return func(ctx context.Context, _ *lab.Lab) ([]float64, error) {
		acknowledged, err := raw.Acknowledged(ctx, b.JS, s.Name(), n)
		if err != nil {
			return nil, err
		}
		ordered, err := raw.Ordered(ctx, b.JS, s.Name(), n)
		return []float64{acknowledged, acknowledged, ordered, ordered}, err
	}
}

// ticketInserts is as many plain rows as the projection has, beside each of the four.
func ticketInserts(ctx context.Context, l *lab.Lab) ([]float64, error) {
	_, session, err := l.Keyspace(ctx)
	if err != nil {
		return nil, err
	}
	const tables = 3
	n := l.Count(tables * ticketEventsCQL / market.EventsPerTicket)
	inserted, err := raw.Inserts(ctx, session, meter.CreateTable, meter.InsertRow, n, func(i int) []any { return meter.RowAt(i, 1) })
	return []float64{inserted, inserted, inserted, inserted}, err
}
