package processes

import (
	"context"

	"github.com/admitone/admitone/eventstore"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// traced begins the span of a reaction, where its cause belongs to a trace. With no
// tracer set up the commands keep the trace of the cause.
func (x reaction) traced(ctx context.Context) (context.Context, trace.Span) {
	ctx = eventstore.WithTraceParent(ctx, x.cause.TraceParent)
	if !trace.SpanContextFromContext(ctx).IsValid() {
		return ctx, trace.SpanFromContext(ctx)
	}
	return otel.Tracer("github.com/admitone/admitone/processes").Start(ctx, x.process.actor(),
		trace.WithSpanKind(trace.SpanKindConsumer), trace.WithAttributes(attribute.String("event.id", x.cause.CausationID)))
}

func endSpan(span trace.Span, err error) {
	if err != nil {
		span.SetStatus(codes.Error, err.Error())
	}
	span.End()
}
