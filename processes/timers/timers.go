// Package timers keeps timers at the broker, as message schedules (ADR-51): a timer
// is a message on timers.<kind>.<uuid>, which the broker turns into one on
// due.<kind>.<uuid> when its time has come, whoever runs then. That one is gone once
// it is handled.
//
// The runner of processes uses it. It imports eventstore.
package timers

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"time"

	"github.com/admitone/admitone/eventstore"
	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// StreamName is the stream that holds all timers.
const StreamName = "TIMERS"

// Headers of a timer. The broker strips its own when it fires; the last one stays
// and tells what was asked for, since a schedule may fire up to a second early.
const (
	headerSchedule = "Nats-Schedule"
	headerTarget   = "Nats-Schedule-Target"
	headerDue      = "Admitone-Due"
)

// Config tunes Timers; the zero value is usable.
type Config struct {
	Replicas int // of the stream; 0: 1, or as it is; never lowered
	Slots    int // handlers that work side by side; default 64
	Logger   *slog.Logger
}

// Timers sets and cancels timers, and handles those that are due. Safe for
// concurrent use.
type Timers struct {
	js     jetstream.JetStream
	stream jetstream.Stream
	slots  chan struct{}
	log    *slog.Logger
}

// Timer is one that is set or due. One kind has one timer for each id.
type Timer struct {
	Kind    string // letters, digits, "_" and "-"
	ID      uuid.UUID
	At      time.Time // when it is due
	Payload []byte
}

// Open creates the stream, or checks one that exists: ErrMisconfigured when pending
// timers could get lost in it, ErrUnavailable when the broker does not answer.
func Open(ctx context.Context, js jetstream.JetStream, cfg Config) (*Timers, error) {
	if cfg.Slots <= 0 {
		cfg.Slots = 64
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	stream, err := js.Stream(ctx, StreamName)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		stream, err = js.CreateStream(ctx, settings(cfg.Replicas))
		if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
			stream, err = js.Stream(ctx, StreamName) // another process was faster
		}
	}
	if err != nil {
		return nil, failed("open stream "+StreamName, err)
	}
	have := stream.CachedInfo().Config
	if err := check(have); err != nil {
		return nil, err
	}
	if cfg.Replicas > have.Replicas {
		have.Replicas = cfg.Replicas
		if stream, err = js.UpdateStream(ctx, have); err != nil {
			return nil, failed("change replicas of "+StreamName, err)
		}
	}
	return &Timers{js: js, stream: stream, slots: make(chan struct{}, cfg.Slots), log: cfg.Logger}, nil
}

func settings(replicas int) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:              StreamName,
		Description:       "timers, one subject for each, and those that are due",
		Subjects:          []string{"timers.*.*", "due.*.*"},
		Storage:           jetstream.FileStorage,
		Retention:         jetstream.LimitsPolicy,
		Discard:           jetstream.DiscardOld, // the server refuses schedules with discard new
		MaxBytes:          -1,                   // a limit would drop pending timers
		MaxMsgs:           -1,
		MaxMsgsPerSubject: 1,
		Replicas:          max(replicas, 1),
		AllowRollup:       true,
		AllowMsgSchedules: true,
	}
}

func check(have jetstream.StreamConfig) error {
	var faults []error
	wrong := func(bad bool, fault string) {
		if bad {
			faults = append(faults, errors.New(fault))
		}
	}
	wrong(!have.AllowMsgSchedules, "it does not allow message schedules")
	wrong(have.DenyPurge || have.DenyDelete, "its messages cannot be purged")
	wrong(have.MaxBytes > 0 || have.MaxMsgs > 0 || have.MaxAge != 0, "it has a limit, which drops pending timers")
	wrong(have.Storage != jetstream.FileStorage, "it is not stored in files")
	if err := errors.Join(faults...); err != nil {
		return fmt.Errorf("timers: stream %s: %w: %w; edit it, or remove it if no timer in it matters", StreamName, eventstore.ErrMisconfigured, err)
	}
	return nil
}

var kindForm = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// Schedule sets a timer, durably. Setting the same one again changes nothing, with
// another time it moves it; one that fires at that very moment fires at the old time,
// so a handler compares with what it knows. A time that has passed fires at once.
func (t *Timers) Schedule(ctx context.Context, timer Timer) error {
	return t.schedule(ctx, timer)
}

func (t *Timers) schedule(ctx context.Context, timer Timer, opts ...jetstream.PublishOpt) error {
	if !kindForm.MatchString(timer.Kind) {
		return fmt.Errorf("timers: kind %q must match %s", timer.Kind, kindForm)
	}
	at := timer.At.UTC().Format(time.RFC3339Nano)
	m := nats.NewMsg(pendingSubject(timer.Kind, timer.ID))
	m.Header.Set(headerSchedule, "@at "+at)
	m.Header.Set(headerTarget, dueSubject(timer.Kind, timer.ID))
	m.Header.Set(headerDue, at)
	m.Data = timer.Payload
	if _, err := t.js.PublishMsg(ctx, m, opts...); err != nil {
		return failed(fmt.Sprintf("schedule %s %s at %s", timer.Kind, timer.ID, at), err)
	}
	return nil
}

// Cancel removes a timer, and one that is due but not handled yet. It is no error
// when there is none. One that fires at that very moment may still be handled.
func (t *Timers) Cancel(ctx context.Context, kind string, id uuid.UUID) error {
	for _, subject := range []string{pendingSubject(kind, id), dueSubject(kind, id)} {
		if err := t.stream.Purge(ctx, jetstream.WithPurgeSubject(subject)); err != nil {
			return failed(fmt.Sprintf("cancel %s %s", kind, id), err)
		}
	}
	return nil
}

// Count asks the broker how many timers of a kind are pending, and how many are due
// and not handled yet.
func (t *Timers) Count(ctx context.Context, kind string) (pending, due int, err error) {
	for subject, n := range map[string]*int{pendingSubjects(kind): &pending, dueSubjects(kind): &due} {
		info, err := t.stream.Info(ctx, jetstream.WithSubjectFilter(subject))
		if err != nil {
			return 0, 0, failed("count "+kind, err)
		}
		*n = len(info.State.Subjects)
	}
	return pending, due, nil
}

func pendingSubject(kind string, id uuid.UUID) string { return "timers." + kind + "." + id.String() }
func dueSubject(kind string, id uuid.UUID) string     { return "due." + kind + "." + id.String() }
func pendingSubjects(kind string) string              { return "timers." + kind + ".*" }
func dueSubjects(kind string) string                  { return "due." + kind + ".*" }

// noRoom is the broker's errors for an account or disk without room: they pass.
var noRoom = []jetstream.ErrorCode{10002, 10023, 10047}

// failed wraps what the broker said. What it refuses as malformed passes as it is;
// anything else may work later.
func failed(what string, err error) error {
	var api *jetstream.APIError
	if errors.As(err, &api) && api.Code == 400 && !eventstore.Overtaken(err) && !slices.Contains(noRoom, api.ErrorCode) {
		return fmt.Errorf("timers: %s: the broker refuses: %w", what, err)
	}
	return fmt.Errorf("timers: %s: %w: %w", what, eventstore.ErrUnavailable, err)
}
