package main

import (
	"context"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/admitone/admitone/internal/blackbox"
	"github.com/admitone/admitone/internal/cqltest"
	"github.com/stretchr/testify/require"
)

// seed is printed, and taken from ADMITONE_TEST_SEED to repeat a run.
func seed(t testing.TB) uint64 {
	t.Helper()
	s := rand.Uint64()
	if text := os.Getenv("ADMITONE_TEST_SEED"); text != "" {
		var err error
		s, err = strconv.ParseUint(text, 10, 64)
		require.NoError(t, err)
	}
	t.Logf("ADMITONE_TEST_SEED=%d", s)
	return s
}

func TestKill(t *testing.T) {
	t.Parallel()
	killUnderLoad(t, 3)
}

func TestProofKill(t *testing.T) {
	proof(t)
	killUnderLoad(t, 15)
}

func TestKillCQL(t *testing.T) {
	t.Parallel()
	killUnderLoad(t, 2, "--cql", cqltest.Hosts(t)[0], "--keyspace", cqltest.Keyspace(t))
}

// killUnderLoad kills the server at random moments while sellers send commands,
// and compares the log with what was acknowledged, and the rows with the log.
func killUnderLoad(t *testing.T, kills int, args ...string) {
	random := rand.New(rand.NewPCG(seed(t), 0))
	data := dataDir(t)
	s := program.Serve(t, data, args...)
	load := blackbox.NewLoad(t, program, data, blackbox.LoadConfig{Seed: random.Uint64(), Sellers: 32})
	stop := underLoad(t, load)
	for range kills {
		before := load.Commands()
		eventually(t, "commands are acknowledged after a start", func() bool { return load.Commands() > before+50 })
		time.Sleep(time.Duration(random.IntN(1500)) * time.Millisecond) // the random moment
		s.Kill()
		s = program.Serve(t, data, args...)
	}
	stop()
	requireAllThere(t, s, load)
	require.Zero(t, s.Stop(), s.Log())
}

// underLoad runs a load until the function it returns is called.
func underLoad(t testing.TB, load *blackbox.Load) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		load.Run(ctx)
	}()
	stop = func() {
		cancel()
		<-done
	}
	t.Cleanup(stop)
	return stop
}

// requireAllThere lets open commands be answered, and checks the invariants.
func requireAllThere(t testing.TB, s *blackbox.Server, load *blackbox.Load) {
	t.Helper()
	load.Finish(t.Context())
	t.Logf("%d commands acknowledged, %d queries with a token, %d requests while something was away", load.Commands(), load.Reads(), load.Away())
	require.NotZero(t, load.Reads())
	require.Empty(t, strings.Join(load.Faults(), "\n"))
	require.Empty(t, strings.Join(load.Compare(blackbox.ReadLog(t, s.NATS())), "\n"))
	requireSound(t, s.Data)
	parked := program.Run(t, "parked", "list", "--data", s.Data)
	require.Equal(t, "nothing is parked\n", parked.Out)
}

// TestProofKillCQL kills the server five times; in the third round its CQL server
// is away for twenty seconds as well.
func TestProofKillCQL(t *testing.T) {
	proof(t)
	random := rand.New(rand.NewPCG(seed(t), 0))
	rows := cqltest.StartServer(t)
	data := dataDir(t)
	args := []string{"--cql", rows.Hosts[0], "--keyspace", "kill"}
	s := program.Serve(t, data, args...)
	load := blackbox.NewLoad(t, program, data, blackbox.LoadConfig{Seed: random.Uint64(), Sellers: 32})
	stop := underLoad(t, load)
	for round := range 5 {
		before := load.Commands()
		eventually(t, "commands are acknowledged after a start", func() bool { return load.Commands() > before+50 })
		time.Sleep(time.Duration(random.IntN(1500)) * time.Millisecond) // the random moment
		if round == 2 {
			s = withoutRows(t, s, rows, load, args)
		}
		s.Kill()
		s = program.Serve(t, data, args...)
	}
	stop()
	requireAllThere(t, s, load)
	require.Zero(t, s.Stop(), s.Log())
}

// withoutRows takes the CQL server away for twenty seconds, and kills the server
// meanwhile: commands go on before and after that, queries say what is wrong.
func withoutRows(t *testing.T, s *blackbox.Server, rows *cqltest.Server, load *blackbox.Load, args []string) *blackbox.Server {
	c := seller(t, s.Data)
	rows.Stop()
	gone := time.Now()
	requireNoRows(t, c, load)
	s.Kill()
	s = program.Launch(t, s.Data, args...)
	eventually(t, "it serves commands without its read store", func() bool {
		a, err := c.Send(t.Context(), "POST", "/v1/tickets", blackbox.Offer("Seat", 1))
		return err == nil && a.Status == 201
	})
	requireNoRows(t, c, load)
	require.False(t, s.Ready())
	time.Sleep(time.Until(gone.Add(20 * time.Second))) // the outage itself
	requireNoRows(t, c, load)
	rows.Start()
	s.AwaitReady()
	eventually(t, "queries are answered again", func() bool {
		return c.Do(t, "GET", "/v1/tickets", "").Status == 200
	})
	return s
}

func requireNoRows(t *testing.T, c *blackbox.Client, load *blackbox.Load) {
	t.Helper()
	before := load.Commands()
	eventually(t, "commands go on", func() bool { return load.Commands() > before+20 })
	a := c.Do(t, "GET", "/v1/tickets", "")
	require.Equal(t, 503, a.Status, a)
	require.Equal(t, "read_store_unavailable", a.Code(), a)
	require.NotEmpty(t, a.Header.Get("Retry-After"))
}
