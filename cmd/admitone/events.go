package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/admitone/admitone/api"
	"github.com/admitone/admitone/eventstore"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"
)

// loggedEvent is an event as it stands in the log, also one that cannot be read.
type loggedEvent struct {
	Stream    string `json:"stream"`
	Aggregate string `json:"aggregate_id"`
	api.Event
	// Problem is why it cannot be read, or does not count.
	Problem string `json:"problem,omitempty"`
}

func eventsCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "events", Short: "Read the event log, and tell of its events"}
	cmd.AddCommand(eventsTail(), eventsShow(), eventsCatalogue())
	return cmd
}

// openLog opens a stream that exists, in any case of letters. It changes nothing at
// the broker.
func openLog(ctx context.Context, nc *nats.Conn, name string) (*eventstore.Stream, error) {
	all := contexts()
	i := slices.IndexFunc(all, func(c bounded) bool { return strings.EqualFold(c.stream, name) })
	if i < 0 {
		return nil, fmt.Errorf("stream %q is not known: choose from %s", name, strings.Join(streamNames(), ", "))
	}
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, fmt.Errorf("open JetStream: %w", err)
	}
	there, err := js.Stream(ctx, all[i].stream)
	if err != nil {
		return nil, askFailed(all[i].stream, err)
	}
	log, err := eventstore.OpenStream(ctx, nc, eventstore.StreamConfig{
		Name: all[i].stream, Registry: all[i].registry(),
		// Were it gone by now, it would not be made.
		Expect: &eventstore.LogRecord{Stream: all[i].stream, Created: there.CachedInfo().Created},
	})
	if err != nil {
		return nil, askFailed(all[i].stream, err)
	}
	return log, nil
}

// askFailed says what to do where the broker did not answer.
func askFailed(stream string, err error) error {
	if isAway(err) {
		return fmt.Errorf("stream %s: the broker does not answer (%w): see that it runs (\"admitone serve\", or the servers of --nats), and try again", stream, err)
	}
	return fmt.Errorf("stream %s: %w", stream, err)
}

func streamNames() []string {
	var names []string
	for _, c := range contexts() {
		names = append(names, c.stream)
	}
	return names
}

// loggedEventOf reads a message as far as it can be read; decoded is nil where it
// cannot.
func loggedEventOf(log *eventstore.Stream, m eventstore.Message) (e loggedEvent, decoded *eventstore.Event) {
	e = loggedEvent{Stream: log.Name(), Aggregate: log.Aggregate(m.Subject).String(), Event: eventOf(log, m)}
	event, err := log.Decode(m)
	if err == nil {
		return e, &event
	}
	var fault *eventstore.DecodeError
	if errors.As(err, &fault) {
		err = fault.Err
	}
	e.Problem = "cannot be read: " + err.Error()
	return e, nil
}

// reference is how an event is named on the command line.
func (e *loggedEvent) reference() string {
	return fmt.Sprintf("%s/%s@%d", strings.ToLower(e.Stream), e.Aggregate, e.Version)
}

// print writes one line, safe for a terminal.
func (e *loggedEvent) print(out io.Writer, asJSON bool) error {
	line := fmt.Sprintf("%s  %s  %s  %s", e.StoredAt.Format(logTime), e.reference(), orDash(e.Type), compact(e.Payload))
	if e.Actor != "" {
		line += "  by " + e.Actor
	}
	if e.Problem != "" {
		line += "  (" + e.Problem + ")"
	}
	if asJSON {
		text, err := json.Marshal(e)
		if err != nil {
			return err
		}
		line = string(text)
	}
	_, err := fmt.Fprintln(out, printable(line))
	return err
}

// logTime is a moment of the log, to the millisecond and in UTC.
const logTime = "2006-01-02T15:04:05.000Z07:00"

// compact is JSON without its breaks.
func compact(payload json.RawMessage) string {
	var b bytes.Buffer
	if json.Compact(&b, payload) != nil {
		return string(payload)
	}
	return b.String()
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

// moment reads a time (RFC 3339) or a duration, which means so long ago.
func moment(text string, now time.Time) (time.Time, error) {
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return t, fmt.Errorf("%q is neither a time such as 2026-01-31T20:00:00Z nor a duration such as 15m", text)
	}
	return t, nil
}
