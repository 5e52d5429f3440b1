package projections

import (
	"bytes"
	"context"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/internal/natstest"
	"github.com/admitone/admitone/readstore/cql"
	"github.com/admitone/admitone/readstore/sqlite"
	"github.com/stretchr/testify/require"
)

type crateMade struct{}

func (crateMade) EventType() string { return "crate.made.v1" }

// A read store that is away is told of once, not at every look, and once when it is back.
func TestTroubleIsToldOnce(t *testing.T) {
	ctx, stop := context.WithCancel(natstest.Context(t))
	log := &said{}
	registry := eventstore.NewRegistry()
	registry.Register(crateMade{})
	stream := natstest.Stream(t, natstest.Conn(t, natstest.Server(t)), eventstore.StreamConfig{Name: "CRATES", Registry: registry})
	away, err := cql.Open(cql.Config{Hosts: []string{"127.0.0.1:1"}, Keyspace: "nowhere"})
	require.NoError(t, err)
	defer func() { require.NoError(t, away.Close()) }()
	p, err := New(ctx, away, map[string]*eventstore.Stream{"CRATES": stream}, Config{Logger: slog.New(slog.NewTextHandler(log, nil))}, crates(t))
	require.NoError(t, err)
	var marks sync.WaitGroup
	marks.Go(func() { p.deps.marks.Follow(ctx) })
	defer marks.Wait()
	defer stop()
	k := p.keepers["crates"]
	told := map[string]bool{}
	for range 50 {
		require.NoError(t, k.look(ctx))
		told[k.trouble.cause] = true
	}
	require.NotContains(t, told, "")
	require.Less(t, len(told), 5, "the cause does not vary: %v", told)
	require.LessOrEqual(t, log.count("trying on"), 2*len(told))

	k.trouble.told = k.trouble.told.Add(-retellEvery)
	before := log.count("trying on")
	require.NoError(t, k.look(ctx))
	require.Equal(t, before+1, log.count("trying on"), "it lasts")

	k.p.deps.store, err = sqlite.Open(sqlite.Config{Path: filepath.Join(t.TempDir(), "rows.db")})
	require.NoError(t, err)
	defer func() { require.NoError(t, k.p.deps.store.Close()) }()
	defer k.closeAll()
	defer stop()
	for range 2 {
		require.NoError(t, k.look(ctx))
	}
	require.Equal(t, 1, log.count("goes on"))
}

// said is a log that is read while others write it.
type said struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *said) count(words string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Count(s.text.String(), words)
}
