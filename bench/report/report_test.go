package report_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/admitone/admitone/bench/report"
	"github.com/stretchr/testify/require"
)

func TestMediansAndSpreadAreOfTheRoundsRatios(t *testing.T) {
	t.Parallel()
	r := report.Row{Name: "x", Better: report.Higher, Bar: 0.9}.Measured([]float64{80, 300, 100}, []float64{100, 300, 50})
	require.InDelta(t, 100, r.Ours, 0)
	require.InDelta(t, 100, r.Raw, 0)
	require.InDelta(t, 1, r.Ratio, 0, "of 0.8, 1 and 2")
	require.InDelta(t, 1.2, r.Spread, 1e-9)
}

func TestVerdicts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		row  report.Row
		want string
	}{
		{report.Row{Ratio: 0.1, Better: report.Higher}, ""},
		{report.Row{Ratio: 0.9, Bar: 0.9, Better: report.Higher}, "ok"},
		{report.Row{Ratio: 0.8, Bar: 0.9, Better: report.Higher}, "below"},
		{report.Row{Ratio: 3, Bar: 3, Better: report.Lower}, "ok"},
		{report.Row{Ratio: 3.1, Bar: 3, Better: report.Lower}, "above"},
	} {
		require.Equal(t, c.want, c.row.Verdict(), "%+v", c.row)
	}
}

func TestARunReplacesItsOwnRowsAlone(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "latest.json")
	names := []string{"a", "b", "c"}
	empty, err := report.Read(path)
	require.NoError(t, err)
	monday, tuesday := time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC), time.Date(2026, 1, 6, 9, 0, 0, 0, time.UTC)
	first := empty.Merge([]report.Row{{Name: "c", Ours: 1}, {Name: "a", Ours: 1}, {Name: "gone", Ours: 1}}, names, monday, report.ThisMachine())
	require.NoError(t, first.Write(path))

	before, err := report.Read(path)
	require.NoError(t, err)
	require.NoError(t, before.Merge([]report.Row{{Name: "b", Ours: 2}, {Name: "c", Ours: 2}}, names, tuesday, report.ThisMachine()).Write(path))
	after, err := report.Read(path)
	require.NoError(t, err)
	require.Equal(t, []report.Row{{Name: "a", At: monday, Ours: 1}, {Name: "b", At: tuesday, Ours: 2}, {Name: "c", At: tuesday, Ours: 2}}, after.Rows)

	require.NoError(t, os.WriteFile(path, []byte("{"), 0o600))
	_, err = report.Read(path)
	require.ErrorContains(t, err, "mend or remove it")
}

func TestALineOfTheTable(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	report.Row{Name: "append", Ours: 1234567.9, Raw: 0.5, Ratio: 0.912, Bar: 0.9, Spread: 0.049, Better: report.Higher, Unit: "events/s"}.Print(&b, "raw publish")
	require.Equal(t, []string{"append", "1,234,568", "0.500", "0.91", "≥0.9", "5%", "events/s", "ok", "raw", "publish"}, strings.Fields(b.String()))
}
