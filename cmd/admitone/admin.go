package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/admitone/admitone/api"
	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/processes"
	"github.com/admitone/admitone/projections"
	"github.com/admitone/admitone/readapi"
	"github.com/google/uuid"
)

// admin is the engine as the admin endpoints see it.
type admin struct {
	*workforce
	streams []*eventstore.Stream
}

var _ readapi.Admin = (*admin)(nil)

func (a *admin) Projections(ctx context.Context) ([]api.Projection, error) {
	list, err := a.projectionInfos(ctx)
	if err != nil {
		return nil, err
	}
	items := make([]api.Projection, len(list))
	for i, p := range list {
		items[i] = api.Projection{
			Name: p.Name, Revision: p.Revision, Generation: p.Generation, Status: p.Status, Admitted: int64(p.Admitted),
			LagEvents: int64(p.LagEvents), LagSeconds: p.LagSeconds, Parked: p.Parked, LastAdmittedAt: p.LastAdmittedAt,
		}
		if b := p.Rebuild; b != nil {
			items[i].Rebuild = &api.Rebuild{Events: int64(b.Events), Total: int64(b.Total), Rate: b.Rate, Errors: int64(b.Errors), LastError: b.LastError}
		}
	}
	return items, nil
}

func (a *admin) Rebuild(ctx context.Context, projection string) error {
	_, err := a.rebuild(ctx, projection)
	switch {
	case errors.Is(err, projections.ErrUnknownProjection):
		return &readapi.UnknownError{Name: projection, Known: a.projectionNames()}
	case errors.Is(err, projections.ErrRebuildRunning):
		return fmt.Errorf("%w: %w", readapi.ErrRebuilding, err)
	}
	return err
}

func (a *admin) Parked(ctx context.Context) ([]api.Parked, error) {
	list, err := a.parked(ctx)
	if err != nil {
		return nil, err
	}
	items := make([]api.Parked, len(list))
	for i, p := range list {
		items[i] = api.Parked{
			Projection: p.Projection, Stream: p.Stream, AggregateID: p.Aggregate.String(), Version: int64(p.Version),
			Cause: p.Cause, Attempts: p.Attempts, Since: p.Since,
		}
	}
	return items, nil
}

func (a *admin) Retry(ctx context.Context, projection string, id uuid.UUID) error {
	_, err := a.retry(ctx, projection, id)
	if errors.Is(err, processes.ErrUnknownProcess) {
		return &readapi.UnknownError{Name: projection, Known: append(a.projectionNames(), a.processNames()...)}
	}
	return err
}

func (a *admin) Events(ctx context.Context, stream string, id uuid.UUID) ([]api.Event, error) {
	for _, s := range a.streams {
		if strings.EqualFold(s.Name(), stream) {
			return readEvents(ctx, s, id)
		}
	}
	return nil, fmt.Errorf("stream %q: %w", stream, readapi.ErrNoEvents)
}

func readEvents(ctx context.Context, s *eventstore.Stream, id uuid.UUID) ([]api.Event, error) {
	var items []api.Event
	err := s.Read(ctx, id, 1, func(m eventstore.Message) error {
		items = append(items, eventOf(s, m))
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(items) == 0 {
		return nil, fmt.Errorf("%s of %s: %w", id, s.Name(), readapi.ErrNoEvents)
	}
	return items, nil
}

// eventOf shows a message as it stands in the log, also one that cannot be read.
func eventOf(s *eventstore.Stream, m eventstore.Message) api.Event {
	pos, _ := s.Position(m)
	item := api.Event{
		ID: m.Header.Get("ce-id"), Type: pos.Type, Version: int64(pos.Version), Sequence: int64(m.Sequence),
		StoredAt: m.Stored.UTC(), Time: m.Stored.UTC(), Actor: m.Header.Get("ce-actor"),
		CausationID: m.Header.Get("ce-causationid"), CorrelationID: m.Header.Get("ce-correlationid"), CommandID: m.Header.Get("ce-commandid"),
		Payload: m.Data,
	}
	if e, err := s.Decode(m); err == nil {
		item.Time = e.Time
	}
	if !json.Valid(m.Data) {
		item.Payload, _ = json.Marshal(string(m.Data))
	}
	return item
}
