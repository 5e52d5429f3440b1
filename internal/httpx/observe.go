package httpx

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/admitone/admitone/api"
	"github.com/admitone/admitone/eventstore"
	"github.com/google/uuid"
	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
)

var (
	requestIDForm   = regexp.MustCompile(`^[A-Za-z0-9._:+/=@-]{1,128}$`)
	traceParentForm = regexp.MustCompile(`^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$`)
)

// observe is the outermost layer: it names the request, bounds its time, turns an
// error into an answer, and leaves a line in the log and a mark in the metrics.
func (s *server) observe(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		start := time.Now()
		r := c.Request()
		caller := api.Caller{RequestID: requestID(r.Header.Get("X-Request-Id"))}
		ctx, span := s.trace(c)
		caller.TraceParent = eventstore.TraceParent(ctx)
		ctx, cancel := context.WithTimeout(api.WithCaller(ctx, caller), s.cfg.Timeout)
		defer cancel()
		c.SetRequest(r.WithContext(ctx))
		setHeaders(c.Response().Header(), caller.RequestID)

		err := next(c)
		if err != nil {
			c.Error(err)
		}
		s.record(c, start, err)
		endSpan(span, c, caller.RequestID)
		return nil
	}
}

func requestID(given string) string {
	if requestIDForm.MatchString(given) {
		return given
	}
	return uuid.Must(uuid.NewV7()).String()
}

// setHeaders sets what every answer carries. Handlers of what may be kept replace
// Cache-Control.
func setHeaders(h http.Header, requestID string) {
	h.Set("X-Request-Id", requestID)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
}

// recover turns a panic into an error, which then is a 500 like any other.
func (s *server) recover(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) (err error) {
		defer func() {
			switch p := recover(); p {
			case nil:
			case http.ErrAbortHandler:
				panic(p)
			default:
				err = fmt.Errorf("httpx: panic: %v\n%s", p, debug.Stack())
			}
		}()
		return next(c)
	}
}

// record writes the access line. The cause of a fault on our side goes there and
// nowhere else.
func (s *server) record(c echo.Context, start time.Time, err error) {
	r, status, took := c.Request(), c.Response().Status, time.Since(start)
	rule, known := s.rules[ruleKey(r.Method, c.Path())]
	s.meter.observe(r.Method, rule.path, known, status, took)
	caller := api.CallerFrom(r.Context())
	attrs := []slog.Attr{
		slog.String("method", r.Method), slog.String("path", r.URL.Path), slog.Int("status", status),
		slog.Int64("bytes", c.Response().Size), slog.Float64("took_ms", float64(took.Microseconds())/1000), slog.String("remote", r.RemoteAddr),
		slog.String("request_id", caller.RequestID), slog.String("correlation_id", caller.RequestID),
	}
	if caller.Account != uuid.Nil {
		attrs = append(attrs, slog.String("account", caller.Account.String()))
	}
	level := slog.LevelInfo
	switch {
	case err != nil && status >= http.StatusInternalServerError && !errors.Is(err, context.Canceled): // not a caller who left
		level = slog.LevelError
		attrs = append(attrs, slog.Any("error", err))
	case known && !rule.logged():
		level = slog.LevelDebug
	}
	s.cfg.Logger.LogAttrs(r.Context(), level, "request", attrs...)
}

// logged is false for what is polled.
func (r rule) logged() bool {
	return r.path != "/livez" && r.path != "/readyz" && r.path != "/metrics"
}

// meter counts requests by what the document knows, so that no stranger's path or
// method becomes a label.
type meter struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
}

func newMeter(registry prometheus.Registerer) (*meter, error) {
	m := &meter{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "admitone_http_requests_total", Help: "Requests answered, by route and status.",
		}, []string{"method", "route", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "admitone_http_request_seconds", Help: "Time to answer a request.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 16),
		}, []string{"method", "route"}),
	}
	if err := registry.Register(m.requests); err != nil {
		return nil, err
	}
	return m, registry.Register(m.seconds)
}

func (m *meter) observe(method, route string, known bool, status int, took time.Duration) {
	if !known {
		method, route = "other", "unmatched"
	}
	m.requests.WithLabelValues(method, route, strconv.Itoa(status)).Inc()
	m.seconds.WithLabelValues(method, route).Observe(took.Seconds())
}
