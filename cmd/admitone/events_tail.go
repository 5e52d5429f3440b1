package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/admitone/admitone/eventstore"
	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
)

// tailQuery is which events are asked for.
type tailQuery struct {
	streams   []string
	types     []string
	aggregate string
	since     string
	from      uint64
	follow    bool
	limit     int
	asker     asker
}

func eventsTail() *cobra.Command {
	var r remote
	var q tailQuery
	cmd := &cobra.Command{
		Use: "tail", Short: "Print events in the order they were stored", Args: cobra.NoArgs,
		Long: `Print events, one on a line, in the order they were stored: all of them, or those
that the flags ask for. With --follow it goes on with new ones until it is interrupted,
and waits for a broker that is away.

A line is the time it was stored, <stream>/<aggregate>@<version>, the type, the payload and
who acted. Characters that are not printable are escaped.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			q.asker = asker{waits: q.follow, note: cmd.ErrOrStderr()}
			err := q.run(cmd.Context(), &r, func(e *loggedEvent) error { return e.print(cmd.OutOrStdout(), r.json) })
			if q.follow && errors.Is(err, context.Canceled) {
				return nil // that is how following ends
			}
			return err
		},
	}
	r.flags(cmd)
	f := cmd.Flags()
	f.StringSliceVar(&q.streams, "stream", nil, "only these streams, such as TICKETS")
	f.StringSliceVar(&q.types, "type", nil, "only these types, such as ticket.listed, or ticket.listed.v1 for one revision")
	f.StringVar(&q.aggregate, "aggregate", "", "only the events of this aggregate (a UUID)")
	f.StringVar(&q.since, "since", "", "only what was stored since a time (RFC 3339), or for a duration such as 15m")
	f.Uint64Var(&q.from, "from-seq", 0, "begin at this sequence of the one --stream")
	f.BoolVarP(&q.follow, "follow", "f", false, "go on with new events")
	f.IntVar(&q.limit, "limit", 0, "end after so many events; 0: no limit")
	cmd.MarkFlagsMutuallyExclusive("since", "from-seq")
	return cmd
}

func (q *tailQuery) run(ctx context.Context, r *remote, show func(*loggedEvent) error) error {
	var nc *nats.Conn
	err := q.asker.ask(ctx, nil, func() (err error) {
		nc, err = r.connect()
		return err
	})
	if err != nil {
		return err
	}
	defer nc.Close()
	logs, err := q.open(ctx, nc)
	if err != nil {
		return err
	}
	t, err := q.tail(logs, show)
	if err != nil {
		return err
	}
	return t.run(ctx)
}

// open opens the streams that are asked for by name, or all that the broker has.
func (q *tailQuery) open(ctx context.Context, nc *nats.Conn) (logs []*eventstore.Stream, err error) {
	names := q.streams
	if len(names) == 0 {
		names = streamNames()
	}
	for _, name := range names {
		err := q.asker.ask(ctx, nc, func() error {
			log, err := openLog(ctx, nc, name)
			if err == nil {
				logs = append(logs, log)
			}
			return err
		})
		if len(q.streams) == 0 && errors.Is(err, jetstream.ErrStreamNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
	}
	if len(logs) == 0 {
		return nil, errors.New("the broker has no event stream: \"admitone serve\" makes them when it starts")
	}
	return logs, nil
}

// tail prepares to read what the query asks for out of the logs.
func (q *tailQuery) tail(logs []*eventstore.Stream, show func(*loggedEvent) error) (*tail, error) {
	t := &tail{follow: q.follow, asker: q.asker, left: q.limit, limited: q.limit > 0, types: q.types, show: show}
	var since time.Time
	var id uuid.UUID
	var err error
	if q.since != "" {
		if since, err = moment(q.since, time.Now()); err != nil {
			return nil, fmt.Errorf("--since: %w", err)
		}
	}
	if q.aggregate != "" {
		if id, err = uuid.Parse(q.aggregate); err != nil {
			return nil, fmt.Errorf("--aggregate %q is not a UUID", q.aggregate)
		}
	}
	if q.from > 0 && len(logs) != 1 {
		return nil, errors.New("--from-seq counts within one stream: name it with --stream")
	}
	if q.limit < 0 {
		return nil, fmt.Errorf("--limit %d is negative", q.limit)
	}
	for _, log := range logs {
		c := &logCursor{log: log, since: since, next: max(q.from, 1)}
		if id != uuid.Nil {
			c.filter = log.Subject(id)
		}
		t.cursors = append(t.cursors, c)
	}
	return t, nil
}

// tail merges logs by the time of storing: first what there is, then, following,
// what comes as it comes.
type tail struct {
	cursors []*logCursor
	types   []string
	follow  bool
	asker   asker
	limited bool
	left    int
	show    func(*loggedEvent) error
}

// errEnough: the limit is reached.
var errEnough = errors.New("enough")

func (t *tail) run(ctx context.Context) error {
	err := t.past(ctx)
	if err == nil && t.follow {
		err = t.future(ctx)
	}
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// wants says whether an event is of one of the types.
func (t *tail) wants(typ string) bool {
	return len(t.types) == 0 || slices.ContainsFunc(t.types, func(want string) bool {
		rest, ok := strings.CutPrefix(typ, want)
		return ok && (rest == "" || strings.HasPrefix(rest, ".v"))
	})
}

func (t *tail) take(log *eventstore.Stream, m eventstore.Message) error {
	e, _ := loggedEventOf(log, m)
	if !t.wants(e.Type) {
		return nil
	}
	if err := t.show(&e); err != nil {
		return err
	}
	if t.left--; t.limited && t.left == 0 {
		return errEnough
	}
	return nil
}

// past reads all logs to the ends they have now. Each is in order of time by itself,
// so the earliest of their next messages is the next of all.
func (t *tail) past(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	heads := make([]*pastLog, 0, len(t.cursors))
	for _, c := range t.cursors {
		err := t.asker.ask(ctx, c.log.Conn(), func() error { return c.bound(ctx) })
		if err != nil {
			return err
		}
		heads = append(heads, c.past(ctx))
	}
	defer func() {
		cancel()
		for _, h := range heads {
			h.drain()
		}
	}()
	for {
		var first *pastLog
		for _, h := range heads {
			m, err := h.peek()
			if err != nil {
				return err
			}
			if m != nil && (first == nil || m.Stored.Before(first.head.Stored)) {
				first = h
			}
		}
		if first == nil {
			return ctx.Err()
		}
		if err := t.take(first.cursor.log, first.pop()); err != nil {
			return err
		}
	}
}

// future shows new messages of all logs until ctx ends.
func (t *tail) future(ctx context.Context) error {
	type arrival struct {
		log *eventstore.Stream
		m   eventstore.Message
	}
	arrivals := make(chan arrival)
	group, ctx := errgroup.WithContext(ctx)
	for _, c := range t.cursors {
		group.Go(func() error {
			return c.read(ctx, 0, func(m eventstore.Message) error {
				select {
				case arrivals <- arrival{c.log, m}:
					return nil
				case <-ctx.Done():
					return ctx.Err()
				}
			})
		})
	}
	group.Go(func() error {
		for {
			select {
			case a := <-arrivals:
				if err := t.take(a.log, a.m); err != nil {
					return err
				}
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	})
	return group.Wait()
}
