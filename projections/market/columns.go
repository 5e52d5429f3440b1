package market

import (
	"time"

	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/readstore"
)

func text(name string) readstore.Column   { return readstore.Column{Name: name, Type: readstore.Text} }
func number(name string) readstore.Column { return readstore.Column{Name: name, Type: readstore.Int} }
func moment(name string) readstore.Column { return readstore.Column{Name: name, Type: readstore.Time} }

// newestFirst are the clustering columns of a list by a time.
func newestFirst(name string) []readstore.Column {
	return []readstore.Column{{Name: name, Type: readstore.Time, Desc: true}, text("id")}
}

// timeOf is when an event happened, in milliseconds: by its writer, or by the
// broker where the writer did not say.
func timeOf(e eventstore.Event) time.Time {
	at := e.Time
	if at.IsZero() {
		at = e.Stored
	}
	return at.UTC().Truncate(time.Millisecond)
}
