package meter_test

import (
	"testing"

	"github.com/admitone/admitone/bench/meter"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

func TestBodiesHaveOneSize(t *testing.T) {
	t.Parallel()
	for _, v := range []int64{0, 7, 123_456, 1 << 60} {
		require.Len(t, meter.Body(v), meter.BodySize)
	}
}

func TestEachMeterHasAllItsVersionsWithinAWindow(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ n, perMeter int }{{50, 10}, {120_000, 10}, {100_000, 1}, {50_010, 10}} {
		last, begin := map[uint64]uint64{}, map[uint64]int{}
		for i := range c.n {
			id, version := meter.At(i, c.n, c.perMeter)
			require.Equal(t, last[id]+1, version, "message %d of %+v", i, c)
			last[id] = version
			if version == 1 {
				begin[id] = i
			}
			require.Less(t, i-begin[id], 50_000)
		}
		require.Len(t, last, c.n/c.perMeter)
		for id, version := range last {
			require.Equal(t, uint64(c.perMeter), version, "meter %d of %+v", id, c)
		}
	}
}

func TestIDsAreUUIDsAndDiffer(t *testing.T) {
	t.Parallel()
	seen := map[uuid.UUID]bool{}
	for n := range uint64(10_000) {
		for kind := range uint64(3) {
			id := meter.ID(kind, n)
			require.Equal(t, uuid.Version(4), id.Version())
			require.False(t, seen[id])
			seen[id] = true
		}
	}
}
