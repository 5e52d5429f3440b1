package projections

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/admitone/admitone/readstore"
	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"
)

// rows compares a generation's tables with what was folded: every row must be one
// that the fold made, and as many as it made must be there.
func (v *verifier) rows(ctx context.Context, i int, g *generation) error {
	suspects := map[uuid.UUID]bool{}
	tables := []scanned{{table: g.home}}
	for x := range g.indexes {
		tables = append(tables, scanned{table: g.indexes[x], id: g.projection.indexes[x].id, want: func(e *entry) []readstore.Row { return e.rows[x] }})
	}
	for x := range g.appended {
		tables = append(tables, scanned{
			table: g.appended[x], id: columnIndex(g.appended[x], g.projection.appended[x].IDColumn),
			want: func(e *entry) []readstore.Row { return e.appendedTo(x) },
		})
	}
	tables[0].want = func(e *entry) []readstore.Row {
		if e.version == 0 {
			return nil
		}
		row, err := g.projection.homeRow(e)
		if err != nil {
			return nil
		}
		return []readstore.Row{row}
	}
	for _, t := range tables {
		if err := v.scanTable(ctx, i, g, t, suspects); err != nil {
			return err
		}
	}
	for _, lane := range v.lanes {
		for id, a := range lane.known {
			if want := expected(a.entries[i], tables); want != a.rows[i] {
				suspects[id] = true
			}
		}
	}
	return v.lookAgain(ctx, g, suspects)
}

type scanned struct {
	table *readstore.Table
	id    int // column of the aggregate's id
	want  func(*entry) []readstore.Row
}

func expected(e *entry, tables []scanned) (rows int) {
	if e == nil {
		return 0
	}
	for _, t := range tables {
		rows += len(t.want(e))
	}
	return rows
}

func (e *entry) appendedTo(table int) []readstore.Row {
	var rows []readstore.Row
	for _, a := range e.appended {
		if a.table == table {
			rows = append(rows, a.row)
		}
	}
	return rows
}

func (v *verifier) scanTable(ctx context.Context, i int, g *generation, t scanned, suspects map[uuid.UUID]bool) error {
	wanted := wantedRows{table: t.table, want: t.want, many: map[*entry]map[string]readstore.Row{}}
	return g.store.Scan(ctx, t.table, func(row readstore.Row) error {
		text, _ := row[t.id].(string)
		id, err := uuid.Parse(text)
		if err != nil {
			v.report.add(Finding{Severity: SeverityError, Stream: v.stream.Name(), Projection: g.projection.name, Text: fmt.Sprintf("table %s has a row of no aggregate: %v", t.table.Name, row)})
			return nil
		}
		a, mine := v.logged(id)
		if !mine {
			return nil
		}
		v.report.rows.Add(1)
		if a == nil || !wanted.has(a.entries[i], row) {
			suspects[id] = true
			return nil
		}
		a.rows[i]++
		return nil
	})
}

// wantedRows finds rows of a table among those that entries should have in it.
type wantedRows struct {
	table *readstore.Table
	want  func(*entry) []readstore.Row
	many  map[*entry]map[string]readstore.Row // by key, of entries with more than fewRows
}

// fewRows are compared one by one.
const fewRows = 32

func (w *wantedRows) has(e *entry, row readstore.Row) bool {
	byKey, known := w.many[e]
	if !known {
		rows := w.want(e)
		if len(rows) <= fewRows {
			return hasRow(rows, row)
		}
		byKey = make(map[string]readstore.Row, len(rows))
		for _, r := range rows {
			byKey[keyText(w.table, r)] = r
		}
		w.many[e] = byKey
	}
	wanted, there := byKey[keyText(w.table, row)]
	return there && sameValues(wanted, row)
}

// keyText is the key of a row as text.
func keyText(t *readstore.Table, row readstore.Row) string {
	var text []byte
	for _, v := range t.KeyOf(row) {
		switch v := v.(type) {
		case time.Time:
			text = fmt.Appendf(text, "%d ", v.UnixMilli())
		default:
			text = fmt.Appendf(text, "%#v ", v)
		}
	}
	return string(text)
}

func hasRow(rows []readstore.Row, row readstore.Row) bool {
	for _, r := range rows {
		if sameValues(r, row) {
			return true
		}
	}
	return false
}

// suspectsAtOnce are looked at side by side: each takes two seconds, most of them
// waiting.
const suspectsAtOnce = 64

// lookAgain checks what did not fit: the service goes on meanwhile, and what is parked
// is behind the log by its nature.
func (v *verifier) lookAgain(ctx context.Context, g *generation, suspects map[uuid.UUID]bool) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(suspectsAtOnce)
	for id := range suspects {
		group.Go(func() error {
			difference, err := v.lookAt(ctx, g, id)
			if difference != "" && err == nil {
				v.report.add(Finding{Severity: SeverityError, Stream: v.stream.Name(), Projection: g.projection.name, Aggregate: id.String(), Text: difference})
			}
			return err
		})
	}
	return group.Wait()
}

// lookAt says what is wrong with an aggregate that is not parked; empty: nothing.
func (v *verifier) lookAt(ctx context.Context, g *generation, id uuid.UUID) (string, error) {
	_, parked, err := g.marks.Read(ctx, g.markKey(id))
	if err != nil || parked != 0 {
		return "", err
	}
	difference, err := g.checkAggregate(ctx, id)
	if err != nil || difference != "" {
		return difference, err
	}
	return v.tooMany(ctx, g, id)
}

// errFound ends a scan early.
var errFound = errors.New("found")

// tooMany looks through the tables for a row of the aggregate that the log, as it
// stands now, does not say.
func (v *verifier) tooMany(ctx context.Context, g *generation, id uuid.UUID) (string, error) {
	for range checkLooks {
		e, err := g.entryOf(id, nil)
		if err != nil {
			return "", err
		}
		if _, err := g.foldLog(ctx, e, func(*entry) error { return nil }); err != nil {
			return "", err
		}
		text, err := g.extraRow(ctx, e)
		if text == "" || err != nil {
			return "", err
		}
		now, err := g.compare(ctx, e)
		if err != nil {
			return "", err
		}
		if now == "" { // the rows stand still at this version, and one is too many
			return text, nil
		}
	}
	return "", nil
}

func (g *generation) extraRow(ctx context.Context, e *entry) (string, error) {
	var extra string
	look := func(table *readstore.Table, column int, want []readstore.Row) error {
		wanted := wantedRows{table: table, want: func(*entry) []readstore.Row { return want }, many: map[*entry]map[string]readstore.Row{}}
		err := g.store.Scan(ctx, table, func(row readstore.Row) error {
			if row[column] != e.key || wanted.has(e, row) {
				return nil
			}
			extra = fmt.Sprintf("table %s has a row that the log does not say: %v", table.Name, row)
			return errFound
		})
		if errors.Is(err, errFound) {
			return nil
		}
		return err
	}
	for i, table := range g.indexes {
		if err := look(table, g.projection.indexes[i].id, e.rows[i]); err != nil || extra != "" {
			return extra, err
		}
	}
	for i, table := range g.appended {
		column := columnIndex(table, g.projection.appended[i].IDColumn)
		if err := look(table, column, e.appendedTo(i)); err != nil || extra != "" {
			return extra, err
		}
	}
	return "", nil
}
