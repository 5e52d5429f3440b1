package market

import (
	"slices"
	"time"

	"github.com/admitone/admitone/projections"
	"github.com/admitone/admitone/readstore"
)

// conversationList is a list of the conversations that have a column in common, in
// the order of a time.
type conversationList struct {
	name   string
	by     conversationField // a conversation where it is empty is not in the list
	at     conversationField
	bucket string                 // the column of the buckets
	span   func(time.Time) string // what they are; nil: months
	shards int
}

// Shards of a list share a bucket, at 100,000 rows and tombstones each. So all
// conversations may be 1.6 million a month, an account's 400,000, an order's
// 100,000; and in a status 1.6 million messages an hour may begin or end a wait.

func conversationsAll() projections.Index[conversationRow] {
	same := conversationField{text("list"), func(conversationRow) any { return "all" }}
	return newestOpened("conversations_all", same, 16)
}

func conversationsByAccount() projections.Index[conversationRow] {
	account := conversationField{text("account_id"), func(r conversationRow) any { return r.account }}
	return newestOpened("conversations_by_account", account, 4)
}

func conversationsByOrder() projections.Index[conversationRow] {
	order := conversationField{text("order_id"), func(r conversationRow) any { return r.order }}
	return newestOpened("conversations_by_order", order, 1)
}

func newestOpened(name string, by conversationField, shards int) projections.Index[conversationRow] {
	opened := readstore.Column{Name: "opened_at", Type: readstore.Time, Desc: true}
	return conversationList{
		name: name, by: by, bucket: "month", shards: shards,
		at: conversationField{opened, func(r conversationRow) any { return r.openedAt }},
	}.index()
}

// conversationsByStatus is the inbox: those that wait come first, in the order of
// their waiting, then the others, newest first.
func conversationsByStatus() projections.Index[conversationRow] {
	return conversationList{
		name:   "conversations_by_status",
		by:     conversationField{text("status"), func(r conversationRow) any { return r.status }},
		at:     conversationField{moment("turn"), func(r conversationRow) any { return r.turn() }},
		bucket: "span", span: inboxSpan, shards: 16,
	}.index()
}

func (l conversationList) index() projections.Index[conversationRow] {
	values := slices.DeleteFunc(conversationFields(), func(f conversationField) bool { return f.Name == l.by.Name || f.Name == l.at.Name })
	table := readstore.Table{
		Name:       l.name,
		Partition:  []readstore.Column{l.by.Column, text(l.bucket), number("shard")},
		Clustering: []readstore.Column{l.at.Column, text("id")},
		Values:     []readstore.Column{number("version")},
	}
	for _, f := range values {
		table.Values = append(table.Values, f.Column)
	}
	list := readstore.NewBucketed(&table, l.shards)
	list.Bucket = l.span
	return projections.Index[conversationRow]{Table: table, IDColumn: "id", List: list, Rows: func(e projections.Entry[conversationRow]) []readstore.Row {
		by := l.by.of(e.Row)
		if by == "" {
			return nil
		}
		row := append(readstore.Row(list.Key(readstore.Key{by}, l.at.of(e.Row).(time.Time), e.ID)), e.Version)
		for _, f := range values {
			row = append(row, f.of(e.Row))
		}
		return []readstore.Row{row}
	}}
}

// lastTurn is the latest time that every store keeps.
var lastTurn = time.Date(9999, 12, 31, 23, 59, 59, 999_000_000, time.UTC)

// turn is the place of a conversation in its status: since when it waits; or, where
// it does not, as far before the end of time as it was opened after 1970, so that
// the newest of these comes first, and all of them behind those that wait.
func (r *conversationRow) turn() time.Time {
	if since := r.waitingSince(); !since.IsZero() {
		return since
	}
	return time.UnixMilli(lastTurn.UnixMilli() - max(0, r.openedAt.UnixMilli())).UTC()
}

// farTurns is a year that no message was sent in and no turn without a wait lies
// before.
const farTurns = 6000

// inboxSpan is the bucket of a turn: an hour where it is a wait, which ends, and
// leaves a tombstone behind when it does; otherwise a month of openings.
func inboxSpan(turn time.Time) string {
	if turn.Year() < farTurns {
		return turn.UTC().Format("2006-01-02T15")
	}
	return readstore.Month(turn)
}
