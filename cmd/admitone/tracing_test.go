package main

import (
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/admitone/admitone/internal/blackbox"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// receiver takes spans by OTLP over HTTP, as a collector does.
type receiver struct {
	mu    sync.Mutex
	spans []*otlp.Span
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	var batch collector.ExportTraceServiceRequest
	if err == nil {
		err = proto.Unmarshal(body, &batch)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, resource := range batch.ResourceSpans {
		for _, scope := range resource.ScopeSpans {
			r.spans = append(r.spans, scope.Spans...)
		}
	}
}

// trace is the names of a trace's spans, each behind those of its parents.
func (r *receiver) trace(id string) map[string]bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	byID := map[string]*otlp.Span{}
	for _, s := range r.spans {
		byID[string(s.SpanId)] = s
	}
	paths := map[string]bool{}
	for _, s := range r.spans {
		if hex.EncodeToString(s.TraceId) != id {
			continue
		}
		var path []string
		for at := s; at != nil; at = byID[string(at.ParentSpanId)] {
			path = append([]string{at.Name}, path...)
		}
		paths[strings.Join(path, " > ")] = true
	}
	return paths
}

// One trace leads from the request through the events to the process, its commands
// and the rows.
func TestTraces(t *testing.T) {
	t.Parallel()
	r := &receiver{}
	srv := httptest.NewServer(r)
	t.Cleanup(srv.Close)
	data := dataDir(t)
	s := program.Serve(t, data, "--otlp-endpoint", srv.URL+"/v1/traces")
	ticket := list(t, seller(t, data), 1)[0]
	const id = "0af7651916cd43dd8448eb211c80319c"
	buyer := seller(t, data)
	a := buyer.Do(t, "POST", "/v1/orders", `{"ticket_id":"`+ticket+`"}`,
		"Prefer", "wait=10", "Traceparent", "00-"+id+"-b7ad6b7169203331-01")
	require.Equal(t, 201, a.Status, a)
	for path, token := range map[string]string{"/v1/tickets/" + ticket: "tickets/" + ticket + "@2", a.Header.Get("Location"): a.Header.Get("Consistency-Token")} {
		read := buyer.Do(t, "GET", path, "", "Consistency-Token", token)
		require.Equal(t, 200, read.Status, read)
	}
	require.Zero(t, s.Stop(), s.Log())

	const request = "POST /v1/orders > order.Place"
	const reaction = request + " > process/reservation"
	paths := r.trace(id)
	for _, want := range []string{
		"POST /v1/orders", request, request + " > projection/orders",
		reaction, reaction + " > ticket.Reserve", reaction + " > ticket.Reserve > projection/tickets",
		reaction + " > order.Confirm", reaction + " > order.Confirm > projection/orders",
		request + " > process/expiration",
	} {
		require.Contains(t, paths, want)
	}
}

// Without a collector a caller's trace is passed on into the log.
func TestTracesAreOffUnlessAskedFor(t *testing.T) {
	t.Parallel()
	data := dataDir(t)
	s := program.Serve(t, data)
	const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	a := seller(t, data).Do(t, "POST", "/v1/tickets", blackbox.Offer("Seat", 100), "Traceparent", parent)
	require.Equal(t, 201, a.Status, a)
	js, err := jetstream.New(blackbox.Connect(t, s.NATS()))
	require.NoError(t, err)
	stream, err := js.Stream(t.Context(), "TICKETS")
	require.NoError(t, err)
	first, err := stream.GetMsg(t.Context(), 1)
	require.NoError(t, err)
	require.Equal(t, parent, first.Header.Get("traceparent"))
	require.NotContains(t, s.Log(), "traces")
	require.Zero(t, s.Stop(), s.Log())
}
