package readapi

import (
	"context"
	"fmt"
	"strconv"

	"github.com/admitone/admitone/api"
	"github.com/admitone/admitone/domain/conversation"
	"github.com/admitone/admitone/readstore"
	"github.com/google/uuid"
)

// Tables of the projection that messages are read from.
const (
	messagesTable          = "messages"
	messagesByConversation = "messages_by_conversation"
)

// bucketVersions is how many versions of a conversation share a partition of
// messages_by_conversation, as its projection says.
const bucketVersions = 1000

// Orders of messages.
const (
	oldestFirst = "asc"
	newestFirst = "desc"
)

// GetMessages is GET /v1/conversations/{id}/messages.
func (q *ConversationQueries) GetMessages(ctx context.Context, r api.GetMessagesRequestObject) (api.GetMessagesResponseObject, error) {
	want, err := messageQueryOf(r)
	if err != nil {
		return nil, err
	}
	view, err := open(ctx, q.messages, r.Params.ConsistencyToken, r.Params.Prefer, q.mayKnow(ctx, messagesTable))
	if err != nil {
		return nil, err
	}
	all, err := q.chronicle(ctx, view, want)
	if err != nil {
		return nil, err
	}
	place, err := q.cursors.openPlace(r.Params.Cursor, view.Revision(), want.name())
	if err != nil {
		return nil, err
	}
	from, err := all.from(want.reverse, place)
	if err != nil {
		return nil, err
	}
	// One more than asked for tells whether this is the end.
	rows, err := all.read(ctx, from, want.reverse, want.limit+1)
	if err != nil {
		return nil, err
	}
	items, err := all.open(ctx, q.texts, rows[:min(len(rows), want.limit)])
	if err != nil {
		return nil, err
	}
	page := api.MessageList{Items: firstOf(items, messageBytes)}
	if n := len(page.Items); n < len(rows) {
		page.NextCursor = q.cursors.sealPlace(view.Revision(), want.name(), strconv.FormatInt(page.Items[n-1].Version, 10))
	}
	return api.GetMessages200JSONResponse{Body: page, Headers: api.GetMessages200ResponseHeaders{CacheControl: mayKeep}}, nil
}

// messageQuery is which messages a page is of.
type messageQuery struct {
	conversation uuid.UUID
	span         span
	reverse      bool
	limit        int
}

func messageQueryOf(r api.GetMessagesRequestObject) (messageQuery, error) {
	q := messageQuery{conversation: r.ID, span: spanOf(r.Params.Since, r.Params.Until), reverse: r.Params.Order == newestFirst}
	var faults []api.FieldError
	if o := r.Params.Order; o != "" && o != oldestFirst && o != newestFirst {
		faults = append(faults, api.FieldError{Pointer: "order", Detail: "must be asc or desc"})
	}
	q.limit, faults = limitOf(r.Params.Limit, faults)
	if faults != nil {
		return messageQuery{}, &api.InvalidError{Errors: faults}
	}
	return q, nil
}

// name tells queries apart in cursors.
func (q messageQuery) name() string {
	order := oldestFirst
	if q.reverse {
		order = newestFirst
	}
	return "messages/" + q.conversation.String() + "/" + order + "/" + q.span.name()
}

// chronicle is the messages of one conversation up to the version that its home row
// had: what stands beyond is being written, and not yet in order.
type chronicle struct {
	store   readstore.Store
	table   *readstore.Table
	in      columns
	buckets *readstore.Table
	id      uuid.UUID
	owner   uuid.UUID
	first   int64 // no version before it is read
	version int64
}

// chronicle finds the messages that are asked for, for those who may read them;
// conversation.ErrNotFound, conversation.ErrNotOwner.
func (q *ConversationQueries) chronicle(ctx context.Context, view readstore.View, want messageQuery) (*chronicle, error) {
	found, err := q.chronicles(ctx, view, []uuid.UUID{want.conversation})
	switch {
	case err != nil:
		return nil, err
	case found[0] == nil:
		return nil, conversation.ErrNotFound
	case !mayReadConversation(api.CallerFrom(ctx), found[0].owner.String()):
		return nil, conversation.ErrNotOwner
	}
	return found[0], found[0].narrow(ctx, want.span)
}

// chronicles has one entry for each id, nil where there is none.
func (q *ConversationQueries) chronicles(ctx context.Context, view readstore.View, ids []uuid.UUID) ([]*chronicle, error) {
	home, table := view.Table(messagesTable), view.Table(messagesByConversation)
	keys := make([]readstore.Key, len(ids))
	for i, id := range ids {
		keys[i] = readstore.Key{id.String()}
	}
	rows, err := q.store.Get(ctx, home, keys...)
	if err != nil {
		return nil, err
	}
	all, inHome, in := make([]*chronicle, len(ids)), columnsOf(home), columnsOf(table)
	for i, row := range rows {
		if row == nil {
			continue
		}
		owner, err := uuid.Parse(inHome.text(row, "account_id"))
		if err != nil {
			return nil, fmt.Errorf("readapi: account of conversation %s: %w", ids[i], err)
		}
		all[i] = &chronicle{
			store: q.store, table: table, in: in, buckets: view.Table(messageBuckets),
			id: ids[i], owner: owner, first: 1, version: inHome.number(row, "version"),
		}
	}
	return all, nil
}

// from is the version to read behind, in either direction: a cursor's, or the end
// that the direction begins at.
func (c *chronicle) from(reverse bool, place string) (int64, error) {
	if place != "" {
		version, err := strconv.ParseInt(place, 10, 64)
		if err != nil || version < 0 {
			return 0, errNoPlace
		}
		return version, nil
	}
	if reverse {
		return c.version + 1, nil
	}
	return 0, nil
}

// read gives up to limit (at most readstore.MaxLimit) rows behind a version.
func (c *chronicle) read(ctx context.Context, behind int64, reverse bool, limit int) ([]readstore.Row, error) {
	var rows []readstore.Row
	step, behind := int64(1), max(behind, c.first-1)
	if reverse {
		step, behind = -1, min(behind, c.version+1)
	}
	holds := func(version int64) bool { return version >= c.first && version <= c.version }
	for bucket := bucketAt(behind + step); c.hasBucket(bucket) && holds(behind+step) && len(rows) < limit; bucket += step {
		page, err := c.store.Page(ctx, c.table, readstore.Query{
			Partition: readstore.Key{c.id.String(), bucket}, After: readstore.Key{behind}, Reverse: reverse, Limit: limit - len(rows),
		})
		if err != nil {
			return nil, err
		}
		for _, row := range page.Rows {
			if holds(c.versionOf(row)) {
				rows = append(rows, row)
			}
		}
	}
	return rows, nil
}

func (c *chronicle) hasBucket(bucket int64) bool {
	return bucket >= bucketAt(c.first) && bucket <= bucketAt(c.version)
}

func bucketAt(version int64) int64 { return (version - 1) / bucketVersions }

func (c *chronicle) versionOf(row readstore.Row) int64 { return c.in.number(row, "version") }

// open is the messages of rows, their texts opened in one call.
func (c *chronicle) open(ctx context.Context, texts Texts, rows []readstore.Row) ([]api.Message, error) {
	sealed := make([]string, len(rows))
	for i, row := range rows {
		sealed[i] = c.in.text(row, "text")
	}
	opened, err := openTexts(ctx, texts, c.owner, c.id, sealed)
	if err != nil {
		return nil, err
	}
	items := make([]api.Message, len(rows))
	for i, row := range rows {
		items[i] = api.Message{
			MessageID: c.in.text(row, "message_id"), Version: c.versionOf(row), Author: api.MessageAuthor(c.in.text(row, "author")),
			AuthorID: c.in.text(row, "author_id"), Text: opened[i].Text, Erased: opened[i].Erased,
			InReplyTo: c.in.text(row, "in_reply_to"), SentAt: c.in.moment(row, "sent_at"),
		}
	}
	return items, nil
}
