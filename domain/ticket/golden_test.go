package ticket_test

import (
	"flag"
	"testing"

	"github.com/admitone/admitone/commands/commandstest"
	"github.com/admitone/admitone/domain/ticket"
	"github.com/admitone/admitone/eventstore"
)

var update = flag.Bool("update", false, "write the golden files of event revisions that have none yet")

func TestEventsAreWrittenAndReadAsEver(t *testing.T) {
	registry := eventstore.NewRegistry()
	for _, e := range ticket.Events() {
		registry.Register(e)
	}
	commandstest.Golden(t, "testdata/events", *update, registry, []ticket.Event{listed, repriced, reserved, released, sold, withdrawn})
}
