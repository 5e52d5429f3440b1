package readapi

import (
	"context"
	"time"

	"github.com/admitone/admitone/api"
	"github.com/admitone/admitone/readstore"
)

// Items in a page.
const (
	defaultLimit = 20
	maxLimit     = 100
)

// limitOf adds to the faults of a query where its limit is out of range.
func limitOf(asked *int, faults []api.FieldError) (int, []api.FieldError) {
	limit := defaultLimit
	if asked != nil {
		limit = *asked
	}
	if limit < 1 || limit > maxLimit {
		faults = append(faults, api.FieldError{Pointer: "limit", Detail: "must be from 1 to 100"})
	}
	return limit, faults
}

// readsOfAFilter bounds the work of a page whose filter finds little.
const readsOfAFilter = 5

// readList reads up to limit items of a list that keep lets through, and where to
// go on; fewer than limit where many are not kept, or the list is read in pieces that
// are. What moves within the list meanwhile is in it once. The items are never nil.
func readList[T any](
	ctx context.Context, store readstore.Store, list *readstore.Bucketed, prefix readstore.Key, limit int, after *readstore.Position,
	of func(columns, readstore.Row) T, keep func(T) bool,
) ([]T, *readstore.Position, error) {
	items, in, seen := []T{}, columnsOf(list.Table), map[string]bool{}
	for range readsOfAFilter {
		asked := limit - len(items)
		rows, next, err := list.Page(ctx, store, prefix, asked, after)
		for _, row := range rows {
			id := list.PositionOf(row).ID
			if item := of(in, row); keep(item) && !seen[id] {
				items, seen[id] = append(items, item), true
			}
		}
		after = next
		// What is short before the end has cost what a page may.
		if err != nil || next == nil || len(items) == limit || len(rows) < asked {
			return items, next, err
		}
	}
	return items, after, nil
}

// columns finds values in rows of a table by their columns' names. A column that
// the table does not have is a fault of the program, and panics.
type columns map[string]int

func columnsOf(table *readstore.Table) columns {
	at := columns{}
	for i, c := range table.Columns() {
		at[c.Name] = i + 1
	}
	return at
}

func (c columns) text(r readstore.Row, name string) string      { return r[c[name]-1].(string) }
func (c columns) number(r readstore.Row, name string) int64     { return r[c[name]-1].(int64) }
func (c columns) moment(r readstore.Row, name string) time.Time { return r[c[name]-1].(time.Time) }

func (c columns) price(r readstore.Row) api.Money {
	return api.Money{Amount: c.number(r, "price_amount"), Currency: c.text(r, "price_currency")}
}
