package storetest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/admitone/admitone/readstore"
	"github.com/stretchr/testify/require"
)

// fill writes rows of mixed and timeline, shuffled, and returns them in order.
func fill(s *suite) (inMixed, inTimeline []readstore.Row) {
	for a := range 3 {
		for _, b := range []string{"c", "b", "a", ""} {
			for c := range 5 {
				inMixed = append(inMixed, readstore.Row{s.id("p"), int64(1), int64(a - 1), b, int64(c * c), fmt.Sprint(a, b, c)})
			}
		}
	}
	for minute := range 12 {
		for _, id := range []string{"a", "b", "c", "d"} {
			at := time.Date(2026, 11, 21, 12, 60-minute, 0, 0, time.UTC)
			inTimeline = append(inTimeline, readstore.Row{s.id("p"), at, id, int64(minute)})
		}
	}
	var all []readstore.Mutation
	for i, row := range inMixed {
		all = append(all, upsert(mixed, int64(i+1), row...))
	}
	for i, row := range inTimeline {
		all = append(all, upsert(timeline, int64(i+1), row...))
	}
	s.random().Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	// Neighbours must not show.
	all = append(all,
		upsert(mixed, 1, s.id("p"), int64(2), int64(0), "b", int64(0), "another partition"),
		upsert(mixed, 1, s.id("q"), int64(1), int64(0), "b", int64(0), "another partition"),
		upsert(timeline, 1, s.id("q"), time.Date(2026, 11, 21, 12, 55, 0, 0, time.UTC), "b", int64(0)))
	s.write(all)
	return inMixed, inTimeline
}

func checkPages(s *suite) {
	inMixed, inTimeline := fill(s)
	for _, x := range []struct {
		table *readstore.Table
		rows  []readstore.Row
	}{{mixed, inMixed}, {timeline, inTimeline}} {
		partition := readstore.Key(x.rows[0][:len(x.table.Partition)])
		for _, reverse := range []bool{false, true} {
			want := slices.Clone(x.rows)
			if reverse {
				slices.Reverse(want)
			}
			for _, limit := range []int{1, 2, 7, len(want) - 1, len(want), len(want) + 1, readstore.MaxLimit} {
				got := s.all(x.table, readstore.Query{Partition: partition, Limit: limit, Reverse: reverse})
				require.Equal(s, want, got, "%s, reverse %v, limit %d", x.table.Name, reverse, limit)
			}
			p := s.page(x.table, readstore.Query{Partition: partition, Limit: len(want), Reverse: reverse})
			require.Empty(s, p.Cursor, "the last page, though full, has no cursor")
		}
	}
}

func checkAfter(s *suite) {
	inMixed, inTimeline := fill(s)
	for i, row := range inMixed {
		q := readstore.Query{Partition: readstore.Key(row[:2]), Limit: 9, After: readstore.Key(row[2:5])}
		equalRows(s, inMixed[i+1:], s.all(mixed, q))
		q.Reverse = true
		equalRows(s, reversed(inMixed[:i]), s.all(mixed, q))
	}
	for i, row := range inTimeline {
		q := readstore.Query{Partition: readstore.Key(row[:1]), Limit: 9, After: readstore.Key(row[1:3])}
		equalRows(s, inTimeline[i+1:], s.all(timeline, q))
	}
	// Keys that no row has.
	q := readstore.Query{Partition: readstore.Key{s.id("p"), int64(1)}, Limit: 100, After: readstore.Key{int64(0), "bb", int64(7)}}
	from := slices.IndexFunc(inMixed, func(r readstore.Row) bool { return r[2] == int64(0) && r[3] == "b" })
	equalRows(s, inMixed[from:], s.all(mixed, q))
	q.After = readstore.Key{int64(99), "", int64(0)}
	require.Empty(s, s.all(mixed, q))
	q.After = readstore.Key{int64(-99), "", int64(0)}
	equalRows(s, inMixed, s.all(mixed, q))
}

func reversed(rows []readstore.Row) []readstore.Row {
	r := slices.Clone(rows)
	slices.Reverse(r)
	return r
}

// equalRows takes no rows and none made yet for the same.
func equalRows(s *suite, want, got []readstore.Row) {
	s.Helper()
	require.Len(s, got, len(want))
	for i := range want {
		require.Equal(s, want[i], got[i])
	}
}

func checkOrder(s *suite) {
	p := s.id("p")
	texts := []string{"", " ", "0", "10", "9", "A", "Z", "a", "aa", "z", "z\x00", "é", "日本", "\uffff", "😀"}
	slices.SortFunc(texts, func(a, b string) int { return -strings.Compare(a, b) })
	numbers := []int64{-1 << 63, -300, -2, -1, 0, 1, 2, 255, 256, 1<<63 - 1}
	var want []readstore.Row
	for _, n := range numbers {
		want = append(want, readstore.Row{p, int64(0), n, "x", -n, ""})
	}
	for _, text := range texts {
		want = append(want, readstore.Row{p, int64(0), int64(1000), text, int64(0), ""})
	}
	slices.SortStableFunc(want, func(x, y readstore.Row) int { return cmp.Compare(x[2].(int64), y[2].(int64)) })
	times := []time.Time{time.Date(2999, 1, 1, 0, 0, 0, 0, time.UTC), time.UnixMilli(1).UTC(), time.UnixMilli(0).UTC(), time.UnixMilli(-1).UTC(), {}}
	var list []readstore.Row
	for _, at := range times {
		list = append(list, readstore.Row{p, at, "x", int64(0)})
	}
	for _, row := range want {
		s.write([]readstore.Mutation{upsert(mixed, 1, row...)})
	}
	for _, row := range list {
		s.write([]readstore.Mutation{upsert(timeline, 1, row...)})
	}
	require.Equal(s, want, s.all(mixed, readstore.Query{Partition: readstore.Key{p, int64(0)}, Limit: 4}))
	require.Equal(s, list, s.all(timeline, readstore.Query{Partition: readstore.Key{p}, Limit: 2}))
	require.Equal(s, reversed(list), s.all(timeline, readstore.Query{Partition: readstore.Key{p}, Limit: 2, Reverse: true}))
}

func checkBigPages(s *suite) {
	const rows = 2*readstore.MaxLimit + 500
	var all []readstore.Mutation
	for i := range rows {
		all = append(all, upsert(mixed, 1, s.id("p"), int64(0), int64(i), strings.Repeat("x", 100), int64(i), strings.Repeat("v", 100)))
	}
	s.write(all)
	got := s.all(mixed, readstore.Query{Partition: readstore.Key{s.id("p"), int64(0)}, Limit: readstore.MaxLimit})
	require.Len(s, got, rows)
	for i, row := range got {
		require.Equal(s, int64(i), row[2])
	}
}

func checkPagesSkipDeleted(s *suite) {
	_, rows := fill(s)
	partition := readstore.Key{s.id("p")}
	first := s.page(timeline, readstore.Query{Partition: partition, Limit: 10})
	var deletes []readstore.Mutation
	var left []readstore.Row
	for i, row := range rows {
		if i%10 == 9 || i%3 == 0 { // the row that the cursor stands on among them
			deletes = append(deletes, remove(timeline, 1000, row[:3]...))
		} else {
			left = append(left, row)
		}
	}
	s.write(deletes)
	require.Equal(s, left, s.all(timeline, readstore.Query{Partition: partition, Limit: 4}))
	rest := s.all(timeline, readstore.Query{Partition: partition, Limit: 4, Cursor: first.Cursor})
	var want []readstore.Row
	for _, row := range left {
		if row[3].(int64)*4+int64(row[2].(string)[0]-'a') > 9 {
			want = append(want, row)
		}
	}
	require.Equal(s, want, rest, "the cursor goes on though its row is gone")
}

func checkCursors(s *suite) {
	fill(s)
	q := readstore.Query{Partition: readstore.Key{s.id("p")}, Limit: 5}
	cursor := s.page(timeline, q).Cursor
	require.NotEmpty(s, cursor)
	bad := func(t *readstore.Table, q readstore.Query, why string) {
		_, err := s.store.Page(s.Context(), t, q)
		require.ErrorIs(s, err, readstore.ErrBadCursor, why)
	}
	for i := range cursor {
		q.Cursor = cursor[:i] + "~" + cursor[i+1:]
		bad(timeline, q, "not in the alphabet")
		other := byte('A')
		if cursor[i] == other {
			other = 'B'
		}
		q.Cursor = cursor[:i] + string(other) + cursor[i+1:]
		bad(timeline, q, "changed")
		if i > 0 {
			q.Cursor = cursor[:i]
			bad(timeline, q, "cut")
		}
	}
	q.Cursor = cursor + "AA"
	bad(timeline, q, "longer")
	bad(timeline, readstore.Query{Partition: q.Partition, Limit: 5, Cursor: cursor, Reverse: true}, "the other direction")
	bad(timeline, readstore.Query{Partition: readstore.Key{s.id("q")}, Limit: 5, Cursor: cursor}, "another partition")
	bad(mixed, readstore.Query{Partition: readstore.Key{s.id("p"), int64(1)}, Limit: 5, Cursor: cursor}, "another table")

	again := s.own(timeline)
	row := readstore.Row{s.id("p"), time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), "x", int64(1)}
	s.write([]readstore.Mutation{upsert(again, 1, row...)})
	got := s.page(again, readstore.Query{Partition: q.Partition, Limit: 5, Cursor: cursor})
	require.Equal(s, []readstore.Row{row}, got.Rows, "a cursor goes on in the same table under another name")
}

func checkEmptyPartition(s *suite) {
	for _, reverse := range []bool{false, true} {
		p := s.page(timeline, readstore.Query{Partition: readstore.Key{s.id("none")}, Limit: 5, Reverse: reverse})
		require.Empty(s, p.Rows)
		require.Empty(s, p.Cursor)
	}
}

func checkSingleRows(s *suite) {
	id := s.id("row")
	require.Empty(s, s.all(records, readstore.Query{Partition: readstore.Key{id}, Limit: 1}))
	s.write([]readstore.Mutation{upsert(records, 1, record(id, 1)...)})
	require.Equal(s, []readstore.Row{record(id, 1)}, s.all(records, readstore.Query{Partition: readstore.Key{id}, Limit: 1}))
}
