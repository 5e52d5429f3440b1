package eventstore

import (
	"context"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

const headerTraceContext = "traceparent" // W3C Trace Context, as a carrier's key

// WithTraceParent returns ctx with a span elsewhere as its parent, by its W3C
// traceparent; ctx as it is where that is empty or malformed.
func WithTraceParent(ctx context.Context, parent string) context.Context {
	if parent == "" {
		return ctx
	}
	return propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{headerTraceContext: parent})
}

// TraceParent is the W3C traceparent of the span in ctx, for an event's header or a
// request; empty where nothing is traced.
func TraceParent(ctx context.Context) string {
	if !trace.SpanContextFromContext(ctx).IsValid() {
		return ""
	}
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	return carrier[headerTraceContext]
}
