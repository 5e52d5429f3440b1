package main

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/admitone/admitone/api"
	"github.com/admitone/admitone/projections"
)

// readyTimeout bounds each thing that a readiness probe asks for. All are asked at once,
// so that what is slow makes nothing else look so.
const readyTimeout = 2 * time.Second

// The check that a copy may be ready without.
const checkReadStore = "read_store"

// ready checks what this process needs to answer requests. Lag is no reason to
// take no requests: it shows in /metrics.
func (a *app) ready(ctx context.Context) []api.Check {
	asks := []func(context.Context) []api.Check{
		func(ctx context.Context) []api.Check {
			_, err := a.tickets.State(ctx)
			return []api.Check{checkOf("broker", err)}
		},
		func(ctx context.Context) []api.Check { return []api.Check{checkOf(checkReadStore, a.store.Ping(ctx))} },
	}
	for _, w := range a.work.projecting {
		// Where no copy keeps conversations, tickets and orders are served all the same.
		if w.role == roleProjector || a.cfg.has(w.role) {
			asks = append(asks, w.ready)
		}
	}
	answers := make([][]api.Check, len(asks))
	var wg sync.WaitGroup
	for i, ask := range asks {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, readyTimeout)
			defer cancel()
			answers[i] = ask(ctx)
		})
	}
	wg.Wait()
	return a.forgive(slices.Concat(answers...))
}

// forgive keeps a copy that serves the API and was ready before ready when nothing but
// its read store is away: its commands work, and without it nobody could send any. One
// that was never ready may be set up wrongly. One without the API gets no requests
// whatever it says here, so it says what it is: an update that waits for it must not go
// on while the new copies cannot do their work.
func (a *app) forgive(checks []api.Check) []api.Check {
	if !slices.ContainsFunc(checks, func(c api.Check) bool { return !c.Ok }) {
		a.wasReady.Store(true)
		return checks
	}
	if !a.cfg.has(roleAPI) || !a.wasReady.Load() {
		return checks
	}
	for i, c := range checks {
		if c.Name == checkReadStore && !c.Ok {
			checks[i] = api.Check{Name: c.Name, Ok: true, Detail: "degraded: commands go on, queries are refused until it is back: " + c.Detail}
		}
	}
	return checks
}

func checkOf(name string, err error) api.Check {
	if err != nil {
		return api.Check{Name: name, Detail: err.Error()}
	}
	return api.Check{Name: name, Ok: true}
}

func (p projecting) ready(ctx context.Context) (checks []api.Check) {
	list, err := p.Standing(ctx)
	if err != nil {
		return []api.Check{checkOf("projections", err)}
	}
	for _, s := range list {
		checks = append(checks, projectionCheck(s))
	}
	return checks
}

func projectionCheck(p projections.Status) api.Check {
	c := api.Check{Name: "projection_" + p.Name, Ok: true}
	switch p.Status {
	case projections.StatusBuilding:
		c.Ok, c.Detail = false, "its first generation is being built: see /v1/admin/projections"
	case projections.StatusStarting:
		c.Ok, c.Detail = false, "it catches up with what was written before the start"
	}
	return c
}
