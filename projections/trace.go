package projections

import (
	"context"

	"github.com/admitone/admitone/eventstore"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
)

// trace begins the span of an event that belongs to a trace: from when the broker
// stored it until its rows are written, see written.
func (l *lane) trace(ctx context.Context, e eventstore.Event) {
	if e.TraceParent == "" {
		return
	}
	_, span := otel.Tracer("github.com/admitone/admitone/projections").Start(
		eventstore.WithTraceParent(ctx, e.TraceParent), "projection/"+l.g.projection.name,
		trace.WithSpanKind(trace.SpanKindConsumer), trace.WithTimestamp(e.Stored),
		trace.WithAttributes(attribute.String("event.id", e.ID.String()), attribute.Int64("aggregate.version", int64(e.Version))))
	if span.IsRecording() {
		l.spans = append(l.spans, span)
	}
}

// written ends the spans of the events that a flush has written.
func (l *lane) written() {
	for _, span := range l.spans {
		span.End()
	}
	l.spans = l.spans[:0]
}
