package readapi

import (
	"context"
	"errors"
	"fmt"

	"github.com/admitone/admitone/api"
	"github.com/google/uuid"
)

// Errors that an Admin answers with; others mean what they mean in the room that
// they come from.
var (
	// ErrNoProjection: there is no projection of that name.
	ErrNoProjection = errors.New("no such projection")
	// ErrRebuilding: a rebuild of the projection runs already.
	ErrRebuilding = errors.New("projection is being rebuilt")
	// ErrNoEvents: there is no such stream, or no event of the aggregate in it.
	ErrNoEvents = errors.New("no such events")
)

// UnknownError is ErrNoProjection, with the names that there are.
type UnknownError struct {
	Name  string
	Known []string
}

func (e *UnknownError) Error() string { return fmt.Sprintf("%q: %v", e.Name, ErrNoProjection) }

// Unwrap is ErrNoProjection.
func (e *UnknownError) Unwrap() error { return ErrNoProjection }

// Admin is the engine as its operators see it. Safe for concurrent use.
type Admin interface {
	// Projections lists all projections and how far they are.
	Projections(ctx context.Context) ([]api.Projection, error)
	// Rebuild starts a rebuild and returns while it runs. ErrNoProjection (*UnknownError), ErrRebuilding.
	Rebuild(ctx context.Context, projection string) error
	// Parked lists what is parked in any projection.
	Parked(ctx context.Context) ([]api.Parked, error)
	// Retry tries a parked aggregate again. Idempotent, and no error where nothing
	// is parked. A process is named as a projection is. ErrNoProjection (*UnknownError).
	Retry(ctx context.Context, projection string, id uuid.UUID) error
	// Events reads one aggregate's events, oldest first; stream is in lower case. ErrNoEvents.
	Events(ctx context.Context, stream string, id uuid.UUID) ([]api.Event, error)
}

// AdminEndpoints is the endpoints under /v1/admin.
type AdminEndpoints struct{ admin Admin }

// NewAdminEndpoints answers from admin.
func NewAdminEndpoints(admin Admin) *AdminEndpoints { return &AdminEndpoints{admin: admin} }

// GetProjections is GET /v1/admin/projections.
func (e *AdminEndpoints) GetProjections(ctx context.Context, _ api.GetProjectionsRequestObject) (api.GetProjectionsResponseObject, error) {
	items, err := e.admin.Projections(ctx)
	if err != nil {
		return nil, err
	}
	return api.GetProjections200JSONResponse{Items: notNil(items)}, nil
}

// RebuildProjection is POST /v1/admin/projections/{name}/rebuild.
func (e *AdminEndpoints) RebuildProjection(ctx context.Context, r api.RebuildProjectionRequestObject) (api.RebuildProjectionResponseObject, error) {
	if err := e.admin.Rebuild(ctx, r.Name); err != nil {
		return nil, err
	}
	return api.RebuildProjection202Response{Headers: api.RebuildProjection202ResponseHeaders{Location: "/v1/admin/projections"}}, nil
}

// GetParked is GET /v1/admin/parked.
func (e *AdminEndpoints) GetParked(ctx context.Context, _ api.GetParkedRequestObject) (api.GetParkedResponseObject, error) {
	items, err := e.admin.Parked(ctx)
	if err != nil {
		return nil, err
	}
	return api.GetParked200JSONResponse{Items: notNil(items)}, nil
}

// RetryParked is POST /v1/admin/parked/{projection}/{id}/retry.
func (e *AdminEndpoints) RetryParked(ctx context.Context, r api.RetryParkedRequestObject) (api.RetryParkedResponseObject, error) {
	if err := e.admin.Retry(ctx, r.Projection, r.ID); err != nil {
		return nil, err
	}
	return api.RetryParked204Response{}, nil
}

// GetEvents is GET /v1/admin/events/{stream}/{id}.
func (e *AdminEndpoints) GetEvents(ctx context.Context, r api.GetEventsRequestObject) (api.GetEventsResponseObject, error) {
	items, err := e.admin.Events(ctx, r.Stream, r.ID)
	if err != nil {
		return nil, err
	}
	return api.GetEvents200JSONResponse{Items: notNil(items)}, nil
}

func notNil[T any](items []T) []T {
	if items == nil {
		return []T{}
	}
	return items
}
