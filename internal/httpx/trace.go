package httpx

import (
	"context"
	"net/http"

	"github.com/admitone/admitone/eventstore"
	"github.com/labstack/echo/v4"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// trace begins the request's span, within the trace that the caller names. With no
// tracer set up the caller's own context is passed on. What is not the API (probes,
// metrics) is not traced.
func (s *server) trace(c echo.Context) (context.Context, trace.Span) {
	r := c.Request()
	ctx := r.Context()
	if parent := r.Header.Get("Traceparent"); traceParentForm.MatchString(parent) {
		ctx = eventstore.WithTraceParent(ctx, parent)
	}
	rule, known := s.rules[ruleKey(r.Method, c.Path())]
	if !known || rule.tag == "operations" {
		return ctx, trace.SpanFromContext(context.Background())
	}
	return otel.Tracer("github.com/admitone/admitone/internal/httpx").Start(ctx, r.Method+" "+rule.path,
		trace.WithSpanKind(trace.SpanKindServer),
		trace.WithAttributes(attribute.String("http.request.method", r.Method), attribute.String("http.route", rule.path)))
}

func endSpan(span trace.Span, c echo.Context, requestID string) {
	if span.IsRecording() {
		status := c.Response().Status
		span.SetAttributes(attribute.Int("http.response.status_code", status), attribute.String("admitone.request_id", requestID))
		if status >= http.StatusInternalServerError {
			span.SetStatus(codes.Error, http.StatusText(status))
		}
	}
	span.End()
}
