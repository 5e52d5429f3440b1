package timers

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/admitone/admitone/eventstore"
	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// read takes a message of the stream apart, pending or due.
func read(m jetstream.Msg) (timer Timer, meta *jetstream.MsgMetadata, err error) {
	if meta, err = m.Metadata(); err != nil {
		return timer, nil, fmt.Errorf("timers: message on %s: %w", m.Subject(), err)
	}
	tokens := strings.Split(m.Subject(), ".")
	if len(tokens) != 3 {
		return timer, meta, fmt.Errorf("timers: %s is no timer's subject", m.Subject())
	}
	timer.Kind, timer.Payload = tokens[1], m.Data()
	if timer.ID, err = uuid.Parse(tokens[2]); err != nil {
		return timer, meta, fmt.Errorf("timers: %s is no timer's subject: %w", m.Subject(), err)
	}
	if timer.At, err = time.Parse(time.RFC3339Nano, m.Headers().Get(headerDue)); err != nil {
		return timer, meta, fmt.Errorf("timers: header %s on %s: %w", headerDue, m.Subject(), err)
	}
	return timer, meta, nil
}

// readPatience is how long a read waits for a message before it asks whether there is
// still one.
const readPatience = 2 * time.Second

// each reads all messages that match a subject, oldest first.
func (t *Timers) each(ctx context.Context, subject string, fn func(jetstream.Msg) error) error {
	cons, err := t.stream.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{FilterSubjects: []string{subject}})
	if err != nil {
		return failed("read "+subject, err)
	}
	if cons.CachedInfo().NumPending == 0 {
		return nil
	}
	messages, err := cons.Messages()
	if err != nil {
		return failed("read "+subject, err)
	}
	defer messages.Stop()
	for {
		m, err := messages.Next(jetstream.NextMaxWait(readPatience))
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if errors.Is(err, nats.ErrTimeout) {
			// What was ahead may have been removed meanwhile.
			info, err := cons.Info(ctx)
			if err == nil && info.NumPending > 0 {
				continue
			}
			return err
		}
		if err != nil {
			return failed("read "+subject, err)
		}
		if err := fn(m); err != nil {
			return err
		}
		if meta, err := m.Metadata(); err != nil || meta.NumPending == 0 {
			return err
		}
	}
}

// overdue is how long a timer may be past its time before it is set again: the
// broker fires within a second of it, or of its own start.
const overdue = 5 * time.Second

// rearm sets timers again whose time has passed and that did not fire.
func (t *Timers) rearm(ctx context.Context, kind string) error {
	late := time.Now().Add(-overdue)
	return t.each(ctx, pendingSubjects(kind), func(m jetstream.Msg) error {
		timer, meta, err := read(m)
		if err != nil {
			t.log.Error("timer cannot be read, it is left alone", "subject", m.Subject(), "cause", err)
			return nil
		}
		if timer.At.After(late) {
			return nil
		}
		// Only if nobody has cancelled or moved it meanwhile.
		err = t.schedule(ctx, timer, jetstream.WithExpectLastSequencePerSubject(meta.Sequence.Stream))
		if eventstore.Overtaken(err) {
			return nil
		}
		return err
	})
}
