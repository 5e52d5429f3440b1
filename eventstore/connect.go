package eventstore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// oldestServer is the first with all that is used here.
var oldestServer = [3]int{2, 14, 4}

// Connect opens a connection to an external server, and refuses one older than
// 2.14.4 or without JetStream (ErrMisconfigured). ErrUnavailable when nothing
// answers. The connection reconnects for ever; while it is away, publishing fails
// at once instead of being buffered, so that no append happens behind its
// caller's back. What nats.go reports aside (nats.ErrorHandler) goes nowhere
// unless opts say otherwise.
func Connect(ctx context.Context, url string, opts ...nats.Option) (*nats.Conn, error) {
	nc, err := connect(ctx, url, opts)
	if err != nil {
		return nil, fmt.Errorf("eventstore: connect to NATS at %s: %w", redacted(url), err)
	}
	if err := checkServer(ctx, nc); err != nil {
		nc.Close()
		return nil, fmt.Errorf("eventstore: NATS at %s: %w", redacted(url), err)
	}
	return nc, nil
}

func connect(ctx context.Context, url string, opts []nats.Option) (*nats.Conn, error) {
	own := []nats.Option{
		nats.Name("admitone"),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(250 * time.Millisecond),
		nats.ReconnectJitter(50*time.Millisecond, 250*time.Millisecond),
		nats.ReconnectBufSize(-1),
		nats.IgnoreAuthErrorAbort(),
		// Its own default prints to stderr.
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}),
	}
	if deadline, ok := ctx.Deadline(); ok {
		own = append(own, nats.Timeout(max(time.Until(deadline), time.Millisecond)))
	}
	nc, err := nats.Connect(url, append(own, opts...)...)
	if errors.Is(err, nats.ErrAuthorization) {
		return nil, fmt.Errorf("%w: %w; the URL needs the right user and password", ErrMisconfigured, err)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return nc, nil
}

func checkServer(ctx context.Context, nc *nats.Conn) error {
	if version := nc.ConnectedServerVersion(); olderThan(version, oldestServer) {
		return fmt.Errorf("%w: the server is version %s, but 2.14.4 or newer is needed; upgrade it", ErrMisconfigured, version)
	}
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	_, err = js.AccountInfo(ctx)
	if errors.Is(err, jetstream.ErrJetStreamNotEnabled) || errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount) {
		return fmt.Errorf("%w: JetStream is off; start the server with -js, or enable it for this account", ErrMisconfigured)
	}
	if err != nil {
		return fmt.Errorf("%w: ask for JetStream: %w", ErrUnavailable, err)
	}
	return nil
}

// olderThan reads "2.15.2" or "2.14.4-beta.1"; what it cannot read is too old.
func olderThan(version string, oldest [3]int) bool {
	core, _, _ := strings.Cut(strings.TrimPrefix(version, "v"), "-")
	parts := strings.Split(core, ".")
	if len(parts) != len(oldest) {
		return true
	}
	for i, text := range parts {
		n, err := strconv.Atoi(text)
		if err != nil || n < oldest[i] {
			return true
		}
		if n > oldest[i] {
			return false
		}
	}
	return false
}

// redacted hides a URL's secret.
func redacted(url string) string {
	scheme, rest, found := strings.Cut(url, "://")
	if !found {
		scheme, rest = "nats", url
	}
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		rest = rest[i+1:]
	}
	return scheme + "://" + rest
}
