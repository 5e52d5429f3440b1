package dialect

import "github.com/admitone/admitone/readstore"

// Slice is a part of a partition that one range of its order covers: the rows
// whose first clustering columns equal those of After but the last one given, in
// which they lie beyond it. An empty After is the whole partition.
type Slice struct {
	After   readstore.Key
	Reverse bool
}

// Page answers a query with read, which returns up to limit rows of a slice in
// order. It asks for one row more than the page has, to know whether it is the last.
func Page(t *readstore.Table, q readstore.Query, read func(s Slice, limit int) ([]readstore.Row, error)) (readstore.Page, error) {
	if err := q.Validate(t); err != nil {
		return readstore.Page{}, err
	}
	after := q.After
	if q.Cursor != "" {
		var err error
		if after, err = decodeCursor(t, q); err != nil {
			return readstore.Page{}, err
		}
	}
	var rows []readstore.Row
	for _, s := range slicesBehind(after, q) {
		more, err := read(s, q.Limit+1-len(rows))
		if err != nil {
			return readstore.Page{}, err
		}
		if rows = append(rows, more...); len(rows) > q.Limit {
			last := rows[q.Limit-1]
			return readstore.Page{Rows: rows[:q.Limit], Cursor: encodeCursor(t, q, last)}, nil
		}
	}
	return readstore.Page{Rows: rows}, nil
}

// slicesBehind: behind (a, b) are the rows (a, >b), then the rows (>a). One
// comparison of whole keys cannot say that where a goes down and b up.
func slicesBehind(after readstore.Key, q readstore.Query) []Slice {
	if after == nil {
		return []Slice{{Reverse: q.Reverse}}
	}
	var s []Slice
	for n := len(after); n > 0; n-- {
		s = append(s, Slice{After: after[:n], Reverse: q.Reverse})
	}
	return s
}
