package httpapi

import (
	"context"
	"errors"

	"github.com/admitone/admitone/api"
)

// ConversationCommands is the endpoints that change conversations. Safe for
// concurrent use.
type ConversationCommands struct{}

var errSoon = errors.New("httpapi: not there yet")

func (*ConversationCommands) PostConversation(context.Context, api.PostConversationRequestObject) (api.PostConversationResponseObject, error) {
	return nil, errSoon
}

func (*ConversationCommands) PostMessage(context.Context, api.PostMessageRequestObject) (api.PostMessageResponseObject, error) {
	return nil, errSoon
}

func (*ConversationCommands) TakeConversation(context.Context, api.TakeConversationRequestObject) (api.TakeConversationResponseObject, error) {
	return nil, errSoon
}

func (*ConversationCommands) CloseConversation(context.Context, api.CloseConversationRequestObject) (api.CloseConversationResponseObject, error) {
	return nil, errSoon
}

func (*ConversationCommands) ReplyToMessage(context.Context, api.ReplyToMessageRequestObject) (api.ReplyToMessageResponseObject, error) {
	return nil, errSoon
}

func (*ConversationCommands) HandOverConversation(context.Context, api.HandOverConversationRequestObject) (api.HandOverConversationResponseObject, error) {
	return nil, errSoon
}
