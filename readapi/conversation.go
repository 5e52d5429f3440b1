package readapi

import (
	"context"
	"errors"

	"github.com/admitone/admitone/api"
	"github.com/admitone/admitone/domain/conversation"
	"github.com/admitone/admitone/readstore"
)

// conversationsTable is the home table of the projection that conversations are
// read from.
const conversationsTable = "conversations"

// ConversationQueries is the GET endpoints of conversations and their messages.
// Safe for concurrent use.
type ConversationQueries struct {
	store         readstore.Store
	conversations readstore.Reader
	messages      readstore.Reader
	texts         Texts
	cursors       cursors
}

// NewConversationQueries reads the projections behind conversations and messages,
// and opens what is sealed with texts; cursorKey signs page cursors and must be the
// same in all copies of the service.
func NewConversationQueries(store readstore.Store, conversations, messages readstore.Reader, texts Texts, cursorKey []byte) (*ConversationQueries, error) {
	if len(cursorKey) < 16 {
		return nil, errors.New("readapi: the key for cursors is shorter than 16 bytes")
	}
	return &ConversationQueries{store: store, conversations: conversations, messages: messages, texts: texts, cursors: cursors{key: cursorKey}}, nil
}

// GetConversation is GET /v1/conversations/{id}.
func (q *ConversationQueries) GetConversation(ctx context.Context, r api.GetConversationRequestObject) (api.GetConversationResponseObject, error) {
	known, err := knownTags(r.Params.IfNoneMatch)
	if err != nil {
		return nil, err
	}
	view, err := open(ctx, q.conversations, r.Params.ConsistencyToken, r.Params.Prefer, q.mayKnow(ctx, conversationsTable))
	if err != nil {
		return nil, err
	}
	table := view.Table(conversationsTable)
	rows, err := q.store.Get(ctx, table, readstore.Key{r.ID.String()})
	if err != nil {
		return nil, err
	}
	if rows[0] == nil {
		return nil, conversation.ErrNotFound
	}
	found := conversationOf(columnsOf(table), rows[0])
	if !mayReadConversation(api.CallerFrom(ctx), found.AccountID) {
		return nil, conversation.ErrNotOwner
	}
	etag := api.ETag(uint64(found.Version), view.Revision())
	if known.Match(etag) {
		return api.GetConversation304Response{Headers: api.GetConversation304ResponseHeaders{ETag: etag, CacheControl: mayKeep}}, nil
	}
	return api.GetConversation200JSONResponse{Body: found, Headers: api.GetConversation200ResponseHeaders{ETag: etag, CacheControl: mayKeep}}, nil
}

// mayReadConversation: its user, those who answer for the house, and bots.
func mayReadConversation(c api.Caller, owner string) bool {
	return isOwn(c, owner) || mayReadEveryConversation(c)
}

func mayReadEveryConversation(c api.Caller) bool {
	return answersForTheHouse(c) || c.Role == api.RoleBot
}

// mayKnow is which conversations the caller may know of, by the projection with this
// home table.
func (q *ConversationQueries) mayKnow(ctx context.Context, table string) mayKnow {
	if mayReadEveryConversation(api.CallerFrom(ctx)) {
		return nil
	}
	return ownIn(q.store, table, "account_id")
}

func answersForTheHouse(c api.Caller) bool { return c.Role == api.RoleAgent || c.Role == api.RoleAdmin }

// conversationOf reads a row of any of the tables.
func conversationOf(in columns, row readstore.Row) api.Conversation {
	return api.Conversation{
		ID: in.text(row, "id"), Version: in.number(row, "version"), Status: api.ConversationStatus(in.text(row, "status")),
		AccountID: in.text(row, "account_id"), Topic: api.ConversationTopic(in.text(row, "topic")), OrderID: in.text(row, "order_id"),
		AgentID: in.text(row, "agent_id"), Reason: in.text(row, "reason"), Messages: in.number(row, "messages"),
		WaitingSince: in.moment(row, "waiting_since"), OpenedAt: in.moment(row, "opened_at"), UpdatedAt: in.moment(row, "updated_at"),
	}
}
