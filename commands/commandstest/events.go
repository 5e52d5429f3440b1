package commandstest

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/admitone/admitone/commands"
	"github.com/admitone/admitone/eventstore"
	"github.com/stretchr/testify/require"
)

// Golden holds a domain's events against the files in dir, one for each revision that
// was ever recorded, named after its type: today's events, one of each type, are
// written as their files are, and every file can be read by what registry knows. With
// update a revision that has no file yet gets one; one that exists is never written
// again, since it is what logs hold.
func Golden[E eventstore.Payload](t testing.TB, dir string, update bool, registry *eventstore.Registry, today []E) {
	t.Helper()
	require.NoError(t, registry.Validate())
	for _, event := range today {
		golden(t, filepath.Join(dir, event.EventType()+".json"), update, registry, event)
	}
	require.NoError(t, registry.CheckGolden(os.DirFS(dir)))
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	var recorded []string
	for _, f := range files {
		recorded = append(recorded, strings.TrimSuffix(f.Name(), ".json"))
	}
	require.Equal(t, registry.Types(), recorded, "a recorded revision that nothing reads any more, or one without a file")
}

func golden(t testing.TB, path string, update bool, registry *eventstore.Registry, event eventstore.Payload) {
	t.Helper()
	body, err := json.Marshal(event)
	require.NoError(t, err)
	if _, err := os.Stat(path); update && os.IsNotExist(err) {
		require.NoError(t, os.WriteFile(path, append(body, '\n'), 0o600))
	}
	recorded, err := os.ReadFile(path)
	require.NoError(t, err, "run the test with -update when the revision is new")
	require.Equal(t, strings.TrimSpace(string(recorded)), string(body))
	decoded, err := registry.Decode(event.EventType(), recorded)
	require.NoError(t, err)
	require.Equal(t, event, decoded)
}

// Appends sends each of the named commands to every state that at most depth of them
// lead to, and expects that a command appends, over all these states, events of just
// the types written down for it.
func Appends[S, C any, E eventstore.Payload](t testing.TB, d commands.Decider[S, C], depth int, named map[string]C, written map[string][]E) {
	t.Helper()
	got := map[string]map[string]bool{}
	var walk func(s S, left int)
	walk = func(s S, left int) {
		for name, c := range named {
			events, err := d.Decide(s, c)
			if err != nil || len(events) == 0 || left == 0 {
				continue
			}
			after := s
			for _, e := range events {
				note(got, name, e)
				after = d.Evolve(after, e)
			}
			walk(after, left-1)
		}
	}
	walk(d.Initial(), depth)
	want := map[string]map[string]bool{}
	for name, events := range written {
		for _, e := range events {
			note(want, name, e)
		}
	}
	require.Equal(t, want, got)
}

func note(types map[string]map[string]bool, command string, e eventstore.Payload) {
	if types[command] == nil {
		types[command] = map[string]bool{}
	}
	types[command][e.EventType()] = true
}
