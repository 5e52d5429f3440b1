package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/admitone/admitone/api"
	"github.com/admitone/admitone/eventstore"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Where copies say that they are there. The micro framework knows only who answers, so
// without it a copy that hangs would look like one that was never started.
const (
	copiesBucket = "copies"
	knownFor     = time.Hour // how long one that says nothing more is asked after
	presentEvery = knownFor / 6
)

// presence is what a copy has said of itself.
type presence struct {
	Member  string   `json:"member"` // the same after a restart on the same data directory
	Version string   `json:"version"`
	Host    string   `json:"host"`
	PID     string   `json:"pid"`
	HTTP    string   `json:"http"`
	Started string   `json:"started"`
	Roles   []string `json:"roles"`
	seen    time.Time
}

// openPresence says that this copy is there, once it answers; the embedded form is alone.
func (a *app) openPresence(ctx context.Context) (err error) {
	if a.broker.server != nil {
		return nil
	}
	a.copies, err = eventstore.OpenBucket(ctx, a.tickets.JetStream(), jetstream.KeyValueConfig{
		Bucket: copiesBucket, Description: "which copies run, for operators", TTL: knownFor, Storage: jetstream.FileStorage, Replicas: a.broker.replicas,
	})
	if err != nil {
		return err
	}
	return a.present(ctx)
}

func (a *app) present(ctx context.Context) error {
	body, _ := json.Marshal(a.self)
	if _, err := a.copies.Put(ctx, a.self.Member, body); err != nil {
		return fmt.Errorf("announce this copy to operators: %w", err)
	}
	return nil
}

// stayPresent repeats it until ctx ends, and then takes it back.
func (a *app) stayPresent(ctx context.Context) {
	if a.copies == nil {
		return
	}
	tick := time.NewTicker(presentEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if err := a.present(ctx); err != nil && ctx.Err() == nil {
				a.log.Warn("operators may not know of this copy", "cause", err)
			}
		case <-ctx.Done():
			leaving, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			defer cancel()
			if err := a.copies.Delete(leaving, a.self.Member); err != nil {
				a.log.Debug("could not take back that this copy is there", "cause", err)
			}
			return
		}
	}
}

// silentCopies are those that have said that they are there, and are not among those
// who answered.
func silentCopies(ctx context.Context, nc *nats.Conn, answered []serviceInfo) ([]serviceInfo, error) {
	known, err := knownCopies(ctx, nc)
	if err != nil {
		return nil, err
	}
	var silent []serviceInfo
	for _, p := range known {
		if slices.ContainsFunc(answered, func(s serviceInfo) bool { return s.Member == p.Member }) {
			continue
		}
		check := api.Check{Name: "answers", Detail: fmt.Sprintf("nothing was heard of it since %s, and it did not take its leave", p.seen.UTC().Format(time.RFC3339))}
		for _, role := range p.Roles {
			silent = append(silent, serviceInfo{
				Role: role, Member: p.Member, Version: p.Version, Host: p.Host, PID: p.PID, HTTP: p.HTTP, Started: p.Started,
				Silent: true, Checks: []api.Check{check},
			})
		}
	}
	return silent, nil
}

func knownCopies(ctx context.Context, nc *nats.Conn) (known []presence, err error) {
	ctx, cancel := context.WithTimeout(ctx, discoverFor)
	defer cancel()
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, err
	}
	kv, err := js.KeyValue(ctx, copiesBucket)
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		return nil, nil // the embedded form, or none that ever said so
	}
	if err != nil {
		return nil, err
	}
	entries, err := kv.WatchAll(ctx, jetstream.IgnoreDeletes())
	if err != nil {
		return nil, err
	}
	defer func() { _ = entries.Stop() }()
	for e := range entries.Updates() {
		if e == nil {
			slices.SortFunc(known, func(a, b presence) int { return cmp.Compare(a.Started+a.Member, b.Started+b.Member) })
			return known, nil
		}
		var p presence
		if json.Unmarshal(e.Value(), &p) == nil {
			p.seen = e.Created()
			known = append(known, p)
		}
	}
	return known, ctx.Err()
}
