package conversation_test

import (
	"flag"
	"testing"

	"github.com/admitone/admitone/commands/commandstest"
	"github.com/admitone/admitone/domain"
	"github.com/admitone/admitone/domain/conversation"
	"github.com/admitone/admitone/eventstore"
)

var update = flag.Bool("update", false, "write the golden files of event revisions that have none yet")

// recorded is one event of each type as a log holds it: with its text sealed.
func recorded() []conversation.Event {
	return []conversation.Event{
		opened, with(replied, domain.SealedText("bm9uY2UsIHRoZW4gY2lwaGVydGV4dA")), handedOver, taken, closed,
	}
}

func TestEventsAreWrittenAndReadAsEver(t *testing.T) {
	registry := eventstore.NewRegistry()
	for _, e := range conversation.Events() {
		registry.Register(e)
	}
	commandstest.Golden(t, "testdata/events", *update, registry, recorded())
}
