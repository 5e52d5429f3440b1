package client

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

// Option says more about a command.
type Option func(nats.Header)

// IdempotencyKey makes the command, sent again by whomever, take effect once, for
// ever: 1 to 255 printable ASCII characters. Without it each call has one of its own.
func IdempotencyKey(key string) Option {
	return func(h nats.Header) { h.Set("Idempotency-Key", key) }
}

// IfMatch refuses the command unless the resource has this ETag.
func IfMatch(etag string) Option {
	return func(h nats.Header) { h.Set("If-Match", etag) }
}

// Wait lets an order answer once it is decided, or after so long: whole seconds, of
// which a part counts as one, at most 10.
func Wait(d time.Duration) Option {
	return func(h nats.Header) { h.Set("Prefer", "wait="+strconv.Itoa(int(math.Ceil(d.Seconds())))) }
}

// After makes the command see at least what the tokens stand for.
func After(tokens ...string) Option {
	return func(h nats.Header) { h.Set("Consistency-Token", strings.Join(tokens, ", ")) }
}

// RequestID names the request in logs and events.
func RequestID(id string) Option {
	return func(h nats.Header) { h.Set("X-Request-Id", id) }
}

// TraceParent continues a trace (W3C trace context).
func TraceParent(parent string) Option {
	return func(h nats.Header) { h.Set("Traceparent", parent) }
}
