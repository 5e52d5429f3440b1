package httpx

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/admitone/admitone/api"
	"github.com/admitone/admitone/internal/keys"
	"github.com/google/uuid"
	"github.com/labstack/echo/v4"
	"github.com/maypok86/otter/v2"
	"golang.org/x/time/rate"
)

// admit lets a request under /v1 through when it is within its rate, carries a
// valid access token or none, and the token's role fits the operation. Probes and
// metrics know no accounts.
func (s *server) admit(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		if !strings.HasPrefix(r.URL.Path, "/v1/") {
			return next(c)
		}
		identity, err := s.authenticate(r)
		if !s.limiter.allow(r.Context(), limitKey(identity, s.address(r))) {
			return errTooMany
		}
		if err != nil {
			return err
		}
		if err := s.rules[ruleKey(r.Method, c.Path())].permit(identity); err != nil {
			return err
		}
		caller := api.CallerFrom(r.Context())
		caller.Account, caller.Role = identity.Account, identity.Role
		c.SetRequest(r.WithContext(api.WithCaller(r.Context(), caller)))
		return next(c)
	}
}

// authenticate is the zero identity for a request without a token.
func (s *server) authenticate(r *http.Request) (keys.Identity, error) {
	lines := r.Header.Values("Authorization")
	if len(lines) == 0 {
		return keys.Identity{}, nil
	}
	scheme, token, _ := strings.Cut(lines[0], " ")
	if len(lines) > 1 || !strings.EqualFold(scheme, "Bearer") {
		return keys.Identity{}, fmt.Errorf("%w: the header must be `Authorization: Bearer <token>`", keys.ErrToken)
	}
	return s.cfg.Keys.Verify(strings.TrimSpace(token))
}

func (r rule) permit(identity keys.Identity) error {
	switch {
	case r.secured && identity.Account == uuid.Nil:
		return errNoToken
	case len(r.roles) > 0 && !slices.Contains(r.roles, identity.Role):
		return errRole
	}
	return nil
}

// limiter keeps a token bucket for each account or address that was seen of late.
type limiter struct {
	perSecond rate.Limit
	buckets   *otter.Cache[string, *rate.Limiter]
}

// maxBuckets is how many buckets are kept; the least used give way.
const maxBuckets = 100_000

func newLimiter(cfg Config) *limiter {
	perSecond := cfg.Rate
	if perSecond == 0 && !cfg.Loopback {
		perSecond = DefaultRate
	}
	if perSecond <= 0 {
		return nil
	}
	return &limiter{
		perSecond: rate.Limit(perSecond),
		buckets:   otter.Must(&otter.Options[string, *rate.Limiter]{MaximumSize: maxBuckets}),
	}
}

func (l *limiter) allow(ctx context.Context, key string) bool {
	if l == nil {
		return true
	}
	bucket, err := l.buckets.Get(ctx, key, otter.LoaderFunc[string, *rate.Limiter](func(context.Context, string) (*rate.Limiter, error) {
		return rate.NewLimiter(l.perSecond, max(1, int(2*l.perSecond))), nil
	}))
	return err == nil && bucket.Allow()
}

// addressOf finds who asks: the nearest address in X-Forwarded-For that is no trusted
// proxy's, which its sender cannot choose, or else who connects.
func addressOf(proxies []net.IPNet) echo.IPExtractor {
	if len(proxies) == 0 {
		return echo.ExtractIPDirect()
	}
	trust := []echo.TrustOption{echo.TrustLoopback(false), echo.TrustLinkLocal(false), echo.TrustPrivateNet(false)}
	for _, p := range proxies {
		trust = append(trust, echo.TrustIPRange(&p))
	}
	return echo.ExtractIPFromXFFHeader(trust...)
}

// limitKey is the account, or the address; of IPv6 the network, since one host
// commands a whole /64.
func limitKey(identity keys.Identity, host string) string {
	if identity.Account != uuid.Nil {
		return identity.Account.String()
	}
	addr, err := netip.ParseAddr(host)
	if err != nil || addr.Unmap().Is4() {
		return host
	}
	network, err := addr.WithZone("").Prefix(64)
	if err != nil {
		return host
	}
	return network.String()
}

// onlyProbes is for a copy that does not serve the API.
func onlyProbes(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		switch c.Path() {
		case "/livez", "/readyz", "/metrics", "/openapi.json", "/events.json":
			return next(c)
		}
		return errNoAPI
	}
}
