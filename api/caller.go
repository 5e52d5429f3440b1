package api

import (
	"context"

	"github.com/google/uuid"
)

// Roles of a token.
const (
	RoleUser  = "user"
	RoleAgent = "agent"
	RoleAdmin = "admin"
	RoleBot   = "bot" // a program that answers in support
)

// Caller is who sent a request, and how the request is known in logs and events.
type Caller struct {
	Account     uuid.UUID // the zero UUID where no token came along
	Role        string
	RequestID   string // also the correlation id of what the request begins
	TraceParent string // W3C trace context, empty when not traced
}

type callerKey struct{}

// WithCaller returns a context that carries the caller.
func WithCaller(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// CallerFrom is the caller of a request; the zero Caller outside of one.
func CallerFrom(ctx context.Context) Caller {
	c, _ := ctx.Value(callerKey{}).(Caller)
	return c
}
