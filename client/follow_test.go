package client_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/admitone/admitone/api"
	"github.com/admitone/admitone/client"
	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/internal/natstest"
	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"
)

var errEnough = errors.New("enough")

// followed is what Follow tells of a conversation behind a version, up to one, where a
// copy gives these answers to its questions, and what it was asked.
func followed(t *testing.T, after uint64, last int64, answers ...string) (versions []int64, all []string, err error) {
	t.Helper()
	server := natstest.Server(t)
	asked := answering(t, server, answers...)
	err = client.New(natstest.Conn(t, server), "token").Follow(natstest.Context(t), uuid.New(), client.Place{After: after}, func(u api.Update) error {
		if versions = append(versions, u.Version); u.Version == last {
			return errEnough
		}
		return nil
	})
	return versions, *asked, err
}

// answering is a copy that gives these answers to questions, and what it was asked.
func answering(t *testing.T, server *eventstore.Server, answers ...string) *[]string {
	t.Helper()
	asked, copied := &[]string{}, natstest.Conn(t, server)
	_, err := copied.Subscribe(api.QuerySubject+"conversation.follow", func(m *nats.Msg) {
		*asked = append(*asked, string(m.Data))
		reply := nats.NewMsg(m.Reply)
		reply.Header.Set(api.HeaderStatus, "200")
		var p api.Problem
		if json.Unmarshal([]byte(answers[0]), &p) == nil && p.Status != 0 {
			reply.Header.Set(api.HeaderStatus, fmt.Sprint(p.Status))
		}
		reply.Data, answers = []byte(answers[0]), answers[1:]
		_ = copied.PublishMsg(reply)
	})
	require.NoError(t, err)
	require.NoError(t, copied.Flush())
	return asked
}

// It goes on where it was, by the cursor as long as that is good for something.
func TestFollowGoesOn(t *testing.T) {
	t.Parallel()
	versions, asked, err := followed(t, 3, 6,
		`{"items":[{"version":4},{"version":5}],"next_cursor":"a"}`, `{"items":[],"next_cursor":"b"}`,
		`{"status":503,"code":"broker_unavailable"}`, `{"status":400,"code":"invalid_cursor"}`,
		`{"items":[{"version":6}],"next_cursor":"c"}`)
	require.ErrorIs(t, err, errEnough)
	require.Equal(t, []int64{4, 5, 6}, versions)
	require.Equal(t, []string{
		`{"after":3}`, `{"after":5,"cursor":"a"}`, `{"after":5,"cursor":"b"}`, `{"after":5,"cursor":"b"}`, `{"after":5}`,
	}, asked)
}

// What is not the next thing is not told, and what stays wrong ends it.
func TestFollowEnds(t *testing.T) {
	t.Parallel()
	versions, _, err := followed(t, 0, 9, `{"items":[{"version":1},{"version":3}],"next_cursor":"a"}`)
	require.ErrorContains(t, err, "version 3 came behind version 1")
	require.Equal(t, []int64{1}, versions)

	_, _, err = followed(t, 0, 9, `{"status":404,"code":"conversation_not_found"}`)
	var p *client.Problem
	require.ErrorAs(t, err, &p)
	require.Equal(t, "conversation_not_found", p.Code)
}

// Whoever reads page by page says where he is by the cursor of the page before.
func TestUpdatesGoOn(t *testing.T) {
	t.Parallel()
	server := natstest.Server(t)
	asked := answering(t, server, `{"items":[{"version":8},{"version":9}],"next_cursor":"a"}`,
		`{"status":400,"code":"invalid_cursor"}`, `{"items":[],"next_cursor":"b"}`, `{"items":[{"version":11}],"next_cursor":"c"}`)
	c, ctx, at := client.New(natstest.Conn(t, server), "token"), natstest.Context(t), client.Place{After: 7}
	items, at, err := c.Updates(ctx, uuid.New(), at)
	require.NoError(t, err)
	require.Len(t, items, 2)
	require.Equal(t, client.Place{After: 9, Cursor: "a"}, at)
	items, at, err = c.Updates(ctx, uuid.New(), at)
	require.NoError(t, err)
	require.Empty(t, items)
	require.Equal(t, client.Place{After: 9, Cursor: "b"}, at)
	_, _, err = c.Updates(ctx, uuid.New(), at)
	require.ErrorContains(t, err, "version 11 came behind version 9")
	require.Equal(t, []string{`{"after":7}`, `{"after":9,"cursor":"a"}`, `{"after":9}`, `{"after":9,"cursor":"b"}`}, *asked)
}
