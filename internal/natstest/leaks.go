package natstest

import (
	"testing"

	"go.uber.org/goleak"
)

// VerifyTestMain runs a package's tests and fails where goroutines are left; for a
// package whose tests run brokers. See Abandoned.
func VerifyTestMain(m *testing.M) { goleak.VerifyTestMain(m, Abandoned()...) }

// Abandoned are goroutines that nats-server 2.15.2 now and then leaves behind of a
// broker that a test ends while a stream is being made there: those of the stream's
// file store. They are none of ours.
func Abandoned() []goleak.Option {
	const server = "github.com/nats-io/nats-server/v2/server"
	return []goleak.Option{
		goleak.IgnoreTopFunction(server + ".(*fileStore).flushStreamStateLoop"),
		goleak.IgnoreTopFunction(server + "/ats.Register.func1"),
	}
}
