package main

import (
	"context"
	"time"

	"github.com/admitone/admitone/bench/lab"
	"github.com/admitone/admitone/bench/meter"
	"github.com/admitone/admitone/bench/raw"
	"github.com/admitone/admitone/commands"
	"github.com/google/uuid"
)

// perWriter is how many aggregates each writer takes in turn.
const perWriter = 50

// cached: decide on an aggregate that is in the handler's cache, and append, beside
// a publish to a subject whose last sequence is known.
func cached() []measurement {
	var all []measurement
	for _, writers := range []int{1, 64} {
		all = append(all, measurement{
			limit: time.Minute,
			rows:  []spec{rate("command, cached aggregate, "+writersText(writers), "publish", 0.80)},
			open:  each(commandSide(writers), followSide(writers)),
		})
	}
	return all
}

func commandSide(writers int) side {
	return func(ctx context.Context, l *lab.Lab) ([]float64, error) {
		_, s, err := meters(ctx, l, lab.Relaxed)
		if err != nil {
			return nil, err
		}
		h, err := commands.New(s, nil, meter.Decider(), commands.Config{})
		if err != nil {
			return nil, err
		}
		l.Later(func() { _ = h.Close(context.Background()) }) // it saves no snapshots
		turns := newTurns(writers)
		read := meter.NewRead(1)
		load, err := l.Drive(ctx, writers, func(ctx context.Context, writer int) error {
			t := turns[writer].next()
			_, err := h.Handle(ctx, commands.Command[meter.Read]{
				ID: uuid.New(), Hash: meter.Hash, Aggregate: t.id, Fresh: t.version == 1,
				Actor: "someone", CorrelationID: "a request", Body: read,
			})
			return err
		})
		return one(load.Rate, err)
	}
}

func followSide(writers int) side {
	return func(ctx context.Context, l *lab.Lab) ([]float64, error) {
		b, s, err := meters(ctx, l, lab.Relaxed)
		if err != nil {
			return nil, err
		}
		turns := newTurns(writers)
		body := meter.Body(1)
		load, err := l.Drive(ctx, writers, func(ctx context.Context, writer int) error {
			t := turns[writer].next()
			command := uuid.NewString()
			event := meter.Event(uuid.Must(uuid.NewV7()), t.id, t.version, nil)
			event.CommandID, event.CausationID, event.Actor, event.CorrelationID = command, command, "someone", "a request"
			sequence, err := raw.Publish(ctx, b.JS, raw.Message(s, event, meter.Type, body), t.last)
			t.last = sequence
			return err
		})
		return one(load.Rate, err)
	}
}

// turns is the aggregates of one writer.
type turns struct {
	aggregates [perWriter]turn
	at         int
}

type turn struct {
	id      uuid.UUID
	version uint64 // of the event that is about to be recorded
	last    uint64 // sequence of the one before
}

func newTurns(writers int) []*turns {
	all := make([]*turns, writers)
	for i := range all {
		all[i] = &turns{}
		for j := range all[i].aggregates {
			all[i].aggregates[j].id = uuid.New()
		}
	}
	return all
}

func (t *turns) next() *turn {
	a := &t.aggregates[t.at%perWriter]
	t.at++
	a.version++
	return a
}
