package market

import (
	"testing"
	"time"

	"github.com/admitone/admitone/domain/conversation"
	"github.com/admitone/admitone/eventstore"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// TestWhoWaitsIsBounded: a log that nobody's rules bounded makes no row too large,
// and its first message is still the one that waits.
func TestWhoWaitsIsBounded(t *testing.T) {
	t.Parallel()
	var r conversationRow
	began := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	var last uuid.UUID
	happened := func(i int, p eventstore.Payload) {
		require.NoError(t, foldConversation(&r, eventstore.Event{Time: began.Add(time.Duration(i) * time.Second), Payload: p}))
	}
	happened(0, conversation.Opened{AccountID: uuid.New(), Topic: conversation.TopicOther})
	for i := 1; i <= 2*conversation.MaxUnanswered; i++ {
		m := conversation.MessageSent{MessageID: uuid.New(), Author: conversation.AuthorUser}
		if i <= conversation.MaxUnanswered {
			last = m.MessageID
		}
		happened(i, m)
	}
	require.Len(t, r.forBot, conversation.MaxUnanswered*unansweredSize)
	require.Equal(t, began.Add(time.Second), r.waitingSince())

	happened(0, conversation.HandedOver{Reason: "x", InReplyTo: last})
	require.Empty(t, r.forBot)
	require.Equal(t, began.Add(time.Second), r.waitingSince())
	happened(0, conversation.MessageSent{Author: conversation.AuthorAgent})
	require.Zero(t, r.waitingSince())
	require.EqualValues(t, 2*conversation.MaxUnanswered+1, r.messages)
}
