package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/admitone/admitone/api"
	"github.com/google/uuid"
)

// OpenConversation asks support for help with a first message.
func (c *Client) OpenConversation(ctx context.Context, about api.NewConversation, options ...Option) (Reply[api.Conversation], error) {
	return Do[api.Conversation](ctx, c, "conversation.open", uuid.Nil, about, options...)
}

// SendMessage writes in a conversation, as its user, or as an agent, who takes it by that.
// The conversation's version in the answer is the message's.
func (c *Client) SendMessage(ctx context.Context, id uuid.UUID, text string, options ...Option) (Reply[api.Conversation], error) {
	return Do[api.Conversation](ctx, c, "conversation.send", id, api.NewMessage{Text: text}, options...)
}

// TakeConversation answers a conversation from now on, as an agent.
func (c *Client) TakeConversation(ctx context.Context, id uuid.UUID, options ...Option) (Reply[api.Conversation], error) {
	return Do[api.Conversation](ctx, c, "conversation.take", id, nil, options...)
}

// CloseConversation ends a conversation; the reason may be empty.
func (c *Client) CloseConversation(ctx context.Context, id uuid.UUID, reason string, options ...Option) (Reply[api.Conversation], error) {
	return Do[api.Conversation](ctx, c, "conversation.close", id, api.Closing{Reason: reason}, options...)
}

// ReplyTo answers a user's message as a Bot. Where the message is answered already,
// nothing changes.
func (c *Client) ReplyTo(ctx context.Context, id, message uuid.UUID, text string, options ...Option) (Reply[api.Conversation], error) {
	return Do[api.Conversation](ctx, c, "conversation.reply", id, api.BotReply{InReplyTo: message, Text: text}, options...)
}

// HandOver leaves a conversation to an agent, as a Bot. message is the one that this is
// the answer to, or the zero UUID.
func (c *Client) HandOver(ctx context.Context, id, message uuid.UUID, reason string, options ...Option) (Reply[api.Conversation], error) {
	body := api.HandOver{Reason: reason}
	if message != uuid.Nil {
		body.InReplyTo = message.String()
	}
	return Do[api.Conversation](ctx, c, "conversation.hand_over", id, body, options...)
}

// Conversation reads one conversation, as far as it is stored; After waits for more.
func (c *Client) Conversation(ctx context.Context, id uuid.UUID, options ...Option) (Reply[api.Conversation], error) {
	return Ask[api.Conversation](ctx, c, "conversation.get", id, nil, options...)
}

// Page says which part of a list is asked for; the zero value is the first one.
type Page struct {
	Order  string `json:"order,omitempty"`  // "asc" or "desc"; empty: asc
	Limit  int    `json:"limit,omitempty"`  // at most 100; 0: 20
	Cursor string `json:"cursor,omitempty"` // the NextCursor of the page before
}

// Messages reads one page of a conversation's messages, as far as they are stored.
func (c *Client) Messages(ctx context.Context, id uuid.UUID, p Page, options ...Option) (Reply[api.MessageList], error) {
	return Ask[api.MessageList](ctx, c, "conversation.messages", id, p, options...)
}

// How long one question of Follow waits for something to happen, and how long for its
// answer: it asks again where a copy died in the middle.
const (
	followWait = 5 * time.Second
	followFor  = 12 * time.Second
)

// Place is how far somebody has followed a conversation; the zero value is its beginning.
type Place struct {
	After uint64 `json:"after"` // the version of the last thing that he knows
	// Cursor goes on quickly from there. It may be left out.
	Cursor string `json:"cursor,omitempty"`
}

// Updates reads what has happened in a conversation behind a place, at most 100 things;
// none where there is nothing yet. next is the place behind them.
func (c *Client) Updates(ctx context.Context, id uuid.UUID, at Place) (items []api.Update, next Place, err error) {
	return c.updates(ctx, id, at, attemptFor)
}

// Follow calls fn for each thing that happens in a conversation behind a place, in order,
// each once and none left out, over any number of restarts of the broker and of AdmitOne.
// It returns what fn returned, ctx's error, a *Problem, or what is wrong with the
// connection for good; never nil.
func (c *Client) Follow(ctx context.Context, id uuid.UUID, at Place, fn func(api.Update) error) error {
	for {
		items, next, err := c.updates(ctx, id, at, followFor, Wait(followWait))
		if ctx.Err() != nil {
			return fmt.Errorf("client: follow %s: %w", id, ctx.Err())
		}
		for _, u := range items {
			if err := fn(u); err != nil {
				return err
			}
		}
		if err != nil {
			return err
		}
		at = next
	}
}

// updates reads a page, without the cursor where that is good for nothing. What came
// before a gap is given with the error.
func (c *Client) updates(ctx context.Context, id uuid.UUID, at Place, within time.Duration, options ...Option) ([]api.Update, Place, error) {
	page, err := exchange[api.UpdateList](ctx, c, api.QuerySubject+"conversation.follow", id, at, within, options)
	var p *Problem
	if errors.As(err, &p) && p.Code == "invalid_cursor" && at.Cursor != "" {
		at.Cursor = "" // of copies that have other keys now
		return c.updates(ctx, id, at, within, options...)
	}
	if err != nil {
		return nil, at, err
	}
	items := page.Resource.Items
	for i, u := range items {
		if u.Version != int64(at.After)+1 {
			return items[:i], at, fmt.Errorf("client: follow %s: version %d came behind version %d", id, u.Version, at.After)
		}
		at.After++
	}
	at.Cursor = page.Resource.NextCursor
	return items, at, nil
}
