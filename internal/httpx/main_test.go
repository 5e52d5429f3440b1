package httpx_test

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/admitone/admitone/api"
	"github.com/admitone/admitone/internal/natstest"
	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// TestMain fails when a goroutine is left, or when the whole suite has run and
// an operation of the document was never answered with success.
func TestMain(m *testing.M) {
	contract.load()
	flag.Parse()
	code := m.Run()
	whole := flag.Lookup("test.run").Value.String() == "" && flag.Lookup("test.fuzz").Value.String() == ""
	if missing := contract.unseen(); code == 0 && whole && len(missing) > 0 {
		fmt.Fprintln(os.Stderr, "operations without a test that they answer:", missing)
		code = 1
	}
	if err := goleak.Find(natstest.Abandoned()...); code == 0 && err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// contract holds every answer of the suite against the document.
var contract = &checker{seen: map[string]bool{}}

type checker struct {
	doc    *openapi3.T
	router routers.Router
	mu     sync.Mutex
	seen   map[string]bool
}

func (c *checker) load() {
	raw, err := api.Document()
	if err == nil {
		c.doc, err = openapi3.NewLoader().LoadFromData(raw)
	}
	if err == nil {
		c.doc.Servers = nil                     // any address will do
		c.router, err = legacy.NewRouter(c.doc) // validates the document
	}
	if err != nil {
		panic(err)
	}
}

func (c *checker) unseen() (missing []string) {
	for _, item := range c.doc.Paths.Map() {
		for _, op := range item.Operations() {
			if !c.seen[op.OperationID] {
				missing = append(missing, op.OperationID)
			}
		}
	}
	return missing
}

// check fails the test on an answer that the document does not describe.
func (c *checker) check(t testing.TB, r *http.Request, status int, header http.Header, body []byte) {
	t.Helper()
	require.NotEmpty(t, header.Get("X-Request-Id"))
	require.Equal(t, "nosniff", header.Get("X-Content-Type-Options"))
	if r.Method == http.MethodHead {
		require.Empty(t, body)
		return
	}
	if status >= 400 {
		c.checkProblem(t, status, header, body)
	}
	route, params, err := c.router.FindRoute(r)
	if err != nil || strings.HasSuffix(r.URL.Path, "/") {
		require.Contains(t, []int{204, 400, 401, 404, 405, 413, 429}, status, "%s %s is not in the document", r.Method, r.URL)
		return
	}
	if status < 400 {
		c.mu.Lock()
		c.seen[route.Operation.OperationID] = true
		c.mu.Unlock()
	}
	err = openapi3filter.ValidateResponse(context.Background(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: r, PathParams: params, Route: route},
		Status:                 status, Header: header, Body: io.NopCloser(strings.NewReader(string(body))),
		Options: &openapi3filter.Options{IncludeResponseStatus: true, MultiError: true},
	})
	require.NoError(t, err, "%s %s: %d %s", r.Method, r.URL, status, body)
}

func (c *checker) checkProblem(t testing.TB, status int, header http.Header, body []byte) {
	t.Helper()
	require.Equal(t, "application/problem+json", header.Get("Content-Type"), "%s", body)
	require.Equal(t, "no-store", header.Get("Cache-Control"))
	problem := parse(t, body)
	require.NoError(t, c.doc.Components.Schemas["Problem"].Value.VisitJSON(problem))
	require.EqualValues(t, status, problem["status"])
	require.Equal(t, "urn:admitone:problem:"+problem["code"].(string), problem["type"])
	switch status {
	case http.StatusUnauthorized:
		require.Contains(t, header.Get("WWW-Authenticate"), "Bearer")
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		require.NotEmpty(t, header.Get("Retry-After"))
	case http.StatusMethodNotAllowed:
		require.NotEmpty(t, header.Get("Allow"))
	}
}
