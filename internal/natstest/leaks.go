package natstest

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// givenUp is when a broker has surely given up an atomic batch that nobody ended; its
// own limit is 10 s.
const givenUp = 20 * time.Second

// VerifyTestMain runs a package's tests and fails where goroutines are left; for a
// package whose tests run brokers.
func VerifyTestMain(m *testing.M) {
	code := m.Run()
	if code == 0 {
		if err := Leaks(); err != nil {
			fmt.Fprintf(os.Stderr, "goroutines are left: %v\n", err)
			code = 1
		}
	}
	os.Exit(code)
}

// Leaks is goleak.Find with the patience that brokers need, and only they get: a batch
// that begins while its stream is being stopped keeps its file store until it is given up
// (nats-server 2.15.2). Rarely it is never given up; its store's two goroutines, and no
// other, are passed over then.
func Leaks() error {
	deadline := time.Now().Add(givenUp)
	for {
		err := goleak.Find()
		if err == nil || !strings.Contains(err.Error(), "nats-server/v2/server.") {
			return err
		}
		if time.Now().After(deadline) {
			return goleak.Find(
				goleak.IgnoreTopFunction("github.com/nats-io/nats-server/v2/server.(*fileStore).flushStreamStateLoop"),
				goleak.IgnoreTopFunction("github.com/nats-io/nats-server/v2/server/ats.Register.func1"),
			)
		}
	}
}
