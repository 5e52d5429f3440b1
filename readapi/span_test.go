package readapi

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/admitone/admitone/readstore"
	"github.com/admitone/admitone/readstore/sqlite"
	"github.com/admitone/admitone/readstore/storetest"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// counted counts the pages that are read.
type counted struct {
	readstore.Store
	pages int
}

func (c *counted) Page(ctx context.Context, t *readstore.Table, q readstore.Query) (readstore.Page, error) {
	c.pages++
	return c.Store.Page(ctx, t, q)
}

// sent is the messages of a chronicle by their versions; the other versions are no
// messages.
type sent map[int64]time.Time

// newChronicle is one of many versions, some of them no messages, some sent at the
// same time.
func newChronicle(t *testing.T, random *rand.Rand, versions int64) (*chronicle, sent) {
	t.Helper()
	store, err := sqlite.Open(sqlite.Config{Path: filepath.Join(t.TempDir(), "test.db")})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	number := func(name string) readstore.Column { return readstore.Column{Name: name, Type: readstore.Int} }
	moment := func(name string) readstore.Column { return readstore.Column{Name: name, Type: readstore.Time} }
	id := readstore.Column{Name: "conversation_id", Type: readstore.Text}
	c := &chronicle{
		store: store, id: uuid.New(), first: 1, version: versions,
		table: &readstore.Table{
			Name: messagesByConversation, Partition: []readstore.Column{id, number("bucket")}, Clustering: []readstore.Column{number("version")},
			Values: []readstore.Column{moment("sent_at")},
		},
		buckets: &readstore.Table{
			Name: messageBuckets, Partition: []readstore.Column{id}, Clustering: []readstore.Column{number("bucket")},
			Values: []readstore.Column{number("version"), moment("begins_at")},
		},
	}
	c.in = columnsOf(c.table)
	require.NoError(t, store.Ensure(t.Context(), c.table, c.buckets))
	all, at := sent{}, march
	var rows []readstore.Mutation
	put := func(table *readstore.Table, row ...any) {
		rows = append(rows, readstore.Mutation{Table: table, Row: append(readstore.Row{c.id.String()}, row...), Timestamp: 1})
	}
	for v := int64(1); v <= versions+5; v++ { // a few are being written
		at = at.Add(time.Duration(random.IntN(3)) * time.Millisecond)
		if (v-1)%bucketVersions == 0 {
			put(c.buckets, bucketAt(v), v, at)
		}
		if random.IntN(4) > 0 {
			put(c.table, bucketAt(v), v, at)
			all[v] = at
		}
	}
	require.NoError(t, store.Write(t.Context(), rows))
	c.store = &counted{Store: store}
	return c, all
}

// TestSpanOfMessages finds any span of a chronicle, in few reads.
func TestSpanOfMessages(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	if given, err := strconv.ParseUint(os.Getenv(storetest.SeedEnv), 10, 64); err == nil {
		seed = given
	}
	t.Logf("%s=%d", storetest.SeedEnv, seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for _, versions := range []int64{1, 999, 1000, 1001, 3300} {
		c, all := newChronicle(t, random, versions)
		reads := c.store.(*counted)
		for range 100 {
			s := randomSpan(random, int(versions))
			narrowed := *c
			reads.pages = 0
			require.NoError(t, narrowed.narrow(t.Context(), s))
			require.LessOrEqual(t, reads.pages, 2*(1+10), "the buckets and ten messages for each end")
			for v := int64(1); v <= versions+5; v++ {
				at, is := all[v]
				within := v <= versions && !at.Before(s.since) && (s.until.IsZero() || at.Before(s.until))
				require.True(t, !is || within == (v >= narrowed.first && v <= narrowed.version), "version %d at %s, %v", v, at, s)
			}
		}
	}
}

// randomSpan begins and ends in a chronicle, before or behind it, or not at all.
func randomSpan(random *rand.Rand, versions int) (s span) {
	moment := func() time.Time {
		return march.Add(time.Duration(random.IntN(2*(versions+20))-10)*time.Millisecond - time.Duration(random.IntN(2)))
	}
	if random.IntN(3) > 0 {
		s.since = moment()
	}
	if random.IntN(3) > 0 {
		s.until = moment()
	}
	return s
}
