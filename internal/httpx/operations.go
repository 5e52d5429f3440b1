package httpx

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/admitone/admitone/api"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Operations is the endpoints for those who run the service: probes, metrics, the
// API's document and the catalogue of events.
type Operations struct {
	ready    func(context.Context) []api.Check
	metrics  http.Handler
	document json.RawMessage
	events   api.EventCatalogue
}

// NewOperations serves what metrics gathers, and asks ready for all checks of what
// the service needs to answer; ready must keep to its context and be safe for
// concurrent use.
func NewOperations(ready func(context.Context) []api.Check, metrics prometheus.Gatherer, events api.EventCatalogue) (*Operations, error) {
	document, err := api.Document()
	if err != nil {
		return nil, err
	}
	handler := promhttp.HandlerFor(metrics, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError})
	return &Operations{ready: ready, metrics: handler, document: document, events: events}, nil
}

// Livez is GET /livez. It looks at no dependency: what restarting cannot mend must
// not lead to a restart.
func (o *Operations) Livez(context.Context, api.LivezRequestObject) (api.LivezResponseObject, error) {
	return api.Livez200TextResponse("ok\n"), nil
}

// Readyz is GET /readyz.
func (o *Operations) Readyz(ctx context.Context, r api.ReadyzRequestObject) (api.ReadyzResponseObject, error) {
	verbose, err := isVerbose(r.Params.Verbose)
	if err != nil {
		return nil, err
	}
	checks := o.ready(ctx)
	var failed []string
	for _, c := range checks {
		if !c.Ok {
			failed = append(failed, c.Name+": "+c.Detail)
		}
	}
	if !verbose {
		checks = nil
	}
	if failed == nil {
		return api.Readyz200JSONResponse{
			Body:    api.Readiness{Status: "ready", Checks: checks},
			Headers: api.Readyz200ResponseHeaders{CacheControl: "no-store"},
		}, nil
	}
	p := problem(http.StatusServiceUnavailable, "not_ready", "Not ready", strings.Join(failed, "; "))
	return api.Readyz503ApplicationProblemPlusJSONResponse{
		Body: api.NotReady{
			Type: p.Type, Title: p.Title, Status: p.Status, Detail: p.Detail, Code: api.NotReadyCode(p.Code), Checks: checks,
		},
		Headers: api.Readyz503ResponseHeaders{RetryAfter: 1, CacheControl: "no-store"},
	}, nil
}

// isVerbose reads ?verbose, which may stand by its name alone.
func isVerbose(value *string) (bool, error) {
	switch {
	case value == nil || *value == "false":
		return false, nil
	case *value == "true" || *value == "":
		return true, nil
	}
	return false, api.Invalid("verbose", "must be true or false, or have no value")
}

// Metrics is GET /metrics.
func (o *Operations) Metrics(ctx context.Context, _ api.MetricsRequestObject) (api.MetricsResponseObject, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "/metrics", nil)
	return metricsResponse{handler: o.metrics, request: r}, err
}

type metricsResponse struct {
	handler http.Handler
	request *http.Request
}

func (m metricsResponse) VisitMetricsResponse(w http.ResponseWriter) error {
	m.handler.ServeHTTP(w, m.request)
	return nil
}

// Openapi is GET /openapi.json.
func (o *Operations) Openapi(context.Context, api.OpenapiRequestObject) (api.OpenapiResponseObject, error) {
	return documentResponse(o.document), nil
}

// Events is GET /events.json.
func (o *Operations) Events(context.Context, api.EventsRequestObject) (api.EventsResponseObject, error) {
	return api.Events200JSONResponse(o.events), nil
}

type documentResponse json.RawMessage

func (d documentResponse) VisitOpenapiResponse(w http.ResponseWriter) error {
	w.Header().Set("Content-Type", "application/json")
	_, err := w.Write(d)
	return err
}
