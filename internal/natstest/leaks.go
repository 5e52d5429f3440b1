package natstest

import (
	"testing"

	"go.uber.org/goleak"
)

// VerifyTestMain runs a package's tests and fails where goroutines are left; for a
// package whose tests run brokers. See Abandoned.
func VerifyTestMain(m *testing.M) { goleak.VerifyTestMain(m, Abandoned()...) }

// Abandoned are the two goroutines of a file store that nats-server 2.15.2 leaves behind:
// an atomic batch that begins while its stream is being stopped keeps its store for 10 s,
// and rarely for ever. A broker that a test did not end has others, which are found.
func Abandoned() []goleak.Option {
	const server = "github.com/nats-io/nats-server/v2/server"
	return []goleak.Option{
		goleak.IgnoreTopFunction(server + ".(*fileStore).flushStreamStateLoop"),
		goleak.IgnoreTopFunction(server + "/ats.Register.func1"),
	}
}
