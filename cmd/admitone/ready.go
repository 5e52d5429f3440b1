package main

import (
	"context"
	"time"

	"github.com/admitone/admitone/api"
	"github.com/admitone/admitone/projections"
)

// readyTimeout bounds what a readiness probe asks of the stores.
const readyTimeout = 2 * time.Second

// ready checks what this process needs to answer requests. Lag is no reason to
// take no requests: it shows in /metrics.
func (a *app) ready(ctx context.Context) []api.Check {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	check := func(name string, err error) api.Check {
		c := api.Check{Name: name, Ok: err == nil}
		if err != nil {
			c.Detail = err.Error()
		}
		return c
	}
	_, streamErr := a.tickets.State(ctx)
	checks := []api.Check{check("broker", streamErr), check("read_store", a.store.Ping(ctx))}
	for _, w := range a.work.projecting {
		// Where no copy keeps conversations, tickets and orders are served all the same.
		if w.role != roleProjector && !a.cfg.has(w.role) {
			continue
		}
		list, err := w.Status(ctx)
		if err != nil {
			return append(checks, check("projections", err))
		}
		for _, p := range list {
			checks = append(checks, projectionCheck(p))
		}
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
