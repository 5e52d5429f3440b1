package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"crypto/rand"
	"github.com/admitone/admitone/readstore"
	"github.com/dustin/go-humanize"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sys/unix"
)

// opDoctor has the running server look at what only it can.
const opDoctor = "doctor"

// Measurements of the server.
const (
	measurements  = 21                     // the median and the worst of which are told
	syncWarn      = 20 * time.Millisecond  // a durable write that takes longer slows all commands
	publishWarn   = 50 * time.Millisecond  // the same over the network
	skewWarn      = 500 * time.Millisecond // beyond what the network explains
	skewFail      = 5 * time.Second
	examineServes = 5 * time.Second // how long one check may take
)

func (a *app) answerDoctor(ctx context.Context, _ json.RawMessage, _ func(any)) (any, error) {
	checks := []func(context.Context) finding{
		func(context.Context) finding { return a.examineDurability() },
		a.examineSync, a.examineBrokerClock, a.examineStore, a.examineStoreClock,
		func(context.Context) finding { return diskFinding(a.cfg.Data) },
	}
	var looks []func() []finding
	for _, check := range checks {
		looks = append(looks, func() []finding {
			bounded, cancel := context.WithTimeout(ctx, examineServes)
			defer cancel()
			if f := check(bounded); f.Check != "" {
				return []finding{f}
			}
			return nil
		})
	}
	return together(looks...), ctx.Err()
}

func (a *app) examineDurability() finding {
	const check = "durability"
	switch {
	case a.broker.server != nil && a.cfg.SyncInterval > 0:
		return warn(check, "leave --sync-interval out unless that is wanted", "%s", a.broker.durability)
	case a.broker.server == nil && a.broker.replicas < 3:
		return warn(check, "use a cluster of 3 NATS servers, or set sync: always on the one", "one replica on an external NATS server, whose own setting cannot be seen from here")
	}
	return ok(check, "%s", a.broker.durability)
}

// examineSync measures what a command waits for: a sync to the disk of the embedded
// server, or the acknowledgement of an external one.
func (a *app) examineSync(ctx context.Context) finding {
	if a.broker.server == nil {
		return a.examinePublish(ctx)
	}
	took, err := measureSync(ctx, a.cfg.Data)
	if err != nil {
		return fail("fsync", "see that the disk of the data directory can be written to", "%v", err)
	}
	return judgeTimes("fsync", took, syncWarn, "a sync to the disk of "+a.cfg.Data,
		"every command waits for one: use a disk that syncs faster, or trade durability for speed with --sync-interval")
}

// measureSync writes and syncs a block as the broker does.
func measureSync(ctx context.Context, dir string) (took []time.Duration, err error) {
	f, err := os.CreateTemp(dir, ".doctor-*")
	if err != nil {
		return nil, err
	}
	defer func() {
		_ = f.Close()
		_ = os.Remove(f.Name())
	}()
	block := make([]byte, 4096)
	for range measurements {
		if err := ctx.Err(); err != nil {
			return took, fmt.Errorf("%d syncs took %s: %w", len(took), examineServes, err)
		}
		began := time.Now()
		if _, err := f.Write(block); err != nil {
			return nil, err
		}
		if err := f.Sync(); err != nil {
			return nil, err
		}
		took = append(took, time.Since(began))
	}
	return took, nil
}

func (a *app) examinePublish(ctx context.Context) finding {
	took, err := measurePublish(ctx, a.tickets.JetStream(), a.broker.replicas)
	if err != nil {
		return fail("publish", "see that the NATS servers run and let this account make streams", "%v", err)
	}
	return judgeTimes("publish", took, publishWarn, fmt.Sprintf("a stored message with %d replicas", a.broker.replicas),
		"every command waits for one: see the network between the NATS servers, and their disks")
}

// measurePublish stores messages in a stream of its own, like the event streams,
// and removes it.
func measurePublish(ctx context.Context, js jetstream.JetStream, replicas int) (took []time.Duration, err error) {
	name := "DOCTOR_" + rand.Text()
	subject := "admitone.doctor." + name
	if _, err := js.CreateStream(ctx, jetstream.StreamConfig{
		Name: name, Description: "AdmitOne's doctor measures; it can be removed", Subjects: []string{subject},
		Storage: jetstream.FileStorage, Replicas: replicas, MaxAge: time.Minute,
	}); err != nil {
		return nil, err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), examineServes)
		defer cancel()
		if removeErr := js.DeleteStream(ctx, name); err == nil {
			err = removeErr
		}
	}()
	for range measurements {
		began := time.Now()
		if _, err := js.Publish(ctx, subject, make([]byte, 512)); err != nil {
			return nil, err
		}
		took = append(took, time.Since(began))
	}
	return took, nil
}

func judgeTimes(check string, took []time.Duration, bar time.Duration, what, advice string) finding {
	slices.Sort(took)
	median, worst := took[len(took)/2], took[len(took)-1]
	f := ok(check, "%s takes %s, at worst %s (of %d)", what, rounded(median), rounded(worst), len(took))
	if median > bar {
		f.Level, f.Advice = levelWarn, advice
	}
	return f
}

// examineBrokerClock compares clocks: the broker's answer was made between the
// request and its arrival.
func (a *app) examineBrokerClock(ctx context.Context) finding {
	began := time.Now()
	stream, err := a.tickets.JetStream().Stream(ctx, a.tickets.Name())
	if err != nil {
		return fail("clock of the broker", "see the findings about the broker", "%v", err)
	}
	return judgeClock("clock of the broker", began, time.Now(), stream.CachedInfo().TimeStamp)
}

// judgeClock tells by how much another clock is surely off: what lies outside of the
// time that the answer took.
func judgeClock(check string, began, ended, there time.Time) finding {
	const advice = "have all machines keep their time with NTP (chrony, systemd-timesyncd)"
	if there.IsZero() {
		return finding{}
	}
	var skew time.Duration
	switch {
	case there.Before(began):
		skew = there.Sub(began)
	case there.After(ended):
		skew = there.Sub(ended)
	}
	switch off := skew.Abs(); {
	case off >= skewFail:
		return fail(check, advice, "it is off by %s from this server's: orders expire at the wrong time", rounded(off))
	case off >= skewWarn:
		return warn(check, advice, "it is off by %s from this server's", rounded(off))
	}
	return ok(check, "it agrees with this server's, within %s", rounded(max(ended.Sub(began), skew.Abs())))
}

const storeAdvice = "see that the database runs and can be reached; commands are served meanwhile, queries are not"

func (a *app) examineStore(ctx context.Context) finding {
	began := time.Now()
	if err := a.store.Ping(ctx); err != nil {
		return fail("read store", storeAdvice, "%s: %v", storeName(a.cfg), err)
	}
	took := time.Since(began)
	described, err := a.describeStore(ctx)
	if err != nil {
		return fail("read store", storeAdvice, "%s: %v", storeName(a.cfg), err)
	}
	return ok("read store", "%s, version %s, answers in %s", storeName(a.cfg), described.Version, rounded(took))
}

func (a *app) examineStoreClock(ctx context.Context) finding {
	began := time.Now()
	described, err := a.describeStore(ctx)
	if err != nil {
		return finding{} // told already
	}
	// Its clock counts milliseconds.
	return judgeClock("clock of the read store", began.Truncate(time.Millisecond), time.Now(), described.Clock)
}

func (a *app) describeStore(ctx context.Context) (readstore.Description, error) {
	d, can := a.store.(readstore.Describer)
	if !can {
		return readstore.Description{Version: "not known"}, nil
	}
	return d.Describe(ctx)
}

// diskFinding looks at the room for a data directory, or where it would be made.
func diskFinding(dir string) finding {
	const check = "disk"
	path, err := filepath.Abs(dir)
	for err == nil {
		if _, err = os.Stat(path); !os.IsNotExist(err) || path == filepath.Dir(path) {
			break
		}
		path, err = filepath.Dir(path), nil
	}
	var disk unix.Statfs_t
	if err == nil {
		err = unix.Statfs(path, &disk)
	}
	if err != nil {
		return fail(check, "see that the data directory can be read", "%s: %v", dir, err)
	}
	block := uint64(disk.Bsize) //nolint:gosec // never negative
	return judgeDisk(dir, disk.Bavail*block, disk.Blocks*block)
}

func judgeDisk(dir string, free, size uint64) finding {
	const check, advice = "disk", "make room: a full disk stops all commands"
	detail := fmt.Sprintf("%s has %s free of %s", dir, humanize.IBytes(free), humanize.IBytes(size))
	switch used := 1 - float64(free)/float64(max(size, 1)); {
	case used >= fullFail:
		return fail(check, advice, "%s", detail)
	case used >= 0.9:
		return warn(check, advice, "%s", detail)
	}
	return ok(check, "%s", detail)
}
