package main

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/admitone/admitone/api"
	"github.com/stretchr/testify/require"
)

// No event that logs may hold has changed its shape, and docs tell of each.
func TestTheRecordedEventsAreThoseOfTheCode(t *testing.T) {
	t.Parallel()
	now, err := eventCatalogue()
	require.NoError(t, err)
	files, err := catalogueFiles("../../docs", now)
	require.NoError(t, err)
	for path, want := range files {
		got, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, string(want), string(got), "%s is out of date: run make generate, and commit it", path)
	}
}

// Each event has a command that writes it, and each is read; what sends none of the
// commands is still to come.
func TestEveryEventIsWrittenAndRead(t *testing.T) {
	t.Parallel()
	list, err := eventCatalogue()
	require.NoError(t, err)
	for _, e := range list.Items {
		require.NotEmpty(t, e.WrittenBy, e.Type)
		require.NotEmpty(t, e.ReadBy, e.Type)
	}
}

func TestEventsCatalogue(t *testing.T) {
	t.Parallel()
	r := program.Run(t, "events", "catalogue", "--json")
	require.Zero(t, r.Code, r.ErrOut)
	var printed, served api.EventCatalogue
	require.NoError(t, json.Unmarshal([]byte(r.Out), &printed))
	require.Equal(t, "ticket.listed.v1", printed.Items[0].Type)

	data := dataDir(t)
	program.Serve(t, data)
	answer := seller(t, data).Do(t, "GET", "/events.json", "")
	require.Equal(t, 200, answer.Status)
	require.NoError(t, json.Unmarshal(answer.Body, &served))
	require.Equal(t, printed, served)

	r = program.Run(t, "events", "catalogue")
	require.Zero(t, r.Code, r.ErrOut)
	require.Regexp(t, `order\.placed\.v1 +ticket_id, buyer_id, .* order\.place +projection orders, process reservation, process expiration`, r.Out)
}
