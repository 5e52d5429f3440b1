package catalogue_test

import (
	"strings"
	"testing"
	"time"

	"github.com/admitone/admitone/api"
	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/internal/catalogue"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type crate struct {
	Weight float64 `json:"weight"`
	Fine   bool    `json:"fine,omitempty"`
}

type packed struct {
	ID     uuid.UUID         `json:"id"`
	At     time.Time         `json:"at"`
	Count  int64             `json:"count"`
	Note   *string           `json:"note"`
	Crate  crate             `json:"crate,omitzero"`
	Others []crate           `json:"others"`
	Labels map[string]string `json:"labels"`
	Stamp  []byte            `json:"stamp"`
	Hidden string            `json:"-"`
}

func (packed) EventType() string { return "crate.packed.v3" }

type opened struct{}

func (opened) EventType() string { return "crate.opened.v1" }

func all(eventstore.Payload) bool { return true }

// crates is a catalogue of two events.
func crates() api.EventCatalogue {
	return catalogue.Make(catalogue.Sources{
		Streams: []catalogue.Stream{{Name: "CRATES", Events: []eventstore.Payload{packed{}, opened{}}}},
		Writers: []catalogue.Writer{
			{Operation: "crate.repack", Events: []eventstore.Payload{opened{}, packed{}}},
			{Operation: "crate.pack", Events: []eventstore.Payload{packed{}}, Senders: []string{"POST /crates"}},
		},
		Readers: []catalogue.Reader{
			{Name: "projection crates", Stream: "CRATES", Reads: all},
			{Name: "projection ships", Stream: "SHIPS", Reads: all},
			{Name: "process opener", Stream: "CRATES", Reads: func(e eventstore.Payload) bool { return e == eventstore.Payload(opened{}) }},
		},
	})
}

func TestAnEventIsDescribed(t *testing.T) {
	t.Parallel()
	list := crates()
	require.Equal(t, []api.EventType{{
		Type: "crate.packed.v3", Revision: 3, Stream: "CRATES",
		Fields: []api.EventField{
			{Name: "id", Type: "string (uuid)"}, {Name: "at", Type: "string (date-time)"}, {Name: "count", Type: "integer"},
			{Name: "note", Type: "string or null"},
			{Name: "crate", Type: "object", Optional: true}, {Name: "crate.weight", Type: "number"}, {Name: "crate.fine", Type: "boolean", Optional: true},
			{Name: "others", Type: "array"}, {Name: "others[]", Type: "object"}, {Name: "others[].weight", Type: "number"},
			{Name: "others[].fine", Type: "boolean", Optional: true},
			{Name: "labels", Type: "object"}, {Name: "labels.*", Type: "string"}, {Name: "stamp", Type: "string (base64)"},
		},
		WrittenBy: []api.EventWriter{{Command: "crate.pack", SentBy: []string{"POST /crates"}}, {Command: "crate.repack", SentBy: []string{}}},
		ReadBy:    []string{"projection crates"},
	}, {
		Type: "crate.opened.v1", Revision: 1, Stream: "CRATES", Fields: []api.EventField{},
		WrittenBy: []api.EventWriter{{Command: "crate.repack", SentBy: []string{}}},
		ReadBy:    []string{"projection crates", "process opener"},
	}}, list.Items)
}

func TestAnotherShapeIsNotRecorded(t *testing.T) {
	t.Parallel()
	kept, err := catalogue.Record(api.EventCatalogue{}, crates(), nil)
	require.NoError(t, err)
	again, err := catalogue.Record(kept, crates(), nil)
	require.NoError(t, err)
	require.Equal(t, kept, again)

	for change, make := range map[string]func(*api.EventType){
		"count is gone":                                func(e *api.EventType) { e.Fields = append(e.Fields[:2:2], e.Fields[3:]...) },
		"count is string, it was integer":              func(e *api.EventType) { e.Fields[2].Type = "string" },
		"count is optional integer, it was integer":    func(e *api.EventType) { e.Fields[2].Optional = true },
		"colour is new":                                func(e *api.EventType) { e.Fields = append(e.Fields, api.EventField{Name: "colour", Type: "string"}) },
		"make a new revision crate.packed.v4, with an": func(e *api.EventType) { e.Fields = nil },
	} {
		now := crates()
		make(&now.Items[0])
		_, err := catalogue.Record(kept, now, nil)
		require.ErrorContains(t, err, "crate.packed.v3 has changed: ", change)
		require.ErrorContains(t, err, change)
		require.NotContains(t, err.Error(), "crate.opened")
	}
}

func TestTypesOfBeforeStay(t *testing.T) {
	t.Parallel()
	now := crates()
	now.Items = now.Items[1:]
	_, err := catalogue.Record(crates(), now, []string{"crate.opened.v1"})
	require.ErrorContains(t, err, "crate.packed.v3 can be read no more")

	kept, err := catalogue.Record(crates(), now, []string{"crate.opened.v1", "crate.packed.v3"})
	require.NoError(t, err)
	require.Len(t, kept.Items, 2)
	require.Equal(t, crates().Items[0].Fields, kept.Items[1].Fields)
	require.Empty(t, kept.Items[1].WrittenBy)
	page := catalogue.Markdown(kept)
	require.Contains(t, page, "### crate.packed.v3")
	require.Contains(t, page, "| `crate.fine` | optional boolean |")
	require.Equal(t, 1, strings.Count(page, "an old revision"))
}
