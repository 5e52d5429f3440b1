package readapi

import (
	"context"

	"github.com/admitone/admitone/api"
)

// ConversationUpdates is GET /v1/conversations/{id}/updates. Safe for concurrent use.
type ConversationUpdates struct{}

func (*ConversationUpdates) FollowConversation(context.Context, api.FollowConversationRequestObject) (api.FollowConversationResponseObject, error) {
	return nil, errSoon
}
