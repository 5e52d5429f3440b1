package httpx

import (
	"encoding/json"
	"log/slog"
	"strings"
	"testing"

	"github.com/admitone/admitone/api"
	"github.com/admitone/admitone/internal/keys"
	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
)

func TestRoutesAreTheDocuments(t *testing.T) {
	e, err := newEcho(nil, Config{Keys: &keys.Keys{}, Logger: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry()})
	require.NoError(t, err)
	rules, err := readRules()
	require.NoError(t, err)
	routes := map[string]bool{}
	for _, r := range e.Routes() {
		if r.Method != echo.RouteNotFound {
			routes[ruleKey(r.Method, r.Path)] = true
			require.Contains(t, rules, ruleKey(r.Method, r.Path), "a route outside the document")
		}
	}
	for key := range rules {
		require.True(t, routes[key], "%s has no route: run go generate ./api", key)
	}
}

func TestRulesOfTheDocument(t *testing.T) {
	rules, err := readRules()
	require.NoError(t, err)
	for key, r := range rules {
		switch {
		case len(r.path) > 10 && r.path[:10] == "/v1/admin/":
			require.Equal(t, []string{api.RoleAdmin}, r.roles, key)
			require.True(t, r.secured, key)
		case !strings.HasPrefix(r.path, "/v1/"), strings.HasPrefix(key, "GET /v1/tickets"):
			require.False(t, r.secured, key)
		default:
			require.True(t, r.secured, key)
		}
	}
	require.NotNil(t, rules["POST /v1/tickets"].body)
	require.False(t, rules["POST /v1/tickets"].bodyOptional)
	require.Nil(t, rules["POST /v1/tickets/:id/withdraw"].body)
	require.True(t, rules["POST /v1/orders/:id/cancel"].bodyOptional)
}

func TestUnknownKeywordOfASchemaIsRefused(t *testing.T) {
	_, err := (&document{}).schema(json.RawMessage(`{"type":"string","multipleOf":3}`))
	require.ErrorContains(t, err, "multipleOf")
}

func TestEveryCodeStandsOnceInTheTable(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range kinds {
		require.False(t, seen[k.code], k.code)
		seen[k.code] = true
		require.Equal(t, k.status == 429 || k.status == 503, k.retry > 0, k.code)
		require.NotEmpty(t, k.title)
	}
}

func FuzzBody(f *testing.F) {
	rules, err := readRules()
	require.NoError(f, err)
	body := rules["POST /v1/tickets"].body
	f.Add([]byte(`{"title":"x","price":{"amount":1,"currency":"EUR"}}`))
	f.Add([]byte(`{"title":"x","title":null,"price":[{"amount":-1e9}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		value, err := decode(raw)
		if err != nil || body.validate("", value) != nil {
			return
		}
		var ticket api.NewTicket
		require.NoError(t, json.Unmarshal(raw, &ticket), "what the schema lets through fits the type")
		require.GreaterOrEqual(t, ticket.Price.Amount, int64(1))
		require.Len(t, ticket.Price.Currency, 3)
	})
}
