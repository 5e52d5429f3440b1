package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/admitone/admitone/domain/conversation"
	"github.com/admitone/admitone/domain/order"
	"github.com/admitone/admitone/domain/ticket"
	"github.com/admitone/admitone/eventstore"
	"github.com/google/uuid"
	"github.com/spf13/cobra"
)

// fold takes an aggregate one event further and returns its state then.
type fold func(eventstore.Payload) any

// folds is how the events of each stream become a state.
func folds() map[string]func() fold {
	return map[string]func() fold{
		"TICKETS":       foldOf(ticket.Initial, ticket.Evolve),
		"ORDERS":        foldOf(order.Initial, order.Evolve),
		"CONVERSATIONS": foldOf(conversation.Initial, conversation.Evolve),
	}
}

func foldOf[S any, E eventstore.Payload](initial func() S, evolve func(S, E) S) func() fold {
	return func() fold {
		s := initial()
		return func(p eventstore.Payload) any {
			s = evolve(s, p.(E))
			return s
		}
	}
}

// statedEvent is an event and the state after it.
type statedEvent struct {
	loggedEvent
	State json.RawMessage `json:"state"` // null where it cannot be told
	// Unknown is why it cannot.
	Unknown string `json:"state_unknown,omitempty"`
	// aside: it has no place among the versions.
	aside bool
}

func eventsShow() *cobra.Command {
	var r remote
	var at string
	cmd := &cobra.Command{
		Use: "show STREAM/ID", Short: "Show the events of an aggregate, and its state after each", Args: cobra.ExactArgs(1),
		Long: `Show the events of an aggregate in the order of their versions, and its state after
each of them. With --at it shows the one state at a version, or at a time by the broker's
clock. An event that cannot be read is shown as such; the states after it are not known.`,
		Example: `  admitone events show tickets/0190c6f2-7a4e-7c3b-9d2e-5f60718293a4
  admitone events show tickets/0190c6f2-7a4e-7c3b-9d2e-5f60718293a4 --at 2
  admitone events show tickets/0190c6f2-7a4e-7c3b-9d2e-5f60718293a4 --at 2026-01-31T20:00:00Z`,
		RunE: func(cmd *cobra.Command, args []string) error {
			events, err := r.history(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if at == "" {
				return printHistory(cmd.OutOrStdout(), r.json, events)
			}
			then, err := stateAt(events, at, time.Now())
			if err != nil {
				return err
			}
			return printState(cmd.OutOrStdout(), r.json, then)
		},
	}
	r.flags(cmd)
	cmd.Flags().StringVar(&at, "at", "", "the state at this version, at this time (RFC 3339), or so long ago (15m)")
	return cmd
}

// history reads the aggregate that a reference such as tickets/<uuid> names.
func (r *remote) history(ctx context.Context, reference string) ([]statedEvent, error) {
	name, text, _ := strings.Cut(reference, "/")
	id, err := uuid.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%q names no aggregate: give a stream and a UUID, such as tickets/0190c6f2-7a4e-7c3b-9d2e-5f60718293a4", reference)
	}
	nc, err := r.connect()
	if err != nil {
		return nil, err
	}
	defer nc.Close()
	log, err := openLog(ctx, nc, name)
	if err != nil {
		return nil, err
	}
	var messages []eventstore.Message
	err = log.Read(ctx, id, 1, func(m eventstore.Message) error {
		messages = append(messages, m)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(messages) == 0 {
		return nil, fmt.Errorf("stream %s holds no event of %s", log.Name(), id)
	}
	return foldHistory(log, folds()[log.Name()](), messages), nil
}

// foldHistory puts the events in the order of their versions and folds them. Of two
// with one version the first in the stream counts.
func foldHistory(log *eventstore.Stream, next fold, messages []eventstore.Message) []statedEvent {
	events := make([]statedEvent, len(messages))
	payloads := map[int64]eventstore.Payload{} // by sequence
	for i, m := range messages {
		e, decoded := loggedEventOf(log, m)
		events[i].loggedEvent = e
		if decoded != nil {
			payloads[e.Sequence] = decoded.Payload
		}
	}
	slices.SortStableFunc(events, func(a, b statedEvent) int { return cmp.Compare(a.Version, b.Version) })
	var version int64
	var state any
	unknown := ""
	for i := range events {
		e := &events[i]
		payload, ok := payloads[e.Sequence]
		switch {
		case e.Version <= 0:
			e.aside = true
			continue
		case e.Version == version:
			e.aside, e.Problem = true, fmt.Sprintf("does not count: another event of version %d is before it", version)
			continue
		case unknown != "":
		case e.Version != version+1:
			unknown = fmt.Sprintf("version %d is not in the stream", version+1)
		case !ok:
			unknown = fmt.Sprintf("version %d cannot be read", e.Version)
		default:
			state = next(payload)
		}
		version = e.Version
		e.setState(state, unknown)
	}
	return events
}

func (e *statedEvent) setState(state any, unknown string) {
	e.Unknown = unknown
	if unknown != "" {
		return
	}
	text, err := json.Marshal(state)
	if err != nil {
		e.Unknown = err.Error()
		return
	}
	e.State = text
}

// stateAt finds the newest version that is not beyond a version, or that was stored
// at a time.
func stateAt(events []statedEvent, at string, now time.Time) (*statedEvent, error) {
	events = slices.DeleteFunc(slices.Clone(events), func(e statedEvent) bool { return e.aside })
	if len(events) == 0 {
		return nil, errors.New("none of its events can be read: see them without --at")
	}
	last := events[len(events)-1]
	if version, err := strconv.ParseInt(at, 10, 64); err == nil {
		i := slices.IndexFunc(events, func(e statedEvent) bool { return e.Version == version })
		if i < 0 {
			return nil, fmt.Errorf("--at: it has no version %d, its last one is %d", version, last.Version)
		}
		return &events[i], nil
	}
	t, err := moment(at, now)
	if err != nil {
		return nil, fmt.Errorf("--at: %w, nor a version", err)
	}
	var then *statedEvent
	for i := range events {
		if events[i].StoredAt.After(t) {
			break
		}
		then = &events[i]
	}
	if then == nil {
		return nil, fmt.Errorf("--at: at %s it did not exist: its first event was stored at %s", t.UTC().Format(logTime), events[0].StoredAt.Format(logTime))
	}
	return then, nil
}

func printHistory(out io.Writer, asJSON bool, events []statedEvent) error {
	for i := range events {
		e := &events[i]
		if asJSON {
			text, err := json.Marshal(e)
			if err != nil {
				return err
			}
			if _, err := fmt.Fprintln(out, printable(string(text))); err != nil {
				return err
			}
			continue
		}
		if err := e.print(out, false); err != nil {
			return err
		}
		if !e.aside {
			if _, err := fmt.Fprintln(out, "    "+printable(e.stateLine())); err != nil {
				return err
			}
		}
	}
	return nil
}

func (e *statedEvent) stateLine() string {
	if e.Unknown != "" {
		return "state not known: " + e.Unknown
	}
	return "state " + string(e.State)
}

// printState shows one state.
func printState(out io.Writer, asJSON bool, e *statedEvent) error {
	if e.Unknown != "" {
		return fmt.Errorf("the state at version %d is not known: %s", e.Version, e.Unknown)
	}
	if asJSON {
		text, err := json.Marshal(struct {
			Stream    string          `json:"stream"`
			Aggregate string          `json:"aggregate_id"`
			Version   int64           `json:"version"`
			StoredAt  time.Time       `json:"stored_at"`
			State     json.RawMessage `json:"state"`
		}{e.Stream, e.Aggregate, e.Version, e.StoredAt, e.State})
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(out, printable(string(text)))
		return err
	}
	_, err := fmt.Fprintf(out, "%s  %s\n%s\n", e.StoredAt.Format(logTime), e.reference(), printable(string(e.State)))
	return err
}
