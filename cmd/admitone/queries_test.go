package main

import (
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/admitone/admitone/api"
	"github.com/admitone/admitone/client"
	"github.com/admitone/admitone/internal/blackbox"
	"github.com/admitone/admitone/internal/natstest"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// A query over NATS is the query over HTTP: parameters, tokens and faults.
func TestQueriesOverNATS(t *testing.T) {
	t.Parallel()
	data := dataDir(t)
	s := program.Serve(t, data)
	ctx := natstest.Context(t)
	user := uuid.NewString()
	c := client.New(blackbox.Connect(t, s.NATS()), program.Token(t, data, user, api.RoleUser))
	opened, err := c.OpenConversation(ctx, api.NewConversation{Topic: "other", Text: "one & only?"})
	require.NoError(t, err)
	id := uuid.MustParse(opened.Resource.ID)
	var sent client.Reply[api.Conversation]
	for i := range 3 {
		sent, err = c.SendMessage(ctx, id, strconv.Itoa(i))
		require.NoError(t, err)
	}
	after := client.After(sent.ConsistencyToken)
	read, err := c.Conversation(ctx, id, after)
	require.NoError(t, err)
	require.Equal(t, user, read.Resource.AccountID)
	require.GreaterOrEqual(t, read.Resource.Version, sent.Resource.Version)
	require.NotEmpty(t, read.ETag)

	page, err := c.Messages(ctx, id, client.Page{Limit: 1}, after)
	require.NoError(t, err)
	require.Equal(t, "one & only?", page.Resource.Items[0].Text)
	page, err = c.Messages(ctx, id, client.Page{Limit: 1, Cursor: page.Resource.NextCursor}, after)
	require.NoError(t, err)
	require.Len(t, page.Resource.Items, 1)
	require.NotEqual(t, "one & only?", page.Resource.Items[0].Text)
	list, err := client.Ask[api.ConversationList](ctx, c, "conversation.find", uuid.Nil, map[string]any{"topic": "other", "limit": 5}, after)
	require.NoError(t, err)
	require.Equal(t, id.String(), list.Resource.Items[0].ID)

	for code, parameters := range map[string]any{"malformed": []int{1}, "invalid": map[string]any{"limit": 101}, "invalid_cursor": map[string]any{"cursor": "AA"}} {
		_, err = client.Ask[api.MessageList](ctx, c, "conversation.messages", id, parameters)
		var p *client.Problem
		require.ErrorAs(t, err, &p)
		require.Equal(t, code, p.Code)
	}
	_, err = client.Ask[api.MessageList](ctx, c, "conversation.messages", id, map[string]any{"order": []string{"asc"}})
	require.ErrorContains(t, err, "malformed")
}

// However long the texts are, a page fits into a message of the broker.
func TestLongTextsOverNATS(t *testing.T) {
	t.Parallel()
	data := dataDir(t)
	s := program.Serve(t, data, "--roles", "api,projector,auditor")
	ctx := natstest.Context(t)
	c := client.New(blackbox.Connect(t, s.NATS()), program.Token(t, data, uuid.NewString(), api.RoleUser))
	long := strings.Repeat("\x01", 4000)
	sent, err := c.OpenConversation(ctx, api.NewConversation{Topic: "other", Text: long})
	require.NoError(t, err)
	id := uuid.MustParse(sent.Resource.ID)
	for range 60 {
		sent, err = c.SendMessage(ctx, id, long)
		require.NoError(t, err)
	}
	seen := int64(0)
	done := errors.New("done")
	require.ErrorIs(t, c.Follow(ctx, id, client.Place{}, func(u api.Update) error {
		if seen = u.Version; seen == sent.Resource.Version {
			return done
		}
		return nil
	}), done)
	read := 0
	for p := (client.Page{Limit: 100}); read == 0 || p.Cursor != ""; {
		page, err := c.Messages(ctx, id, p, client.After(sent.ConsistencyToken))
		require.NoError(t, err)
		read, p.Cursor = read+len(page.Resource.Items), page.Resource.NextCursor
	}
	require.Equal(t, 61, read)
}
