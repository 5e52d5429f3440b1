package parked

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// What a write has done may be noted after what others have done since.
func TestOnlyWhatIsNewerCounts(t *testing.T) {
	t.Parallel()
	id := uuid.New()
	key := Key("porter", 0, id)
	at := func(revision uint64) known { return known{mark: Mark{Seen: revision}, revision: revision} }
	gone := func(revision uint64) known { return known{revision: revision, gone: true} }
	for name, c := range map[string]struct {
		notes []known
		seen  uint64 // 0: no mark
	}{
		"in order":                          {[]known{at(5), at(6)}, 6},
		"a late note":                       {[]known{at(6), at(5)}, 6},
		"twice":                             {[]known{at(6), at(6)}, 6},
		"removed":                           {[]known{at(5), gone(5)}, 0},
		"removed, and its deletion":         {[]known{at(5), gone(5), gone(7)}, 0},
		"a late note of what was removed":   {[]known{gone(6), at(5)}, 0},
		"parked again":                      {[]known{at(5), gone(5), at(8)}, 8},
		"parked again, and a late deletion": {[]known{at(5), at(8), gone(7)}, 8},
		"not found before it was parked":    {[]known{at(5), gone(0)}, 5},
	} {
		m := &Marks{known: map[string]known{}}
		for _, n := range c.notes {
			m.learn(key, n)
		}
		mark, parked := m.Known("porter", 0, id)
		require.Equal(t, c.seen > 0, parked, name)
		require.Equal(t, c.seen, mark.Seen, name)
		require.Len(t, m.List("porter", 0), int(m.count.Load()), name)
	}
}

func TestWhatIsGoneIsForgotten(t *testing.T) {
	t.Parallel()
	m := &Marks{known: map[string]known{}}
	m.learn("stays", known{revision: 1})
	for i := range uint64(3 * mostGone) {
		m.learn(Key("porter", 0, uuid.New()), known{revision: i + 2, gone: true})
	}
	require.LessOrEqual(t, len(m.known), mostGone+1)
	require.True(t, m.knows("stays").there())
}
