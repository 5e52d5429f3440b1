package eventstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go/jetstream"
)

// partitionsKey is the stream metadata that fixes P.
const partitionsKey = "admitone-partitions"

// findOrCreate returns the stream as it is afterwards.
func findOrCreate(ctx context.Context, js jetstream.JetStream, cfg *StreamConfig) (*jetstream.StreamInfo, error) {
	h, err := js.Stream(ctx, cfg.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		if cfg.Expect != nil {
			return nil, cfg.Expect.gone()
		}
		h, err = create(ctx, js, cfg)
		if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
			// Another process was faster, with other settings.
			h, err = js.Stream(ctx, cfg.Name)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("eventstore: open stream %s: %w", cfg.Name, cfg.refused(err))
	}
	info := h.CachedInfo()
	if err := cfg.Expect.checkInfo(info); err != nil {
		return nil, err
	}
	if err := checkSettings(info.Config, cfg); err != nil {
		return nil, err
	}
	return adjust(ctx, js, info, cfg)
}

func create(ctx context.Context, js jetstream.JetStream, cfg *StreamConfig) (jetstream.Stream, error) {
	h, err := js.CreateStream(ctx, newSettings(cfg))
	if cfg.leaveOutDefault(err) {
		h, err = js.CreateStream(ctx, newSettings(cfg))
	}
	return h, err
}

func openError(err error) error {
	var api *jetstream.APIError
	if errors.As(err, &api) {
		return fmt.Errorf("%w: the broker refuses: %w", ErrMisconfigured, err)
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}

func newSettings(cfg *StreamConfig) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:               cfg.Name,
		Description:        "AdmitOne events, one subject for each aggregate",
		Subjects:           []string{subjectsOf(cfg.Name)},
		Storage:            jetstream.FileStorage,
		Retention:          jetstream.LimitsPolicy,
		Discard:            jetstream.DiscardNew,
		MaxBytes:           cmp.Or(cfg.MaxBytes, cfg.DefaultMaxBytes, -1),
		MaxMsgs:            -1,
		MaxMsgsPerSubject:  -1,
		Replicas:           max(cfg.Replicas, 1),
		Duplicates:         cfg.DuplicateWindow,
		DenyDelete:         true,
		DenyPurge:          true,
		AllowDirect:        true,
		AllowAtomicPublish: true,
		Metadata:           map[string]string{partitionsKey: strconv.Itoa(max(cfg.Partitions, 1))},
	}
}

func subjectsOf(name string) string { return strings.ToLower(name) + ".>" }

// partitionsOf is 0 where the metadata holds no usable number.
func partitionsOf(c jetstream.StreamConfig) int {
	p, err := strconv.Atoi(c.Metadata[partitionsKey])
	if err != nil || p < 1 || p > 64 || p&(p-1) != 0 {
		return 0
	}
	return p
}

// checkSettings compares what cannot be changed, or must not be, without a look at the data.
func checkSettings(have jetstream.StreamConfig, cfg *StreamConfig) error {
	var faults []error
	wrong := func(bad bool, format string, args ...any) {
		if bad {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	p := partitionsOf(have)
	wrong(p == 0, "its metadata %s is %q; it was not made by this program: give it another name, or remove it if its contents are worthless",
		partitionsKey, have.Metadata[partitionsKey])
	wrong(p != 0 && cfg.Partitions != 0 && p != cfg.Partitions,
		"it has %d partitions, the configuration says %d; the number is fixed when a stream is created: configure %d (or none), or restore a backup into a new stream",
		p, cfg.Partitions, p)
	wrong(len(have.Subjects) != 1 || have.Subjects[0] != subjectsOf(cfg.Name), "its subjects are %q, want %q", have.Subjects, subjectsOf(cfg.Name))
	wrong(have.Storage != jetstream.FileStorage, "it is not stored in files; events in memory are lost with the broker")
	wrong(have.Retention != jetstream.LimitsPolicy, "its retention is %s, want limits; other kinds remove events", have.Retention)
	wrong(have.Discard != jetstream.DiscardNew, "it discards old messages when full; run: nats stream edit %s --discard new", cfg.Name)
	wrong(have.MaxAge != 0, "it forgets messages after %s; run: nats stream edit %s --max-age 0", have.MaxAge, cfg.Name)
	wrong(have.MaxMsgsPerSubject > 0, "it keeps only %d messages for each aggregate; run: nats stream edit %s --max-msgs-per-subject=-1", have.MaxMsgsPerSubject, cfg.Name)
	wrong(have.AllowRollup, "it allows rollups, which remove events; run: nats stream edit %s --no-allow-rollup", cfg.Name)
	wrong(!have.DenyDelete || !have.DenyPurge, "its messages can be deleted or purged; run: nats stream edit %s --deny-delete --deny-purge", cfg.Name)
	wrong(!have.AllowDirect, "it does not allow direct get; run: nats stream edit %s --allow-direct", cfg.Name)
	wrong(!have.AllowAtomicPublish, "it does not allow atomic batches; run: nats stream edit %s --allow-batch", cfg.Name)
	wrong(have.Sealed || have.Mirror != nil || have.NoAck, "it is sealed, a mirror, or does not acknowledge; it cannot be appended to")
	if err := errors.Join(faults...); err != nil {
		return fmt.Errorf("eventstore: stream %s: %w: %w", cfg.Name, ErrMisconfigured, err)
	}
	return nil
}

// adjust brings the settings that an operator may change to what cfg names.
func adjust(ctx context.Context, js jetstream.JetStream, info *jetstream.StreamInfo, cfg *StreamConfig) (*jetstream.StreamInfo, error) {
	have, want := info.Config, info.Config
	want.MaxBytes = byteLimit(info, cfg)
	// A copy that sees a part of the cluster must not take replicas away.
	want.Replicas = max(want.Replicas, cfg.Replicas)
	if cfg.DuplicateWindow != 0 {
		want.Duplicates = cfg.DuplicateWindow
	}
	if want.MaxBytes == have.MaxBytes && want.Replicas == have.Replicas && want.Duplicates == have.Duplicates {
		return info, nil
	}
	h, err := js.UpdateStream(ctx, want)
	if cfg.leaveOutDefault(err) {
		return adjust(ctx, js, info, cfg)
	}
	if err != nil {
		return nil, fmt.Errorf("eventstore: change settings of stream %s: %w", cfg.Name, cfg.refused(err))
	}
	return h.CachedInfo(), nil
}
