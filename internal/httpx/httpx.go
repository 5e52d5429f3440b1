// Package httpx is the one place where echo, middleware and the table of errors
// meet. It turns api.StrictServerInterface into an http.Handler: routes from the
// API's document alone, access tokens and roles, limits, request ids, logs,
// metrics, and application/problem+json for every error.
//
// cmd calls it. It may import api, domain, and the engine's rooms for their errors.
package httpx

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/admitone/admitone/api"
	"github.com/admitone/admitone/internal/keys"
	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
)

// Limits of every request.
const (
	MaxBody        = 64 << 10 // bytes
	DefaultTimeout = 30 * time.Second
	DefaultRate    = 50 // requests a second of one account or address
)

// Config of the handler. Keys, Logger and Metrics are required.
type Config struct {
	Keys    *keys.Keys
	Logger  *slog.Logger
	Metrics prometheus.Registerer
	Timeout time.Duration // of one request; default DefaultTimeout
	// Rate is how many requests a second one account, or one address without a
	// token, may send, with bursts of twice as many. 0: DefaultRate, and none at
	// all where Loopback is set; below 0: never limited.
	Rate     float64
	Loopback bool // the listener is on a loopback address
	// TrustedProxies may say in X-Forwarded-For for whom they ask, so that not all of
	// their callers share one rate. None: whoever connects is the caller.
	TrustedProxies []net.IPNet
	// ProbesOnly serves the operations alone: probes, metrics, documents.
	ProbesOnly bool
}

func (c Config) validate() error {
	var faults []error
	if c.Keys == nil {
		faults = append(faults, errors.New("httpx: Config.Keys is missing"))
	}
	if c.Logger == nil {
		faults = append(faults, errors.New("httpx: Config.Logger is missing"))
	}
	if c.Metrics == nil {
		faults = append(faults, errors.New("httpx: Config.Metrics is missing"))
	}
	if c.Timeout < 0 {
		faults = append(faults, errors.New("httpx: Config.Timeout is negative"))
	}
	return errors.Join(faults...)
}

// server is what the middleware shares.
type server struct {
	cfg     Config
	rules   map[string]rule // by method and echo's path
	meter   *meter
	limiter *limiter // nil: off
	address echo.IPExtractor
}

// New returns the handler of all routes in the API's document.
func New(endpoints api.StrictServerInterface, cfg Config) (http.Handler, error) {
	e, err := newEcho(endpoints, cfg)
	if err != nil {
		return nil, err
	}
	return headAsGet(e), nil
}

func newEcho(endpoints api.StrictServerInterface, cfg Config) (*echo.Echo, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = DefaultTimeout
	}
	rules, err := readRules()
	if err != nil {
		return nil, err
	}
	meter, err := newMeter(cfg.Metrics)
	if err != nil {
		return nil, fmt.Errorf("httpx: register metrics: %w", err)
	}
	s := &server{cfg: cfg, rules: rules, meter: meter, limiter: newLimiter(cfg), address: addressOf(cfg.TrustedProxies)}
	e := echo.New()
	e.Binder = binder{rules: rules}
	e.HTTPErrorHandler = s.writeProblem
	e.Use(s.observe, s.recover)
	if cfg.ProbesOnly {
		e.Use(onlyProbes)
	}
	e.Use(s.admit, s.checkBody, s.checkQuery, joinLists, s.sayParameters)
	api.RegisterHandlers(e, api.NewStrictHandler(endpoints, nil))
	return e, nil
}

// headAsGet lets every GET be asked with HEAD (RFC 9110, section 9.3.2). The
// server leaves out the body, since it goes by the request it has read itself.
func headAsGet(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead {
			r = r.WithContext(r.Context())
			r.Method = http.MethodGet
		}
		next.ServeHTTP(w, r)
	})
}
