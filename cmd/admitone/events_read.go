package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/admitone/admitone/eventstore"
	"github.com/nats-io/nats.go/jetstream"
)

// Reading by a consumer.
const (
	readAhead     = 256 // messages kept in memory for each log
	readHeartbeat = 2 * time.Second
	readForgotten = 30 * time.Second // after which the broker removes a consumer that nobody reads
)

// logCursor is a place in a log. It is read from one goroutine at a time.
type logCursor struct {
	log    *eventstore.Stream
	filter string    // one subject; empty: all
	since  time.Time // until the first message is read
	next   uint64
	end    uint64 // the last sequence that is past
}

// bound decides what is past.
func (c *logCursor) bound(ctx context.Context) error {
	state, err := c.log.State(ctx)
	if err != nil {
		return askFailed(c.log.Name(), err)
	}
	c.end = state.LastSequence
	return nil
}

// read calls fn for each message in order, up to the sequence to; to 0 is for ever.
// It goes on where it was when the broker comes back. An error of fn ends it.
func (c *logCursor) read(ctx context.Context, to uint64, fn func(eventstore.Message) error) error {
	return untilBack(ctx, c.log.Conn(), func() error { return c.consume(ctx, to, fn) })
}

// errInterrupted: the consumer is gone, another goes on.
var errInterrupted = errors.New("reading was interrupted")

func (c *logCursor) consume(ctx context.Context, to uint64, fn func(eventstore.Message) error) error {
	if to > 0 && c.next > to {
		return nil
	}
	consumer, err := c.log.JetStream().OrderedConsumer(ctx, c.log.Name(), c.settings())
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return fmt.Errorf("stream %s: %w", c.log.Name(), err)
	}
	if err != nil {
		return errors.Join(errInterrupted, err)
	}
	if to > 0 && consumer.CachedInfo().NumPending == 0 {
		return nil
	}
	messages, err := consumer.Messages(jetstream.PullMaxMessages(readAhead), jetstream.PullHeartbeat(readHeartbeat))
	if err != nil {
		return errors.Join(errInterrupted, err)
	}
	defer messages.Stop()
	for {
		m, err := messages.Next(jetstream.NextContext(ctx))
		if err != nil {
			return errors.Join(errInterrupted, err)
		}
		last, err := c.take(m, to, fn)
		if err != nil || last {
			return err
		}
	}
}

func (c *logCursor) settings() jetstream.OrderedConsumerConfig {
	cfg := jetstream.OrderedConsumerConfig{
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: c.next, InactiveThreshold: readForgotten,
	}
	if !c.since.IsZero() {
		cfg.DeliverPolicy, cfg.OptStartSeq, cfg.OptStartTime = jetstream.DeliverByStartTimePolicy, 0, &c.since
	}
	if c.filter != "" {
		cfg.FilterSubjects = []string{c.filter}
	}
	return cfg
}

// take hands one message on, unless it lies behind to; last says that no other comes
// before to.
func (c *logCursor) take(m jetstream.Msg, to uint64, fn func(eventstore.Message) error) (last bool, err error) {
	meta, err := m.Metadata()
	if err != nil {
		return false, errors.Join(errInterrupted, err)
	}
	sequence := meta.Sequence.Stream
	if sequence < c.next {
		return false, nil
	}
	if to > 0 && sequence > to {
		return true, nil
	}
	err = fn(eventstore.Message{Subject: m.Subject(), Sequence: sequence, Stored: meta.Timestamp, Header: m.Headers(), Data: m.Data()})
	if err == nil {
		c.next, c.since = sequence+1, time.Time{}
	}
	return to > 0 && (sequence == to || meta.NumPending == 0), err
}

// pastLog is the messages of a log up to its bound, read ahead.
type pastLog struct {
	cursor   *logCursor
	messages chan eventstore.Message
	err      error // once messages is closed
	head     *eventstore.Message
}

func (c *logCursor) past(ctx context.Context) *pastLog {
	p := &pastLog{cursor: c, messages: make(chan eventstore.Message, readAhead)}
	go func() {
		defer close(p.messages)
		if c.end == 0 {
			return
		}
		p.err = c.read(ctx, c.end, func(m eventstore.Message) error {
			select {
			case p.messages <- m:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	}()
	return p
}

// peek is the next message, nil at the end.
func (p *pastLog) peek() (*eventstore.Message, error) {
	if p.head == nil {
		m, ok := <-p.messages
		if !ok {
			return nil, p.err
		}
		p.head = &m
	}
	return p.head, nil
}

func (p *pastLog) pop() eventstore.Message {
	m := *p.head
	p.head = nil
	return m
}

// drain waits for the end of the reading.
func (p *pastLog) drain() {
	for range p.messages {
	}
}
