package commands

import (
	"errors"
	"log/slog"
	"time"

	"github.com/google/uuid"
)

// Config tunes a Handler; the zero value is usable.
type Config struct {
	CacheSize        int // aggregates kept in memory; default 100,000
	SnapshotEvery    int // events between snapshots; default 100, below 0: never
	SnapshotRevision int // raise it when the state's JSON shape changes

	Logger *slog.Logger     // default: silent
	Now    func() time.Time // default time.Now
	NewID  func() uuid.UUID // of events; default UUIDv7
}

// Validate reports every fault at once.
func (c Config) Validate() error {
	var faults []error
	if c.CacheSize < 0 {
		faults = append(faults, errors.New("commands: CacheSize must not be negative"))
	}
	if c.SnapshotRevision < 0 {
		faults = append(faults, errors.New("commands: SnapshotRevision must not be negative"))
	}
	return errors.Join(faults...)
}

func (c Config) withDefaults() Config {
	if c.CacheSize == 0 {
		c.CacheSize = 100_000
	}
	if c.SnapshotEvery == 0 {
		c.SnapshotEvery = 100
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.NewID == nil {
		c.NewID = func() uuid.UUID { return uuid.Must(uuid.NewV7()) }
	}
	return c
}
