package httpapi

import (
	"context"

	"github.com/admitone/admitone/api"
	"github.com/admitone/admitone/commands"
	"github.com/admitone/admitone/domain"
	"github.com/admitone/admitone/domain/conversation"
	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/eventstore/sealed"
	"github.com/google/uuid"
)

// Digests stands in for a personal text where the hash of a request would let others
// guess it; *sealed.Keys does. Safe for concurrent use.
type Digests interface {
	// Digest is the same for the same text of a field. sealed.ErrErased.
	Digest(ctx context.Context, f sealed.Field, text string) (string, error)
}

// ConversationDecider is the conversation's decider in the form that a
// commands.Handler takes. It seals each text under the key of the user whose
// conversation it is; sealed.ErrErased where there is none any more.
func ConversationDecider(keys *sealed.Keys) commands.Decider[conversation.State, conversation.Command] {
	d := commands.Adapt(conversation.Initial, conversation.Decide, conversation.Evolve)
	d.Seal = func(ctx context.Context, id uuid.UUID, s conversation.State, p eventstore.Payload) (eventstore.Payload, error) {
		sent, ok := p.(conversation.MessageSent)
		if !ok {
			return p, nil
		}
		plain, ok := sent.Text.Plain()
		if !ok {
			return p, nil
		}
		text, err := keys.Seal(ctx, textOf(s.AccountID, id), plain)
		sent.Text = domain.SealedText(text.Sealed)
		return sent, err
	}
	return d
}

func textOf(owner, id uuid.UUID) sealed.Field {
	return sealed.Field{Owner: owner, Aggregate: id, Name: conversation.TextField}
}

// PostMessage is POST /v1/conversations/{id}/messages.
func (c *ConversationCommands) PostMessage(ctx context.Context, r api.PostMessageRequestObject) (api.PostMessageResponseObject, error) {
	caller := api.CallerFrom(ctx)
	e := envelope{caller: caller, operation: "conversation.send", target: r.ID.String(), key: r.Params.IdempotencyKey}
	send := conversation.Send{AuthorID: caller.Account, Text: r.Body.Text}
	result, err := c.send(ctx, e, r.ID, r.Params.IfMatch, send, func(digest string) any { return api.NewMessage{Text: digest} })
	if err != nil {
		return nil, err
	}
	return api.PostMessage201JSONResponse{
		Body: conversationOf(r.ID, result), Headers: conversationHeaders(r.ID, result),
	}, nil
}

// ReplyToMessage is POST /v1/conversations/{id}/reply.
func (c *ConversationCommands) ReplyToMessage(ctx context.Context, r api.ReplyToMessageRequestObject) (api.ReplyToMessageResponseObject, error) {
	caller := api.CallerFrom(ctx)
	e := envelope{caller: caller, operation: "conversation.reply", target: r.ID.String(), key: r.Params.IdempotencyKey}
	send := conversation.Send{Author: conversation.AuthorBot, AuthorID: caller.Account, Text: r.Body.Text, InReplyTo: r.Body.InReplyTo}
	result, err := c.send(ctx, e, r.ID, nil, send, func(digest string) any {
		return api.BotReply{InReplyTo: r.Body.InReplyTo, Text: digest}
	})
	if err != nil {
		return nil, err
	}
	return api.ReplyToMessage200JSONResponse{
		Body: conversationOf(r.ID, result), Headers: api.ReplyToMessage200ResponseHeaders(conversationHeaders(r.ID, result)),
	}, nil
}

// send adds a message; one without an author is the caller's own. asked is the request
// with a digest in place of its text.
func (c *ConversationCommands) send(
	ctx context.Context, e envelope, id uuid.UUID, ifMatch *string, send conversation.Send, asked func(digest string) any,
) (commands.Result[conversation.State], error) {
	now, err := c.handler.Current(ctx, id)
	if err != nil {
		return now, err
	}
	if send.Author == "" {
		send.Author, err = authorOf(e.caller, now.State)
	}
	if send.Author == conversation.AuthorAgent {
		send.Role = conversation.Role(e.caller.Role)
	}
	if err == nil && now.Version == 0 {
		err = conversation.ErrNotFound
	}
	if err != nil {
		return now, err
	}
	digest, err := c.digest(ctx, e, textOf(now.State.AccountID, id), send.Text)
	if err != nil {
		return now, err
	}
	cmd, err := command[conversation.Command](e, id, asked(digest), nil)
	if err != nil {
		return now, err
	}
	send.MessageID = messageOf(cmd.ID)
	cmd.Body = send
	return conditional(ctx, ifMatch, cmd, c.handler.Handle)
}

// authorOf is the part that the caller plays: to whoever has none, there is no such
// conversation, whatever If-Match says.
func authorOf(caller api.Caller, s conversation.State) (conversation.Author, error) {
	switch {
	case s.AccountID == caller.Account:
		return conversation.AuthorUser, nil
	case answersForTheHouse(caller):
		return conversation.AuthorAgent, nil
	}
	return "", conversation.ErrNotOwner
}

func answersForTheHouse(caller api.Caller) bool {
	return caller.Role == api.RoleAgent || caller.Role == api.RoleAdmin
}

// digest is empty for a request without an Idempotency-Key: it has no repeat that it
// would have to be known by.
func (c *ConversationCommands) digest(ctx context.Context, e envelope, f sealed.Field, text string) (string, error) {
	if e.key == nil {
		return "", nil
	}
	return c.digests.Digest(ctx, f, text)
}

// messageOf is the id of the message that a command sends, so that a repeat is the same
// message.
func messageOf(command uuid.UUID) uuid.UUID { return uuid.NewSHA1(command, []byte("message")) }
