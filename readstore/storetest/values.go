package storetest

import (
	"math"
	"strings"
	"time"

	"github.com/admitone/admitone/readstore"
	"github.com/stretchr/testify/require"
)

func checkValues(s *suite) {
	at := time.Date(2026, 11, 21, 9, 30, 15, 123_000_000, time.UTC)
	rows := []readstore.Row{
		{s.id("plain"), int64(7), "Two seats", at, true, []byte{1, 2, 3}},
		{s.id("empty"), int64(0), "", time.Time{}, false, []byte{}},
		{s.id("epoch"), int64(1), "e", time.UnixMilli(0).UTC(), true, []byte{0}},
		{s.id("before"), int64(-1), "b", time.UnixMilli(-1).UTC(), false, []byte{255}},
		{s.id("least"), int64(math.MinInt64), "l", time.UnixMilli(1).UTC(), true, []byte("x")},
		{s.id("most"), int64(math.MaxInt64), "m", time.Date(9999, 12, 31, 23, 59, 59, 999_000_000, time.UTC), true, []byte("x")},
		{s.id(`'; DROP TABLE "records"; --`), int64(1), `it's "quoted" \ ; ? $1`, at, true, []byte(`'"`)},
		{s.id("日本 é 😀"), int64(1), "日本 é 😀 \u00a0\ufeff", at, true, []byte("é")},
		{s.id("nul\x00key"), int64(1), "a\x00b\x00", at, true, []byte{0, 0}},
		{s.id(" spaces "), int64(1), " \t\r\n ", at, true, []byte(" ")},
		{s.id("long"), int64(1), strings.Repeat("0123456789abcdé", 1<<12), at, true, make([]byte, 1<<16)},
		{s.id(strings.Repeat("k", 4000)), int64(1), "long key", at, true, []byte("k")},
	}
	for _, row := range rows {
		s.write([]readstore.Mutation{upsert(records, 1, row...)})
		require.Equal(s, row, s.row(records, row[0]))
	}

	local := time.Date(2026, 1, 2, 3, 4, 5, 678_901_234, time.FixedZone("", -7200))
	s.write([]readstore.Mutation{upsert(records, 1, s.id("zone"), int64(1), "z", local, true, []byte{})})
	require.Equal(s, local.UTC().Truncate(time.Millisecond), s.row(records, s.id("zone"))[3], "UTC, cut to milliseconds")
}

func checkEmptyReplaces(s *suite) {
	id := s.id("row")
	s.write([]readstore.Mutation{upsert(records, 1, record(id, 8)...)})
	empty := readstore.Row{id, int64(0), "", time.Time{}, false, []byte{}}
	s.write([]readstore.Mutation{upsert(records, 2, empty...)})
	require.Equal(s, empty, s.row(records, id))
}

func checkInvalid(s *suite) {
	good := record(s.id("good"), 1)
	bad := func(column int, value any) readstore.Mutation {
		row := record(s.id("bad"), 1)
		row[column] = value
		return upsert(records, 1, row...)
	}
	for _, m := range []readstore.Mutation{
		bad(0, 7), bad(0, ""), bad(0, strings.Repeat("k", readstore.MaxKeyText+1)),
		bad(1, 7), bad(1, nil), bad(2, []byte("x")), bad(2, "\xff"), bad(3, int64(5)), bad(4, 1), bad(5, []byte(nil)), bad(5, "x"),
		upsert(records, 0, record(s.id("bad"), 1)...), upsert(records, -1, record(s.id("bad"), 1)...),
		upsert(records, 1, s.id("bad")), upsert(records, 1, append(record(s.id("bad"), 1), "more")...),
		remove(timeline, 1, s.id("bad")), remove(timeline, 1, s.id("bad"), "noon", "x"), remove(records, 0, s.id("bad")),
	} {
		err := s.store.Write(s.Context(), []readstore.Mutation{upsert(records, 1, good...)}, []readstore.Mutation{m})
		require.ErrorIs(s, err, readstore.ErrInvalid, "%v", m)
	}
	require.Nil(s, s.row(records, good[0]), "nothing is written beside what is refused")

	for _, key := range []readstore.Key{{}, {7}, {""}, {s.id(1), s.id(2)}} {
		_, err := s.store.Get(s.Context(), records, key)
		require.ErrorIs(s, err, readstore.ErrInvalid, "%v", key)
	}
	p := readstore.Key{s.id(1)}
	for _, q := range []readstore.Query{
		{Partition: p}, {Partition: p, Limit: -1}, {Partition: p, Limit: readstore.MaxLimit + 1},
		{Partition: readstore.Key{}, Limit: 1}, {Partition: readstore.Key{7}, Limit: 1}, {Partition: readstore.Key{""}, Limit: 1},
		{Partition: p, Limit: 1, After: readstore.Key{time.Now()}}, {Partition: p, Limit: 1, After: readstore.Key{"x", time.Now()}},
		{Partition: p, Limit: 1, After: readstore.Key{time.Now(), "x"}, Cursor: "x"},
	} {
		_, err := s.store.Page(s.Context(), timeline, q)
		require.ErrorIs(s, err, readstore.ErrInvalid, "%+v", q)
	}
	checkInvalidTables(s)
}

func checkInvalidTables(s *suite) {
	text, flag := readstore.Column{Name: "a", Type: readstore.Text}, readstore.Column{Name: "b", Type: readstore.Bool}
	for _, t := range []*readstore.Table{
		{Name: "Upper", Partition: []readstore.Column{text}},
		{Name: "", Partition: []readstore.Column{text}},
		{Name: strings.Repeat("x", 49), Partition: []readstore.Column{text}},
		{Name: `quo"te`, Partition: []readstore.Column{text}},
		{Name: "sqlite_x", Partition: []readstore.Column{text}},
		{Name: "none", Values: []readstore.Column{text}},
		{Name: "twice", Partition: []readstore.Column{text}, Values: []readstore.Column{text}},
		{Name: "flagged", Partition: []readstore.Column{flag}},
		{Name: "clustered", Partition: []readstore.Column{text}, Clustering: []readstore.Column{flag}},
		{Name: "untyped", Partition: []readstore.Column{text}, Values: []readstore.Column{{Name: "c"}}},
	} {
		require.ErrorIs(s, s.store.Ensure(s.Context(), t), readstore.ErrInvalid, "%+v", t)
	}
}
