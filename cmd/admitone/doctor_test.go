package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/admitone/admitone/api"
	"github.com/admitone/admitone/eventstore/parked"
	"github.com/admitone/admitone/internal/natstest"
	"github.com/admitone/admitone/projections"
	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
)

// examined runs the doctor and returns its findings by check, the worst of each.
func examined(t testing.TB, args ...string) map[string]finding {
	t.Helper()
	codes := map[level]int{levelOK: 0, levelWarn: 1, levelFail: 2}
	found := map[string]finding{}
	for _, f := range findingsOf(t, args...) {
		if codes[f.Level] >= codes[found[f.Check].Level] {
			found[f.Check] = f
		}
	}
	return found
}

// findingsOf is what doctor finds; its exit code is that of the worst.
func findingsOf(t testing.TB, args ...string) []finding {
	t.Helper()
	r := program.Run(t, append([]string{"doctor", "--json"}, args...)...)
	var d diagnosis
	require.NoError(t, json.Unmarshal([]byte(r.Out), &d), r.ErrOut)
	codes := map[level]int{levelOK: 0, levelWarn: 1, levelFail: 2}
	worst := 0
	for _, f := range d.Checks {
		require.Equal(t, f.Level == levelOK, f.Advice == "", "whoever is told of a fault is told what to do: %+v", f)
		worst = max(worst, codes[f.Level])
	}
	require.Equal(t, worst, r.Code, "%s", r.Out)
	require.Equal(t, worst, codes[d.Level])
	return d.Checks
}

// requireLevels wants these levels, and OK for all others; a slow or full disk is
// the machine's matter.
func requireLevels(t testing.TB, found map[string]finding, want map[string]level) {
	t.Helper()
	for check, f := range found {
		if check == "disk" || check == "fsync" || check == "publish" {
			continue
		}
		expected, given := want[check]
		if !given {
			expected = levelOK
		}
		require.Equal(t, expected, f.Level, "%+v", f)
	}
	for check := range want {
		require.Contains(t, found, check)
	}
}

func TestDoctor(t *testing.T) {
	t.Parallel()
	data := dataDir(t)
	requireLevels(t, examined(t, "--data", data), map[string]level{"broker": levelFail})

	s := program.Serve(t, data)
	list(t, seller(t, data), 1)
	found := examined(t, "--data", data)
	requireLevels(t, found, nil)
	for check, words := range map[string]string{
		"broker": "NATS 2.", "jetstream storage": "the account has no limit; that of the servers (max_file_store)", "stream TICKETS": "1 events of 1 aggregates", "stream ORDERS": "0 events", "copies": "1 running", "durability": "every event",
		"fsync": "a sync to the disk", "clock of the broker": "agrees", "read store": "version 3.", "disk": "free of", "projection tickets": "live, generation 1",
		"parked": "nothing",
	} {
		require.Contains(t, found[check].Detail, words)
	}
	text := program.Run(t, "doctor", "--data", data)
	require.Equal(t, len(found), strings.Count(text.Out, "\n"), text.Out)
	require.Regexp(t, `(?m)^OK +stream TICKETS +1 events`, text.Out)

	w, id := newWriter(t, s), uuid.NewString()
	w.publish(id, 1, "ticket.listed.v1", "{")
	eventually(t, "it is parked", func() bool { return examined(t, "--data", data)["parked"].Level == levelWarn })
	require.Contains(t, examined(t, "--data", data)["parked"].Advice, "admitone parked retry")
	require.Zero(t, s.Stop(), s.Log())

	program.Serve(t, data, "--sync-interval", "1m", "--on-log-change", "rebuild")
	found = examined(t, "--data", data)
	require.Equal(t, levelWarn, found["durability"].Level)
	require.Contains(t, found["durability"].Advice, "--sync-interval")
}

func TestDoctorExternalBroker(t *testing.T) {
	t.Parallel()
	broker := natstest.Server(t)
	alone := examined(t, "--nats", broker.URL())
	requireLevels(t, alone, map[string]level{"server": levelFail, "copies": levelFail, "stream TICKETS": levelFail, "stream ORDERS": levelFail, "stream CONVERSATIONS": levelFail})

	data := dataDir(t)
	program.Serve(t, data, "--nats", broker.URL(), "--roles", "api,projector")
	found := examined(t, "--nats", broker.URL())
	requireLevels(t, found, map[string]level{
		"durability": levelWarn, "copies": levelFail, "projection messages": levelWarn, "projection conversations": levelWarn,
	})
	require.Contains(t, found["publish"].Detail, "1 replicas takes")
	require.Contains(t, found["copies"].Advice, "--roles processes,bot,auditor")
	require.Contains(t, found["projection messages"].Advice, "auditor")
	require.NotContains(t, found, "fsync", "the disk is another machine's")

	js, err := jetstream.New(natstest.Conn(t, broker))
	require.NoError(t, err)
	names := js.StreamNames(t.Context())
	for name := range names.Name() {
		require.NotContains(t, name, "DOCTOR", "the measurement leaves nothing")
	}
	require.NoError(t, names.Err())
}

func TestDoctorJudges(t *testing.T) {
	t.Parallel()
	copyOf := func(role, version string, checks ...api.Check) serviceInfo {
		return serviceInfo{Role: role, Version: version, Host: "h", PID: "1", Checks: checks}
	}
	var complete []serviceInfo
	for _, role := range knownRoles {
		complete = append(complete, copyOf(role, "1.0.0"))
	}
	mixed := append(slices.Clone(complete), copyOf(roleAPI, "1.1.0"))
	ill := append(slices.Clone(complete), copyOf(roleAPI, "1.0.0", api.Check{Name: "read_store", Detail: "away"}))
	replica := func(current, offline bool) *jetstream.StreamInfo {
		info := &jetstream.StreamInfo{Cluster: &jetstream.ClusterInfo{Replicas: []*jetstream.PeerInfo{{Name: "n2", Current: current, Offline: offline}}}}
		info.Config.Replicas = 3
		return info
	}
	full := func(bytes uint64) *jetstream.StreamInfo {
		info := &jetstream.StreamInfo{State: jetstream.StreamState{Bytes: bytes}}
		info.Config.MaxBytes = 100
		return info
	}
	now := time.Now()
	late := func(d time.Duration) finding { return judgeClock("clock", now, now.Add(time.Millisecond), now.Add(d)) }
	times := func(d time.Duration) finding {
		return judgeTimes("fsync", []time.Duration{time.Hour, d, time.Microsecond}, syncWarn, "a sync", "mend")
	}
	for name, c := range map[string]struct {
		got  finding
		want level
	}{
		"copies":                  {judgeCopies(complete, "1.0.0")[0], levelOK},
		"other command line":      {judgeCopies(complete, "2.0.0")[0], levelWarn},
		"two versions":            {judgeCopies(mixed, "1.0.0")[0], levelWarn},
		"an ill copy":             {judgeCopies(ill, "1.0.0")[0], levelFail},
		"a role is missing":       {judgeCopies(complete[:2], "1.0.0")[0], levelFail},
		"stream half full":        {judgeStream("s", full(50)), levelOK},
		"stream nearly full":      {judgeStream("s", full(80)), levelWarn},
		"stream full":             {judgeStream("s", full(99)), levelFail},
		"replicas current":        {judgeStream("s", replica(true, false)), levelOK},
		"replica behind":          {judgeStream("s", replica(false, false)), levelWarn},
		"replica offline":         {judgeStream("s", replica(true, true)), levelWarn},
		"clock right":             {late(0), levelOK},
		"clock within the trip":   {late(time.Millisecond), levelOK},
		"clock ahead":             {late(time.Second), levelWarn},
		"clock behind":            {late(-time.Second), levelWarn},
		"clock far behind":        {late(-time.Minute), levelFail},
		"fast sync":               {times(time.Millisecond), levelOK},
		"slow sync":               {times(time.Second), levelWarn},
		"room":                    {judgeDisk("d", 50, 100), levelOK},
		"little room":             {judgeDisk("d", 8, 100), levelWarn},
		"no room":                 {judgeDisk("d", 1, 100), levelFail},
		"projection live":         {judgeProjection(projectionInfo{Status: projections.StatusLive}), levelOK},
		"projection behind":       {judgeProjection(projectionInfo{Status: projections.StatusLive, LagSeconds: 60}), levelWarn},
		"projection building":     {judgeProjection(projectionInfo{Status: projections.StatusBuilding}), levelWarn},
		"projection stalled":      {judgeProjection(projectionInfo{Status: projections.StatusStalled, Problem: "away"}), levelFail},
		"projection not switched": {judgeProjection(projectionInfo{Status: projections.StatusLive, Rebuild: &rebuildInfo{Blocked: true}}), levelWarn},
		"process":                 {judgeProcess(processInfo{}), levelOK},
		"process behind":          {judgeProcess(processInfo{LagSeconds: 60}), levelWarn},
		"process stalled":         {judgeProcess(processInfo{Problem: "away"}), levelFail},
		"many parked":             {judgeParked(make([]parked.Mark, parkedShown+2))[parkedShown], levelWarn},
	} {
		require.Equal(t, c.want, c.got.Level, "%s: %+v", name, c.got)
		require.Equal(t, c.want == levelOK, c.got.Advice == "", name)
	}
	require.Contains(t, judgeParked(make([]parked.Mark, parkedShown+2))[parkedShown].Detail, "2 more")
}
