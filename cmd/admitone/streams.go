package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/admitone/admitone/domain/conversation"
	"github.com/admitone/admitone/domain/order"
	"github.com/admitone/admitone/domain/ticket"
	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/projections"
	"github.com/admitone/admitone/readstore"
	"github.com/dustin/go-humanize"
	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/retrypolicy"
	"github.com/prometheus/client_golang/prometheus"
)

// streamsFile is what this installation knows of its streams, so that one which is
// gone, was created anew or lost its tail is noticed.
const streamsFile = "streams.json"

// recordEvery is how often it is written.
const recordEvery = 10 * time.Second

// bounded is a bounded context: its stream, and the events that the stream holds.
type bounded struct {
	stream string
	events []eventstore.Payload
}

// registry reads and writes the context's events.
func (c bounded) registry() *eventstore.Registry {
	registry := eventstore.NewRegistry()
	registry.Register(c.events...)
	return registry
}

// contexts is every event stream of the marketplace.
func contexts() []bounded {
	return []bounded{
		{"TICKETS", payloads(ticket.Events())},
		{"ORDERS", payloads(order.Events())},
		{"CONVERSATIONS", payloads(conversation.Events())},
	}
}

// payloads erases a domain's own event type.
func payloads[E eventstore.Payload](events []E) []eventstore.Payload {
	list := make([]eventstore.Payload, len(events))
	for i, e := range events {
		list[i] = e
	}
	return list
}

func (a *app) openStreams(ctx context.Context) error {
	a.metrics = prometheus.NewRegistry()
	a.observed = newAppendMetrics(a.metrics)
	if err := a.openRecords(); err != nil {
		return err
	}
	rows, err := a.filledFrom(ctx)
	if err != nil {
		return err
	}
	a.streams = map[string]*eventstore.Stream{}
	for _, c := range contexts() {
		if a.streams[c.stream], err = a.openStream(ctx, c, rows[c.stream]); err != nil {
			return err
		}
	}
	a.tickets, a.orders, a.conversations = a.streams["TICKETS"], a.streams["ORDERS"], a.streams["CONVERSATIONS"]
	return a.records.Save(ctx, a.allStreams()...)
}

// allStreams is every event stream, in the order of contexts.
func (a *app) allStreams() []*eventstore.Stream {
	var all []*eventstore.Stream
	for _, c := range contexts() {
		all = append(all, a.streams[c.stream])
	}
	return all
}

func (a *app) openStream(ctx context.Context, c bounded, rows *eventstore.LogRecord) (*eventstore.Stream, error) {
	expect, err := a.expected(c.stream, rows)
	if err != nil {
		return nil, err
	}
	partitions, err := a.broker.partitionsOf(ctx, c.stream)
	if err != nil {
		return nil, err
	}
	stream, err := eventstore.OpenStream(ctx, a.broker.nc, eventstore.StreamConfig{
		Name: c.stream, Partitions: partitions, Replicas: a.broker.replicas,
		MaxBytes: a.cfg.StreamBytes, DefaultMaxBytes: a.broker.streamBytes(),
		GroupCommit: a.cfg.SyncInterval == 0, Registry: c.registry(), Expect: expect, Observe: a.observed.observe,
	})
	if errors.Is(err, eventstore.ErrLogChanged) {
		err = fmt.Errorf("%w; or accept the log as it is and rebuild all projections with --on-log-change rebuild", err)
	}
	if err == nil && stream.MaxBytes() == 0 && a.cfg.StreamBytes == 0 {
		a.log.Warn("event stream has no byte limit, and may fill the disk: the default was more than the broker could reserve, or the stream is an old one that holds over half as much or is in a cluster; name a limit with --stream-bytes that every server has room for, or -1 for none",
			"stream", c.stream, "default", humanize.IBytes(uint64(a.broker.streamBytes())))
	}
	return stream, err
}

// openRecords reads what this installation knows of its streams; nothing where any
// log is accepted.
func (a *app) openRecords() (err error) {
	path := a.path(streamsFile)
	if a.cfg.OnLogChange == "rebuild" {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("forget the streams of before: %w", err)
		}
	}
	a.records, err = eventstore.OpenRecords(path)
	return err
}

// expected is what the data directory and the read store know of a stream, nil when
// nothing is known or any log is accepted.
func (a *app) expected(stream string, rows *eventstore.LogRecord) (*eventstore.LogRecord, error) {
	if a.cfg.OnLogChange == "rebuild" {
		return nil, nil
	}
	here := a.records.Expect(stream)
	switch {
	case here == nil:
		return rows, nil
	case rows == nil:
		return here, nil
	case !here.Created.Equal(rows.Created):
		return nil, fmt.Errorf("stream %s: %w: %s knows one created at %s, the read store was filled from one created at %s: restore the one that belongs here, or accept the log as it is and rebuild all projections with --on-log-change rebuild",
			stream, eventstore.ErrLogChanged, streamsFile, here.Created, rows.Created)
	}
	here.LastSequence = max(here.LastSequence, rows.LastSequence)
	return here, nil
}

// Patience with a read store that does not answer when the program starts.
const (
	askEvery = 50 * time.Millisecond
	askFor   = 3 * time.Second
)

// filledFrom asks the read store which streams it was filled from; it may still be
// connecting. Nothing is known where it does not answer, or any log is accepted.
func (a *app) filledFrom(ctx context.Context) (map[string]*eventstore.LogRecord, error) {
	if a.cfg.OnLogChange == "rebuild" {
		return nil, nil
	}
	patient := retrypolicy.NewBuilder[map[string]*eventstore.LogRecord]().HandleErrors(readstore.ErrUnavailable).
		WithDelay(askEvery).WithMaxRetries(-1).WithMaxDuration(askFor).ReturnLastFailure().Build()
	known, err := failsafe.With(patient).WithContext(ctx).Get(func() (map[string]*eventstore.LogRecord, error) {
		return projections.KnownStreams(ctx, a.store)
	})
	if errors.Is(err, readstore.ErrUnavailable) {
		a.log.Warn("the read store does not answer: commands are served, queries are not", "cause", err)
		return nil, nil
	}
	return known, err
}

// keepRecord keeps the file up to date until ctx ends, and once more then.
func (a *app) keepRecord(ctx context.Context) error {
	tick := time.NewTicker(recordEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			end, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			defer cancel()
			if err := a.records.Save(end, a.allStreams()...); err != nil {
				a.log.Warn("streams.json is not up to date", "cause", err)
			}
			return nil
		case <-tick.C:
			if err := a.records.Save(ctx, a.allStreams()...); err != nil && ctx.Err() == nil {
				a.log.Warn("streams.json is not up to date", "cause", err)
			}
		}
	}
}
