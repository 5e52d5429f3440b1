package main

import (
	"context"
	"fmt"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
)

// openTraces sends spans to an OpenTelemetry collector where one is named; else
// nothing is traced, and the trace that a caller names is passed on as it is.
func (a *app) openTraces(ctx context.Context) error {
	if a.cfg.OTLPEndpoint == "" {
		return nil
	}
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(a.cfg.OTLPEndpoint))
	if err != nil {
		return fmt.Errorf("--otlp-endpoint %q: %w", a.cfg.OTLPEndpoint, err)
	}
	about := resource.NewSchemaless(attribute.String("service.name", "admitone"), attribute.String("service.version", currentVersion().Version))
	a.traces = trace.NewTracerProvider(trace.WithBatcher(exporter), trace.WithResource(about),
		trace.WithSampler(trace.ParentBased(trace.TraceIDRatioBased(a.cfg.TraceRatio))))
	otel.SetTracerProvider(a.traces)
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { a.log.Warn("traces are not sent", "cause", err) }))
	return nil
}

func (a *app) closeTraces() {
	if a.traces == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	if err := a.traces.Shutdown(ctx); err != nil {
		a.log.Warn("the last traces were not sent", "cause", err)
	}
}
