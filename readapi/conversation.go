package readapi

import (
	"context"
	"errors"

	"github.com/admitone/admitone/api"
)

// ConversationQueries is the GET endpoints of conversations. Safe for concurrent use.
type ConversationQueries struct{}

var errSoon = errors.New("readapi: not there yet")

func (*ConversationQueries) GetConversation(context.Context, api.GetConversationRequestObject) (api.GetConversationResponseObject, error) {
	return nil, errSoon
}

func (*ConversationQueries) GetConversations(context.Context, api.GetConversationsRequestObject) (api.GetConversationsResponseObject, error) {
	return nil, errSoon
}

func (*ConversationQueries) GetMessages(context.Context, api.GetMessagesRequestObject) (api.GetMessagesResponseObject, error) {
	return nil, errSoon
}

func (*ConversationQueries) SearchMessages(context.Context, api.SearchMessagesRequestObject) (api.SearchMessagesResponseObject, error) {
	return nil, errSoon
}
