package main

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/admitone/admitone/internal/blackbox"
	"github.com/admitone/admitone/internal/natstest"
	"github.com/nats-io/nats.go/micro"
	"github.com/stretchr/testify/require"
)

// What git says of a build is what the micro framework takes, and stays distinct.
func TestSemanticVersion(t *testing.T) {
	t.Parallel()
	nc := natstest.Conn(t, natstest.Server(t))
	for version, want := range map[string]string{
		"1.2.3": "1.2.3", "v1.2.3": "1.2.3", "v1.2.3-4-g0123456": "1.2.3-4-g0123456", "v1.2.3-dirty": "1.2.3-dirty",
		"v1.2": "0.0.0-dev+v1-2", "0123456": "0.0.0-dev+0123456", "0123456-dirty": "0.0.0-dev+0123456-dirty", "dev": "0.0.0-dev",
		"a/b_c": "0.0.0-dev+a-b-c",
	} {
		got := semanticVersion(version)
		require.Equal(t, want, got)
		service, err := micro.AddService(nc, micro.Config{Name: "x", Version: got})
		require.NoError(t, err, got)
		require.NoError(t, service.Stop())
	}
}

// The Makefile's build says what it was told to be, and so do its copies.
func TestBuildHasItsVersion(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "admitone")
	out, err := exec.Command("make", "-C", "../..", "--no-print-directory", "build", "VERSION=v7.8.9-1-gabc", "BIN="+path).CombinedOutput()
	require.NoError(t, err, "%s", out)
	built := blackbox.Program(path)
	require.Contains(t, built.Run(t, "version").Out, "admitone v7.8.9-1-gabc ")
	data := dataDir(t)
	built.Serve(t, data)
	var list []serviceInfo
	require.NoError(t, json.Unmarshal([]byte(built.Run(t, "services", "--data", data, "--json").Out), &list))
	require.NotEmpty(t, list)
	require.Equal(t, "7.8.9-1-gabc", list[0].Version)
	require.Contains(t, examined(t, "--data", data)["copies"].Advice, "same version")
	require.NotContains(t, program.Run(t, "version").Out, "7.8.9")
}
