package commands

import (
	"context"
	"fmt"

	"github.com/admitone/admitone/eventstore"
	"github.com/google/uuid"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// traced begins the command's span, where it belongs to a trace, and hands that on to
// its events. With no tracer set up the events keep the trace that the caller named.
func traced[C any](ctx context.Context, cmd *Command[C]) (context.Context, trace.Span) {
	if !trace.SpanContextFromContext(ctx).IsValid() {
		ctx = eventstore.WithTraceParent(ctx, cmd.TraceParent)
	}
	if !trace.SpanContextFromContext(ctx).IsValid() {
		return ctx, trace.SpanFromContext(ctx)
	}
	ctx, span := otel.Tracer("github.com/admitone/admitone/commands").Start(ctx, fmt.Sprintf("%T", cmd.Body))
	cmd.TraceParent = eventstore.TraceParent(ctx)
	return ctx, span
}

// endSpan says what became of the command.
func endSpan(span trace.Span, aggregate uuid.UUID, version uint64, err error) {
	if span.IsRecording() {
		span.SetAttributes(attribute.String("aggregate.id", aggregate.String()), attribute.Int64("aggregate.version", int64(version)))
		if err != nil {
			span.SetStatus(codes.Error, err.Error())
		}
	}
	span.End()
}
