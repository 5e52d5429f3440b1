package client_test

import (
	"testing"
	"time"

	"github.com/admitone/admitone/client"
	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"
)

// A wait that is not of whole seconds is not cut to none at all.
func TestWaitIsRoundedUp(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "wait=0", 500 * time.Millisecond: "wait=1", time.Second: "wait=1", 1001 * time.Millisecond: "wait=2", 10 * time.Second: "wait=10",
	} {
		h := nats.Header{}
		client.Wait(d)(h)
		require.Equal(t, want, h.Get("Prefer"))
	}
}
