package order_test

import (
	"flag"
	"testing"

	"github.com/admitone/admitone/commands/commandstest"
	"github.com/admitone/admitone/domain/order"
	"github.com/admitone/admitone/eventstore"
)

var update = flag.Bool("update", false, "write the golden files of event revisions that have none yet")

func TestEventsAreWrittenAndReadAsEver(t *testing.T) {
	registry := eventstore.NewRegistry()
	for _, e := range order.Events() {
		registry.Register(e)
	}
	commandstest.Golden(t, "testdata/events", *update, registry, []order.Event{placed, confirmed, rejected, cancelled, expired, completed})
}
