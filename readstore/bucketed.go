package readstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/sync/errgroup"
)

// MarkGrace is how much older than the moment of reading a month's mark must be
// to be deleted. It must exceed the time between a row's acknowledgement and its
// mark's timestamp, where that lies before, and the difference of two machines'
// clocks, taken together.
const MarkGrace = 10 * time.Minute

// Bucketed is a list in the order of a time, newest or oldest first as its table
// sorts, whose partitions stay bounded however long it grows: a row lies in the
// partition of its list (the prefix columns), a bucket by its time (its month,
// unless told otherwise), and a shard by its id. A second small table marks which
// buckets a list uses, so that those whose rows have all gone (sold tickets leave
// "available") are not read again.
//
// Where rows change their time, each change leaves a tombstone behind, which the
// next reader of that bucket passes over: then choose buckets so short that they
// stay below 100,000 of both.
//
// Rows are written to Table by versions as any others. Marks are kept by the
// clock, everywhere in that table, in microseconds:
//
//   - Whoever writes rows writes MarkMutations once the rows are acknowledged, and
//     before the write (of a home row, say) that means they need not be written
//     again. The time given is taken after the acknowledgement. A mark that the
//     same writer wrote less than a minute or two before may be left out.
//   - A reader that finds a bucket empty began reading at some time S and deletes
//     the bucket's mark at S - MarkGrace. A row it could not see was acknowledged
//     after S, so that row's mark is (or the one left out was) newer than the
//     delete by nearly MarkGrace and stands, whichever of both comes first. A row
//     put there later brings the mark back in the same way.
//
// Fields are not changed once in use; then it is safe for concurrent use.
type Bucketed struct {
	// Table has the partition columns of the list (one or more), the bucket (Text,
	// "month", say) and "shard" (Int), and the clustering columns time (Time, Desc
	// where the newest come first) and id (Text).
	Table *Table
	// Marks is as NewBucketed makes it.
	Marks *Table
	// Shards is how many partitions share a bucket, from 1; fixed once rows are written.
	Shards int
	// Bucket names the bucket of a time; nil is Month. Names sort by their bytes as
	// the times do. Fixed once rows are written.
	Bucket func(time.Time) string
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Position is the place of a row in a list, to go on behind it; or the end of a
// bucket, where Bucket is not empty.
type Position struct {
	At     time.Time
	ID     string
	Bucket string
}

// partitionsOfAPage bounds what a page costs that finds little: on a CQL server a
// second or so.
const partitionsOfAPage = 400

// bucketsOfAPage is how many buckets a page reads at most, and how many marks it deletes.
func (b *Bucketed) bucketsOfAPage() int { return max(1, partitionsOfAPage/b.Shards) }

// NewBucketed describes a list over a table, and the table of its marks under the
// same name with that of the buckets' column behind it ("_months").
func NewBucketed(table *Table, shards int) *Bucketed {
	n := max(0, len(table.Partition)-2)
	bucket := Column{Name: "bucket", Type: Text, Desc: len(table.Clustering) > 0 && table.Clustering[0].Desc}
	if n < len(table.Partition) {
		bucket.Name = table.Partition[n].Name
	}
	return &Bucketed{Table: table, Shards: shards, Marks: &Table{
		Name:       table.Name + "_" + bucket.Name + "s",
		Partition:  table.Partition[:n],
		Clustering: []Column{bucket},
		Values:     []Column{{Name: "marked_at", Type: Time}},
	}}
}

// Validate reports, as ErrInvalid, tables of another shape than a list needs.
func (b *Bucketed) Validate() error {
	n, t := len(b.Table.Partition)-2, b.Table
	if n < 1 || len(t.Clustering) != 2 || b.Shards < 1 ||
		t.Partition[n].Type != Text || t.Partition[n+1].Type != Int ||
		t.Clustering[0].Type != Time || t.Clustering[1].Type != Text {
		return fmt.Errorf("readstore: list %s: %w: it needs 1 or more shards, the partition columns prefix, bucket (text) and shard (int), "+
			"the clustering columns time and id (text)", t.Name, ErrInvalid)
	}
	return errors.Join(b.Table.Validate(), b.Marks.Validate())
}

// Month is the bucket of a time: its year and month in UTC, "2026-11".
func Month(t time.Time) string { return t.UTC().Format("2006-01") }

func (b *Bucketed) bucketOf(t time.Time) string {
	if b.Bucket != nil {
		return b.Bucket(t)
	}
	return Month(t)
}

// Key is the whole key of a row of the list.
func (b *Bucketed) Key(prefix Key, at time.Time, id string) Key {
	h := fnv.New32a()
	_, _ = h.Write([]byte(id))
	shard := int64(h.Sum32() % uint32(b.Shards))
	return append(slices.Clone(prefix), b.bucketOf(at), shard, at, id)
}

// CheckRow reports, as ErrInvalid, a row that the list's table or that of its marks
// does not take.
func (b *Bucketed) CheckRow(row Row) error {
	if err := CheckRow(b.Table, row); err != nil {
		return err
	}
	return CheckKey(b.Marks, Key(row[:b.Marks.KeyLen()]))
}

// PositionOf is the place of a row.
func (b *Bucketed) PositionOf(row Row) Position {
	n := len(b.Table.Partition)
	return Position{At: row[n].(time.Time), ID: row[n+1].(string)}
}

// MarkMutations are the marks that rows of the list need, one for each bucket, at
// the given time. Write them after the rows; see Bucketed.
func (b *Bucketed) MarkMutations(now time.Time, rows []Row) []Mutation {
	var marks []Mutation
	seen := map[string]bool{}
	now = now.UTC().Truncate(time.Millisecond)
	for _, row := range rows {
		// The row of a mark follows from its timestamp alone: equal ones are the same row.
		mark := append(slices.Clone(row[:len(b.Table.Partition)-1]), now)
		name := fmt.Sprint(mark...)
		if !seen[name] {
			seen[name] = true
			marks = append(marks, Mutation{Table: b.Marks, Row: mark, Timestamp: now.UnixMicro()})
		}
	}
	return marks
}

// Page reads up to limit (1 to MaxLimit-1) rows of a list in its order, behind a
// position if that is not nil. The position it returns is where to go on, nil at
// the end; rows are fewer than limit before the end where many buckets are nearly
// empty. Rows that arrive or leave meanwhile are in it or not; no other is missed or
// given twice. It deletes the marks of buckets that it finds empty.
func (b *Bucketed) Page(ctx context.Context, store Store, prefix Key, limit int, after *Position) ([]Row, *Position, error) {
	if limit < 1 || limit >= MaxLimit {
		return nil, nil, fmt.Errorf("readstore: list %s: %w: a limit of %d is not within 1 and %d", b.Table.Name, ErrInvalid, limit, MaxLimit-1)
	}
	var rows []Row
	var empty []bucket
	read := 0
	// One row more than asked for tells whether this is the end.
	rest, err := b.eachBucket(ctx, store, prefix, after, func(x bucket) (bool, error) {
		more, err := b.read(ctx, store, append(slices.Clone(prefix), x.name), limit+1-len(rows), x.after)
		rows = append(rows, more...)
		if len(more) == 0 {
			empty = append(empty, x)
		}
		read++
		return len(rows) <= limit && read < b.bucketsOfAPage(), err
	})
	if err != nil {
		return nil, nil, err
	}
	b.drain(ctx, store, prefix, empty)
	if len(rows) <= limit {
		return rows, rest, nil
	}
	last := b.PositionOf(rows[limit-1])
	return rows[:limit], &last, nil
}

type bucket struct {
	name     string
	after    *Position // nil: from the bucket's beginning
	markedAt time.Time
	began    time.Time // before anything of the bucket was read
}

// eachBucket calls fn for the buckets that a list uses, in its order, beginning
// with the position's, until it returns false: then it says where that was.
func (b *Bucketed) eachBucket(ctx context.Context, store Store, prefix Key, after *Position, fn func(bucket) (bool, error)) (*Position, error) {
	q := Query{Partition: prefix, Limit: b.bucketsOfAPage()}
	switch {
	case after != nil && after.Bucket != "":
		q.After = Key{after.Bucket}
	case after != nil:
		// Whether or not that bucket is still marked: rows may be left in it.
		name := b.bucketOf(after.At)
		q.After = Key{name}
		if more, err := fn(bucket{name: name, after: after}); err != nil || !more {
			return &Position{Bucket: name}, err
		}
	}
	for {
		page, err := store.Page(ctx, b.Marks, q)
		if err != nil {
			return nil, err
		}
		n := len(prefix)
		for _, mark := range page.Rows {
			x := bucket{name: mark[n].(string), markedAt: mark[n+1].(time.Time), began: b.now()}
			if more, err := fn(x); err != nil || !more {
				return &Position{Bucket: x.name}, err
			}
		}
		if q.Cursor, q.After = page.Cursor, nil; q.Cursor == "" {
			return nil, nil
		}
	}
}

// read merges the shards of one bucket.
func (b *Bucketed) read(ctx context.Context, store Store, bucket Key, limit int, after *Position) ([]Row, error) {
	shards := make([][]Row, b.Shards)
	group, ctx := errgroup.WithContext(ctx)
	for i := range shards {
		group.Go(func() error {
			q := Query{Partition: append(slices.Clone(bucket), int64(i)), Limit: limit}
			if after != nil {
				q.After = Key{after.At, after.ID}
			}
			page, err := store.Page(ctx, b.Table, q)
			shards[i] = page.Rows
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	rows := slices.Concat(shards...)
	slices.SortFunc(rows, b.compare)
	return rows[:min(limit, len(rows))], nil
}

func (b *Bucketed) compare(x, y Row) int {
	p, q := b.PositionOf(x), b.PositionOf(y)
	byTime, byID := p.At.Compare(q.At), strings.Compare(p.ID, q.ID)
	if b.Table.Clustering[0].Desc {
		byTime = -byTime
	}
	if b.Table.Clustering[1].Desc {
		byID = -byID
	}
	return cmp.Or(byTime, byID)
}

// drain deletes the marks of buckets that were read from their beginnings and found
// empty. The current one's stays: rows come to it all the time.
func (b *Bucketed) drain(ctx context.Context, store Store, prefix Key, empty []bucket) {
	var marks []Mutation
	for _, x := range empty {
		before := x.began.Add(-MarkGrace)
		if x.after != nil || x.name == b.bucketOf(x.began) || !x.markedAt.Before(before) {
			continue
		}
		marks = append(marks, Mutation{
			Table: b.Marks, Row: append(Row(slices.Clone(prefix)), x.name), Delete: true, Timestamp: before.UnixMicro(),
		})
	}
	if marks != nil {
		// Should it fail, these are read in vain once more and the next reader tries.
		_ = store.Write(ctx, marks)
	}
}

func (b *Bucketed) now() time.Time {
	if b.Now != nil {
		return b.Now()
	}
	return time.Now()
}

// endOfBucket begins the text of a position that is no row's; a time has no such
// character.
const endOfBucket = "~"

// String is the position as text, for a cursor; ParsePosition reads it.
func (p Position) String() string {
	if p.Bucket != "" {
		return endOfBucket + p.Bucket
	}
	return strconv.FormatInt(p.At.UnixMilli(), 36) + "." + p.ID
}

// ParsePosition reads what Position.String gave; anything else is ErrBadCursor.
func ParsePosition(s string) (Position, error) {
	if name, is := strings.CutPrefix(s, endOfBucket); is && name != "" && len(name) <= MaxKeyText && utf8.ValidString(name) {
		return Position{Bucket: name}, nil
	}
	at, id, found := strings.Cut(s, ".")
	ms, err := strconv.ParseInt(at, 36, 64)
	if err != nil || !found || len(id) > MaxKeyText || !utf8.ValidString(id) {
		return Position{}, fmt.Errorf("readstore: position: %w", ErrBadCursor)
	}
	return Position{At: time.UnixMilli(ms).UTC(), ID: id}, nil
}
