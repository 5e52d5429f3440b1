package main

import (
	"fmt"
	"os"
	"testing"

	"github.com/admitone/admitone/internal/blackbox"
	"go.uber.org/goleak"
)

// program is the binary that the tests of this package drive from outside.
var program blackbox.Program

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	dir, err := os.MkdirTemp("", "admitone-bin-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if program, err = blackbox.Build(".", dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := m.Run()
	if code == 0 {
		if err := goleak.Find(ofBroker()...); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return code
}

// ofBroker are goroutines of the brokers that tests run in this process, for the copies
// outside of it. One that is ended while copies ask for buckets has left them behind
// (nats-server 2.15.2); they are none of ours.
func ofBroker() []goleak.Option {
	const server = "github.com/nats-io/nats-server/v2/server"
	return []goleak.Option{
		goleak.IgnoreTopFunction(server + ".(*fileStore).flushStreamStateLoop"),
		goleak.IgnoreTopFunction(server + "/ats.Register.func1"),
	}
}
