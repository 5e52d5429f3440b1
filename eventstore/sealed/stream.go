package sealed

import (
	"context"
	"errors"
	"fmt"

	"github.com/admitone/admitone/eventstore"
	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"
)

// StreamName is the stream that holds all keys, one subject for each owner.
const StreamName = "KEYS"

const (
	subjectPrefix = "keys."
	allSubjects   = subjectPrefix + "*"
)

func subjectOf(owner uuid.UUID) string { return subjectPrefix + owner.String() }

// perSubject: the key, and behind it, while it is erased, the tombstone. The
// server refuses more than that. A limit of 1 would be wrong: the tombstone would
// push the key out, and what a limit removes is not overwritten.
const perSubject = 2

func settings(replicas int) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:                 StreamName,
		Description:          "keys of sealed fields, one subject for each owner",
		Subjects:             []string{allSubjects},
		Storage:              jetstream.FileStorage,
		Retention:            jetstream.LimitsPolicy,
		Discard:              jetstream.DiscardNew,
		DiscardNewPerSubject: true,
		MaxMsgsPerSubject:    perSubject,
		MaxBytes:             -1,
		MaxMsgs:              -1,
		Replicas:             max(replicas, 1),
		AllowDirect:          true,
		DenyPurge:            true, // it would lose keys, and leave their bytes in the file
	}
}

func openStream(ctx context.Context, js jetstream.JetStream, replicas int) (jetstream.Stream, error) {
	stream, err := js.Stream(ctx, StreamName)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		stream, err = js.CreateStream(ctx, settings(replicas))
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
	// A copy that sees a part of the cluster must not take replicas away.
	if have.Replicas < replicas {
		have.Replicas = replicas
		if stream, err = js.UpdateStream(ctx, have); err != nil {
			return nil, failed("change replicas of "+StreamName, err)
		}
	}
	return stream, nil
}

// check refuses a stream that could lose keys, or could not erase them.
func check(have jetstream.StreamConfig) error {
	var faults []error
	wrong := func(bad bool, fault string) {
		if bad {
			faults = append(faults, errors.New(fault))
		}
	}
	wrong(len(have.Subjects) != 1 || have.Subjects[0] != allSubjects, "its subjects are not "+allSubjects)
	wrong(have.DenyDelete, "its messages cannot be deleted, so nobody could be erased")
	wrong(have.Storage != jetstream.FileStorage, "it is not stored in files")
	wrong(have.Retention != jetstream.LimitsPolicy || have.MaxAge != 0, "it forgets keys by itself")
	wrong(have.Discard != jetstream.DiscardNew || !have.DiscardNewPerSubject, "it discards old messages, which leaves their bytes in the file")
	wrong(have.MaxMsgsPerSubject != perSubject, fmt.Sprintf("it keeps %d messages for each subject, want %d", have.MaxMsgsPerSubject, perSubject))
	wrong(have.AllowRollup || have.Mirror != nil || len(have.Sources) > 0 || have.Sealed, "it allows rollups, is a mirror, or cannot be written to")
	if err := errors.Join(faults...); err != nil {
		return fmt.Errorf("sealed: stream %s: %w: %w; edit it, keep a backup: without its keys what they sealed is lost",
			StreamName, eventstore.ErrMisconfigured, err)
	}
	return nil
}

// failed wraps what the broker said. What it refuses as malformed passes as it is;
// anything else may work later.
func failed(what string, err error) error {
	var api *jetstream.APIError
	if errors.As(err, &api) && api.Code == 400 && !eventstore.Overtaken(err) {
		return fmt.Errorf("sealed: %s: the broker refuses: %w", what, err)
	}
	return fmt.Errorf("sealed: %s: %w: %w", what, eventstore.ErrUnavailable, err)
}
