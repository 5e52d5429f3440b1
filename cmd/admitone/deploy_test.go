package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/admitone/admitone/internal/blackbox"
	"github.com/stretchr/testify/require"
)

var metricName = regexp.MustCompile(`\b(?:admitone|process|go)_[a-z0-9_]+`)

// What the dashboard draws and the alerts watch is what the program exports.
func TestDashboardAndAlertsNameWhatIsExported(t *testing.T) {
	t.Parallel()
	data := dataDir(t)
	s := program.Serve(t, data)
	list(t, seller(t, data), 1)
	a := blackbox.NewClient(t, data, "").Do(t, "GET", "/metrics", "")
	require.Equal(t, 200, a.Status)
	exported := metricName.FindAllString(string(a.Body), -1)
	for _, file := range []string{"grafana/dashboards/admitone.json", "prometheus/alerts.yml"} {
		text, err := os.ReadFile(filepath.Join("../../deploy", file))
		require.NoError(t, err)
		named := metricName.FindAllString(string(text), -1)
		require.Greater(t, len(named), 3, "%s: the names were not found", file)
		for _, name := range named {
			require.True(t, slices.Contains(exported, name), "%s: nothing exports %s", file, name)
		}
	}
	require.Zero(t, s.Stop(), s.Log())
}
