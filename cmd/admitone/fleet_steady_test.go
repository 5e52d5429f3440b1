package main

import (
	"bufio"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/admitone/admitone/internal/blackbox"
	"github.com/stretchr/testify/require"
)

// fourProjectors is one copy of the other roles.
var fourProjectors = []string{roleAPI, roleProjector, roleProjector, roleProjector, roleProjector, roleProcesses}

// steadyCommands is how many commands a steady state is watched for.
const steadyCommands = 3000

func TestProofFleetSteadyCQL(t *testing.T) {
	proof(t)
	f := steady(t)
	shared := 0
	for i, m := range f.metrics(t) {
		require.Zero(t, m["admitone_projection_nacks_total"], "projector %d", i)
		if m["admitone_projection_admitted_total"] > 0 {
			shared++
		}
	}
	require.Equal(t, 4, shared, "all copies have a share of the work")
	f.end(t)
}

// Without sharing, each copy works on everything, and what they write is right.
func TestProofFleetWithoutSharingCQL(t *testing.T) {
	proof(t)
	f := steady(t, "--sharing=false")
	for i, m := range f.metrics(t) {
		t.Logf("projector %d: %v", i, m)
	}
	f.end(t)
}

func steady(t *testing.T, args ...string) *traffic {
	f := startTraffic(t, fleetCQL(t, fourProjectors, args...), 300, true)
	eventually(t, "it has run for a while", func() bool { return f.load.Commands()+f.trade.Commands() > steadyCommands })
	return f
}

// metrics is the sum of each figure over its labels, for each projector.
func (tr *traffic) metrics(t *testing.T) []map[string]float64 {
	t.Helper()
	var all []map[string]float64
	for _, c := range tr.fleet.Of(roleProjector) {
		all = append(all, metricsOf(t, c))
	}
	return all
}

func metricsOf(t *testing.T, c *blackbox.Copy) map[string]float64 {
	t.Helper()
	r, err := http.Get(c.URL() + "/metrics")
	require.NoError(t, err)
	defer func() { _ = r.Body.Close() }()
	sums := map[string]float64{}
	lines := bufio.NewScanner(r.Body)
	for lines.Scan() {
		name, rest, _ := strings.Cut(lines.Text(), "{")
		if !strings.HasPrefix(name, "admitone_projection_") {
			continue
		}
		value, err := strconv.ParseFloat(rest[strings.LastIndexByte(rest, ' ')+1:], 64)
		require.NoError(t, err)
		sums[name] += value
	}
	_, _ = io.Copy(io.Discard, r.Body)
	http.DefaultClient.CloseIdleConnections()
	require.Contains(t, sums, "admitone_projection_nacks_total")
	return sums
}
