package httpx_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/admitone/admitone/api"
	"github.com/admitone/admitone/commands"
	"github.com/admitone/admitone/domain"
	"github.com/admitone/admitone/domain/ticket"
	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/internal/httpx"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

func TestBodies(t *testing.T) {
	s := setup(t)
	seller := s.account(api.RoleUser)
	post := func(body string, h ...string) reply {
		return s.do("POST", "/v1/tickets", body, append(h, "Authorization", seller.bearer)...)
	}
	for name, body := range map[string]string{
		"empty": "", "white space": " \n", "not JSON": "{", "trailing": someTicket + "x", "two values": someTicket + "{}",
		"single quotes": "{'title':1}", "not UTF-8": "{\"title\":\"\xff\"}", "bomb": strings.Repeat("[", 60_000), "NUL": "\x00",
		"deep": strings.Repeat(`{"price":`, 6000), "byte order mark": "\ufeff" + someTicket,
	} {
		post(body).is(400, "malformed")
		require.NotEmpty(t, name)
	}
	for body, pointers := range map[string][]string{
		`{}`:   {"/title", "/price"},
		`null`: {""},
		`[]`:   {""},
		`"x"`:  {""},
		strings.Repeat("[", 5000) + strings.Repeat("]", 5000):                                {""},
		`{"title":"","price":{}}`:                                                            {"/price/amount", "/price/currency", "/title"},
		`{"title":null,"price":null}`:                                                        {"/price", "/title"},
		`{"title":7,"price":7}`:                                                              {"/price", "/title"},
		`{"title":" \t","price":{"amount":0,"currency":"eur"}}`:                              {"/price/amount", "/price/currency", "/title"},
		`{"title":"x","price":{"amount":"1","currency":7}}`:                                  {"/price/amount", "/price/currency"},
		`{"title":"x","price":{"amount":1.5,"currency":"EUR"}}`:                              {"/price/amount"},
		`{"title":"x","price":{"amount":1e3,"currency":"EUR"}}`:                              {"/price/amount"},
		`{"title":"x","price":{"amount":-1,"currency":"EURO"}}`:                              {"/price/amount", "/price/currency"},
		`{"title":"x","price":{"amount":99999999999999999999,"currency":"EUR"}}`:             {"/price/amount"},
		`{"title":"x","price":{"amount":-99999999999999999999,"currency":"EUR"}}`:            {"/price/amount"},
		`{"title":"x","price":{"amount":1000000000001,"currency":"EUR"}}`:                    {"/price/amount"},
		`{"title":"` + strings.Repeat("ü", 201) + `","price":{"amount":1,"currency":"EUR"}}`: {"/title"},
		`{"title":"x","price":{"amount":1,"currency":"EUR","a/b":1},"~x":1,"Title":"x"}`:     {"/Title", "/price/a~1b", "/~0x"},
	} {
		require.Equal(t, pointers, post(body).is(422, "invalid").pointers(), body)
	}
	r := post(`{"title":"first","title":"last","price":{"amount":1,"currency":"USD"},"price":{"amount":2,"currency":"EUR"}}`).is(201, "")
	require.Equal(t, "last", r.field("title"))
	post(`{"title":"`+strings.Repeat("ü", 200)+`","price":{"amount":1000000000000,"currency":"EUR"}}`).is(201, "")
}

func TestBodySizeAndType(t *testing.T) {
	s := setup(t)
	seller := s.account(api.RoleUser)
	padded := func(n int) string { return someTicket + strings.Repeat(" ", n-len(someTicket)) }
	s.do("POST", "/v1/tickets", padded(httpx.MaxBody), "Authorization", seller.bearer).is(201, "")
	s.do("POST", "/v1/tickets", padded(httpx.MaxBody+1), "Authorization", seller.bearer).is(413, "body_too_large")
	path, _ := s.listed(seller)
	s.do("POST", path+"/withdraw", padded(httpx.MaxBody+1), "Authorization", seller.bearer).is(413, "body_too_large")

	chunked, err := http.NewRequestWithContext(t.Context(), "POST", s.url+"/v1/tickets", struct{ *strings.Reader }{strings.NewReader(padded(httpx.MaxBody + 1))})
	require.NoError(t, err)
	chunked.Header.Set("Content-Type", "application/json")
	chunked.Header.Set("Authorization", seller.bearer)
	require.EqualValues(t, 0, chunked.ContentLength, "unknown")
	s.send(chunked).is(413, "body_too_large")

	for _, wrong := range []string{"", "text/plain", "application/xml", "application/jsonx", "application/json; charset=latin1", "application/problem+json", ";"} {
		s.do("POST", "/v1/tickets", someTicket, "Authorization", seller.bearer, "Content-Type", wrong).is(415, "unsupported_media_type")
	}
	s.do("POST", "/v1/tickets", someTicket, "Authorization", seller.bearer, "Content-Encoding", "gzip").is(415, "unsupported_media_type")
	s.do("POST", "/v1/tickets", someTicket, "Authorization", seller.bearer, "Content-Type", "Application/JSON; charset=UTF-8").is(201, "")
	s.do("POST", path+"/withdraw", "", "Authorization", seller.bearer).is(200, "")
}

// A body where none is taken asks for something that would not be done.
func TestBodyWhereThereIsNone(t *testing.T) {
	s := setup(t)
	seller := s.account(api.RoleUser)
	path, _ := s.listed(seller)
	path += "/withdraw"
	withdraw := func(body string, h ...string) reply {
		return s.do("POST", path, body, append(h, "Authorization", seller.bearer)...)
	}
	require.Equal(t, []string{"/price"}, withdraw(`{"price":1}`).is(422, "invalid").pointers())
	withdraw(`[]`).is(422, "invalid")
	withdraw(`{`).is(400, "malformed")
	withdraw(`junk`, "Content-Type", "text/plain").is(415, "unsupported_media_type")
	s.do("POST", "/v1/nowhere", `junk`, "Authorization", seller.bearer, "Content-Type", "text/plain").is(404, "not_found")
	withdraw(`{}`).is(200, "")
}

func TestAuthorization(t *testing.T) {
	s := setup(t)
	user, admin := s.account(api.RoleUser), s.account(api.RoleAdmin)
	expired, err := s.keys.Mint(user.id, api.RoleUser, -time.Second)
	require.NoError(t, err)

	for _, at := range [][2]string{
		{"POST", "/v1/tickets"}, {"PUT", "/v1/tickets/" + uuid.NewString() + "/price"}, {"POST", "/v1/tickets/x/withdraw"},
		{"GET", "/v1/admin/projections"}, {"POST", "/v1/admin/projections/tickets/rebuild"}, {"GET", "/v1/admin/parked"},
		{"POST", "/v1/admin/parked/tickets/x/retry"}, {"GET", "/v1/admin/events/tickets/x"},
	} {
		s.do(at[0], at[1], "").is(401, "token_required")
		if strings.Contains(at[1], "admin") {
			s.do(at[0], at[1], "", "Authorization", user.bearer).is(403, "role_required")
			s.do(at[0], at[1], "", "Authorization", s.account(api.RoleAgent).bearer).is(403, "role_required")
		}
	}
	for _, bad := range []string{
		"Bearer " + expired, "Bearer x", "Bearer", "Bearer " + strings.Repeat("a.", 5000), "Basic dTpw", user.bearer + "x", "x " + user.bearer,
	} {
		for _, path := range []string{"/v1/tickets", "/v1/tickets/" + uuid.NewString(), "/v1/nothing", "/v1/admin/parked"} {
			s.do("GET", path, "", "Authorization", bad).is(401, "invalid_token")
		}
		s.do("GET", "/livez", "", "Authorization", bad).is(200, "")
	}
	s.do("GET", "/v1/tickets", "", "Authorization", user.bearer, "Authorization", admin.bearer).is(401, "invalid_token")
	s.do("GET", "/v1/tickets", "", "Authorization", strings.Replace(user.bearer, "Bearer", "bearer", 1)).is(200, "")
}

func TestUnknownPathsAndMethods(t *testing.T) {
	s := setup(t)
	for _, path := range []string{"/", "/v1", "/v1/", "/v1/tickets/", "/v1/tickets/a/b/c", "/nothing", "/%00", "/v1//tickets", "/../etc/passwd", "/.env"} {
		s.do("GET", path, "").is(404, "not_found")
	}
	for _, at := range [][3]string{
		{"DELETE", "/v1/tickets", "GET, POST"}, {"PATCH", "/v1/tickets/" + uuid.NewString(), "GET"}, {"POST", "/livez", "GET"}, {"BREW", "/metrics", "GET"},
	} {
		r := s.do(at[0], at[1], "").is(405, "method_not_allowed")
		for _, method := range strings.Split(at[2], ", ") {
			require.Contains(t, r.header.Get("Allow"), method)
		}
	}
	s.do("OPTIONS", "/v1/tickets", "").is(204, "")
}

func TestRequestID(t *testing.T) {
	s := setup(t)
	require.Equal(t, "mine-1", s.do("GET", "/v1/tickets", "", "X-Request-Id", "mine-1").header.Get("X-Request-Id"))
	for _, insane := range []string{"", "a b", strings.Repeat("x", 129), "ü", `"`, "<script>"} {
		given := s.do("GET", "/v1/tickets", "", "X-Request-Id", insane).header.Get("X-Request-Id")
		id, err := uuid.Parse(given)
		require.NoError(t, err, given)
		require.EqualValues(t, 7, id.Version())
	}
	require.Contains(t, s.log.String(), `"request_id":"mine-1","correlation_id":"mine-1"`)
}

// Each error becomes its problem; none but our own texts get out.
func TestErrorsOfCommands(t *testing.T) {
	for name, c := range map[string]struct {
		err    error
		status int
		code   string
	}{
		"key reused": {commands.ErrKeyReused, 422, "idempotency_key_reused"},
		"version":    {&commands.VersionMismatchError{Actual: 3}, 412, "version_mismatch"},
		"contention": {commands.ErrContention, 503, "contention"},
		"history":    {commands.ErrHistory, 503, "history_unreadable"},
		"unknown":    {errors.Join(eventstore.ErrUnavailable, eventstore.ErrUnknownOutcome), 503, "outcome_unknown"},
		"broker":     {eventstore.ErrUnavailable, 503, "broker_unavailable"},
		"full":       {eventstore.ErrStreamFull, 503, "stream_full"},
		"changed":    {eventstore.ErrLogChanged, 503, "log_changed"},
		"deadline":   {context.DeadlineExceeded, 503, "timeout"},
		"not found":  {ticket.ErrNotFound, 404, "ticket_not_found"},
		"conflict":   {ticket.ErrPriceChanged, 409, "ticket_price_changed"},
		"forbidden":  {ticket.ErrNotSeller, 403, "ticket_not_yours"},
		"invalid":    {domain.ErrAmount.At("/price/amount"), 422, "invalid_amount"},
		"anything":   {errors.New("boom"), 500, "internal"},
	} {
		t.Run(name, func(t *testing.T) {
			s := setup(t, func(o *options) {
				o.handler = handlerFunc(func(context.Context) error { return fmt.Errorf("secret of the machine: %w", c.err) })
			})
			r := s.do("PUT", "/v1/tickets/"+uuid.NewString()+"/price", `{"amount":1,"currency":"EUR"}`,
				"Authorization", s.account(api.RoleUser).bearer, "X-Request-Id", "find-me").is(c.status, c.code)
			require.NotContains(t, string(r.body), "secret")
			require.NotContains(t, string(r.body), "boom")
			if c.status >= 500 {
				require.Contains(t, s.log.String(), "secret of the machine")
				require.Contains(t, s.log.String(), "find-me")
			}
		})
	}
}

func TestPanicIsAProblem(t *testing.T) {
	s := setup(t, func(o *options) { o.handler = handlerFunc(func(context.Context) error { panic("secret") }) })
	r := s.list(s.account(api.RoleUser)).is(500, "internal")
	require.NotContains(t, string(r.body), "secret")
	require.Contains(t, s.log.String(), "panic: secret")
	require.Contains(t, s.log.String(), "request_test.go", "with its stack")
	s.do("GET", "/v1/tickets", "").is(200, "")
}

func TestRequestsEndInTime(t *testing.T) {
	s := setup(t, func(o *options) {
		o.httpx.Timeout = 20 * time.Millisecond
		o.handler = handlerFunc(func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
	})
	s.list(s.account(api.RoleUser)).is(503, "timeout")
}

// Callers behind a trusted proxy have a rate each, whatever they claim themselves; of
// somebody else's claims nothing is believed.
func TestRateBehindAProxy(t *testing.T) {
	loopback := net.IPNet{IP: net.IPv4(127, 0, 0, 0), Mask: net.CIDRMask(8, 32)}
	s := setup(t, func(o *options) { o.httpx.Rate, o.httpx.TrustedProxies = 0.001, []net.IPNet{loopback} })
	from := func(addresses string) reply { return s.do("GET", "/v1/tickets", "", "X-Forwarded-For", addresses) }
	from("198.51.100.1").is(200, "")
	from("198.51.100.1").is(429, "too_many_requests")
	from("203.0.113.9, 198.51.100.1").is(429, "too_many_requests")
	from("198.51.100.1, 127.0.0.7").is(429, "too_many_requests")
	from("198.51.100.2").is(200, "")
	from("2001:db8::1").is(200, "")
	from("2001:db8::2").is(429, "too_many_requests")
	s.do("GET", "/v1/tickets", "").is(200, "")

	alone := setup(t, func(o *options) { o.httpx.Rate = 0.001 })
	alone.do("GET", "/v1/tickets", "", "X-Forwarded-For", "198.51.100.1").is(200, "")
	alone.do("GET", "/v1/tickets", "", "X-Forwarded-For", "198.51.100.2").is(429, "too_many_requests")
}

func TestRateIsLimited(t *testing.T) {
	s := setup(t, func(o *options) { o.httpx.Rate = 0.001 })
	user, other := s.account(api.RoleUser), s.account(api.RoleUser)
	s.do("GET", "/v1/tickets", "", "Authorization", user.bearer).is(200, "")
	s.do("GET", "/v1/tickets", "", "Authorization", user.bearer).is(429, "too_many_requests")
	s.do("GET", "/v1/tickets", "", "Authorization", other.bearer).is(200, "")
	s.do("GET", "/v1/tickets", "").is(200, "")
	s.do("GET", "/v1/tickets", "").is(429, "too_many_requests")
	s.do("GET", "/v1/tickets", "", "Authorization", "Bearer guess").is(429, "too_many_requests")
	s.do("GET", "/livez", "").is(200, "")

	free := setup(t)
	for range 3 * httpx.DefaultRate {
		free.do("GET", "/v1/tickets/x", "").is(400, "")
	}
}

func TestServeFinishesWhatIsUnderWay(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	entered, leave := make(chan struct{}), make(chan struct{})
	h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { close(entered); <-leave; w.WriteHeader(204) })
	s := setup(t)
	ctx, cancel := context.WithCancel(t.Context())
	served, answered := make(chan error), make(chan int)
	go func() { served <- httpx.Serve(ctx, l, h, discard, 10*time.Second) }()
	go func() {
		response, err := s.client.Get("http://" + l.Addr().String())
		if err != nil {
			answered <- 0
			return
		}
		response.Body.Close()
		answered <- response.StatusCode
	}()
	<-entered
	cancel()
	close(leave)
	require.Equal(t, 204, <-answered)
	require.NoError(t, <-served)
}

// Who had connected before the end is answered, and told to come back elsewhere.
func TestServeAnswersWhoHasConnected(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) })
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error)
	go func() { served <- httpx.Serve(ctx, l, h, discard, 10*time.Second) }()
	early := dial(t, l)
	require.False(t, answerIsLast(t, dial(t, l)), "accepted after the early one")
	cancel()
	require.Eventually(t, func() bool {
		c, err := net.Dial("tcp", l.Addr().String())
		if err == nil {
			_ = c.Close()
		}
		return err != nil
	}, time.Minute, time.Millisecond)
	require.True(t, answerIsLast(t, early))
	require.NoError(t, <-served)
}

func dial(t *testing.T, l net.Listener) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// answerIsLast sends a request, and says whether its answer announces the connection's end.
func answerIsLast(t *testing.T, c net.Conn) bool {
	t.Helper()
	_, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	require.NoError(t, err)
	r, err := http.ReadResponse(bufio.NewReader(c), nil)
	require.NoError(t, err)
	defer r.Body.Close()
	require.Equal(t, 204, r.StatusCode)
	return r.Close
}

// What waits longer than the grace is told so before it would be cut off.
func TestServeEndsWhatWaits(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	entered := make(chan struct{})
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { close(entered); <-r.Context().Done(); w.WriteHeader(503) })
	ctx, cancel := context.WithCancel(t.Context())
	s := setup(t)
	served, answered := make(chan error), make(chan int)
	go func() { served <- httpx.Serve(ctx, l, h, discard, 10*time.Second) }()
	go func() {
		response, err := s.client.Get("http://" + l.Addr().String())
		if err != nil {
			answered <- 0
			return
		}
		response.Body.Close()
		answered <- response.StatusCode
	}()
	<-entered
	cancel()
	require.Equal(t, 503, <-answered)
	require.NoError(t, <-served)
}

func TestServeCutsOffAfterItsGrace(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	entered, leave := make(chan struct{}), make(chan struct{})
	defer close(leave)
	h := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { close(entered); <-leave })
	ctx, cancel := context.WithCancel(t.Context())
	s := setup(t)
	served, answered := make(chan error), make(chan error)
	go func() { served <- httpx.Serve(ctx, l, h, discard, time.Millisecond) }()
	go func() {
		_, err := s.client.Get("http://" + l.Addr().String()) //nolint:bodyclose // there is none
		answered <- err
	}()
	<-entered
	cancel()
	require.ErrorContains(t, <-served, "cut off")
	require.Error(t, <-answered)
}
