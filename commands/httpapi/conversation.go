package httpapi

import (
	"context"
	"errors"
	"time"

	"github.com/admitone/admitone/api"
	"github.com/admitone/admitone/commands"
	"github.com/admitone/admitone/domain/conversation"
	"github.com/google/uuid"
)

// ConversationHandler handles the commands of conversations and shows them;
// *commands.Handler does. Safe for concurrent use.
type ConversationHandler interface {
	Handle(context.Context, commands.Command[conversation.Command]) (commands.Result[conversation.State], error)
	Current(ctx context.Context, id uuid.UUID) (commands.Result[conversation.State], error)
}

// ConversationCommands is the endpoints that change conversations. Safe for
// concurrent use.
type ConversationCommands struct {
	handler ConversationHandler
	digests Digests
}

// NewConversationCommands sends commands to handler, under hashes that hold no more
// than digests of what was written.
func NewConversationCommands(handler ConversationHandler, digests Digests) *ConversationCommands {
	return &ConversationCommands{handler: handler, digests: digests}
}

// PostConversation is POST /v1/conversations.
func (c *ConversationCommands) PostConversation(ctx context.Context, r api.PostConversationRequestObject) (api.PostConversationResponseObject, error) {
	caller := api.CallerFrom(ctx)
	e := envelope{caller: caller, operation: "conversation.open", key: r.Params.IdempotencyKey}
	order, err := optionalID("/order_id", r.Body.OrderID)
	if err != nil {
		return nil, err
	}
	cmd, err := creation[conversation.Command](e, "conversation", nil, nil)
	if err != nil {
		return nil, err
	}
	asked := *r.Body
	asked.OrderID = order.String()
	asked.Text, err = c.digest(ctx, e, textOf(caller.Account, cmd.Aggregate), r.Body.Text)
	if err != nil {
		return nil, err
	}
	if cmd.Hash, err = e.hash(asked); err != nil {
		return nil, err
	}
	cmd.Body = conversation.Open{
		AccountID: caller.Account, Topic: conversation.Topic(r.Body.Topic), OrderID: order,
		MessageID: messageOf(cmd.ID), Text: r.Body.Text,
	}
	result, err := c.handler.Handle(ctx, cmd)
	if err != nil {
		return nil, err
	}
	return api.PostConversation201JSONResponse{
		Body: conversationOf(cmd.Aggregate, result), Headers: api.PostConversation201ResponseHeaders(conversationHeaders(cmd.Aggregate, result)),
	}, nil
}

// optionalID reads an id that may be left out.
func optionalID(pointer, text string) (uuid.UUID, error) {
	if text == "" {
		return uuid.Nil, nil
	}
	id, err := uuid.Parse(text)
	if err != nil {
		return uuid.Nil, api.Invalid(pointer, "must be a UUID, or empty")
	}
	return id, nil
}

// TakeConversation is POST /v1/conversations/{id}/take.
func (c *ConversationCommands) TakeConversation(ctx context.Context, r api.TakeConversationRequestObject) (api.TakeConversationResponseObject, error) {
	caller := api.CallerFrom(ctx)
	e := envelope{caller: caller, operation: "conversation.take", target: r.ID.String(), key: r.Params.IdempotencyKey}
	result, err := c.change(ctx, e, r.ID, r.Params.IfMatch, nil, conversation.Take{AgentID: caller.Account, Role: conversation.Role(caller.Role)})
	if err != nil {
		return nil, err
	}
	return api.TakeConversation200JSONResponse{
		Body: conversationOf(r.ID, result), Headers: api.TakeConversation200ResponseHeaders(conversationHeaders(r.ID, result)),
	}, nil
}

// CloseConversation is POST /v1/conversations/{id}/close.
func (c *ConversationCommands) CloseConversation(ctx context.Context, r api.CloseConversationRequestObject) (api.CloseConversationResponseObject, error) {
	caller := api.CallerFrom(ctx)
	var asked api.Closing // no body says as much as an empty one
	if r.Body != nil {
		asked = *r.Body
	}
	role := conversation.RoleUser
	if answersForTheHouse(caller) {
		role = conversation.Role(caller.Role)
	}
	e := envelope{caller: caller, operation: "conversation.close", target: r.ID.String(), key: r.Params.IdempotencyKey}
	result, err := c.change(ctx, e, r.ID, r.Params.IfMatch, asked, conversation.Close{By: caller.Account, Role: role, Reason: asked.Reason})
	if err != nil {
		return nil, err
	}
	return api.CloseConversation200JSONResponse{
		Body: conversationOf(r.ID, result), Headers: api.CloseConversation200ResponseHeaders(conversationHeaders(r.ID, result)),
	}, nil
}

// HandOverConversation is POST /v1/conversations/{id}/handover.
func (c *ConversationCommands) HandOverConversation(ctx context.Context, r api.HandOverConversationRequestObject) (api.HandOverConversationResponseObject, error) {
	replyTo, err := optionalID("/in_reply_to", r.Body.InReplyTo)
	if err != nil {
		return nil, err
	}
	e := envelope{caller: api.CallerFrom(ctx), operation: "conversation.hand_over", target: r.ID.String(), key: r.Params.IdempotencyKey}
	asked := api.HandOver{InReplyTo: replyTo.String(), Reason: r.Body.Reason}
	result, err := c.change(ctx, e, r.ID, nil, asked, conversation.HandOver{Reason: r.Body.Reason, InReplyTo: replyTo})
	if err != nil {
		return nil, err
	}
	return api.HandOverConversation200JSONResponse{
		Body: conversationOf(r.ID, result), Headers: api.HandOverConversation200ResponseHeaders(conversationHeaders(r.ID, result)),
	}, nil
}

func (c *ConversationCommands) change(
	ctx context.Context, e envelope, id uuid.UUID, ifMatch *string, asked any, body conversation.Command,
) (commands.Result[conversation.State], error) {
	cmd, err := command(e, id, asked, body)
	if err != nil {
		return commands.Result[conversation.State]{}, err
	}
	result, err := conditional(ctx, ifMatch, cmd, c.handler.Handle)
	if errors.Is(err, commands.ErrVersionMismatch) {
		err = c.unlessStranger(ctx, e.caller, id, err)
	}
	return result, err
}

// unlessStranger keeps from strangers that there is such a conversation, at a version.
func (c *ConversationCommands) unlessStranger(ctx context.Context, caller api.Caller, id uuid.UUID, mismatch error) error {
	now, err := c.handler.Current(ctx, id)
	if err != nil {
		return err
	}
	if now.Version == 0 {
		return conversation.ErrNotFound
	}
	if _, err := authorOf(caller, now.State); err != nil {
		return err
	}
	return mismatch
}

func conversationOf(id uuid.UUID, r commands.Result[conversation.State]) api.Conversation {
	s := r.State
	c := api.Conversation{
		ID: id.String(), Version: int64(r.Version), Status: api.ConversationStatus(s.Status), AccountID: s.AccountID.String(),
		Topic: api.ConversationTopic(s.Topic), Reason: s.Reason, Messages: s.Messages,
		OpenedAt: r.Created.Truncate(time.Millisecond), UpdatedAt: r.Updated.Truncate(time.Millisecond),
	}
	if s.OrderID != uuid.Nil {
		c.OrderID = s.OrderID.String()
	}
	if s.AgentID != uuid.Nil {
		c.AgentID = s.AgentID.String()
	}
	return c
}

// conversationHeaders has the shape of all answers' headers.
func conversationHeaders(id uuid.UUID, r commands.Result[conversation.State]) api.PostMessage201ResponseHeaders {
	return api.PostMessage201ResponseHeaders{
		ETag:             api.ETag(r.Version, 1),
		Location:         "/v1/conversations/" + id.String(),
		ConsistencyToken: api.Token{Stream: "conversations", Aggregate: id, Version: r.Version}.String(),
		CacheControl:     "no-store",
	}
}
