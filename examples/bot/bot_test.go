package main

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/admitone/admitone/internal/blackbox"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

func TestAnswers(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{"When are you OPEN?": true, "Where can I park?": true, "hello": true, "where is my order?": false, "": false} {
		reply, known := answer(text)
		require.Equal(t, want, known, text)
		require.Equal(t, want, reply != "", text)
	}
}

func TestWhatItNeeds(t *testing.T) {
	t.Parallel()
	require.ErrorContains(t, run(t.Context(), nil, ""), "ADMITONE_TOKEN")
	require.ErrorContains(t, run(t.Context(), []string{"--nats", "nats://127.0.0.1:1"}, "x"), "connect to nats://127.0.0.1:1")
}

// message is one of a conversation, as the API shows it.
type message struct {
	ID        string `json:"message_id"`
	Author    string `json:"author"`
	Text      string `json:"text"`
	InReplyTo string `json:"in_reply_to"`
}

// Two copies answer users of a real server, and one of them is stopped in between.
func TestItAnswersUsersOfARealServer(t *testing.T) {
	t.Parallel()
	program, err := blackbox.Build("../../cmd/admitone", t.TempDir())
	require.NoError(t, err)
	data := filepath.Join(t.TempDir(), "data")
	server := program.Serve(t, data, "--roles", "api,projector,processes,auditor", "--sync-interval", "2m")
	token := program.Token(t, data, uuid.NewString(), "bot")
	first := start(t, server.NATS(), token)
	start(t, server.NATS(), token)

	const users = 6
	clients, talks := make([]*blackbox.Client, users), make([]string, users)
	for i := range users {
		clients[i] = blackbox.NewClient(t, data, program.Token(t, data, uuid.NewString(), "user"))
		talks[i] = open(t, clients[i], "Hello!")
	}
	first()
	for i, c := range clients {
		for _, text := range []string{"When are you open?", "And where can I park?", "Where is my order?"} {
			a := c.Do(t, "POST", "/v1/conversations/"+talks[i]+"/messages", fmt.Sprintf(`{"text":%q}`, text))
			require.Equal(t, 201, a.Status, a)
		}
	}
	for i, c := range clients {
		requireAnswered(t, c, talks[i], handedOver(t, c, talks[i]))
	}
}

// start runs a copy until the test ends or what it gives is called.
func start(t *testing.T, url, token string) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- run(ctx, []string{"--nats", url}, token) }()
	ended := false
	stop = func() {
		cancel()
		if !ended {
			require.NoError(t, <-done)
		}
		ended = true
	}
	t.Cleanup(stop)
	return stop
}

func open(t *testing.T, c *blackbox.Client, text string) string {
	t.Helper()
	a := c.Do(t, "POST", "/v1/conversations", fmt.Sprintf(`{"topic":"other","text":%q}`, text))
	require.Equal(t, 201, a.Status, a)
	var made struct{ ID string }
	require.NoError(t, json.Unmarshal(a.Body, &made))
	return made.ID
}

// handedOver waits until a conversation waits for an agent, and gives its version then.
func handedOver(t *testing.T, c *blackbox.Client, talk string) int64 {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		var now struct {
			Status, Reason string
			Version        int64
		}
		a := c.Do(t, "GET", "/v1/conversations/"+talk, "")
		if a.Status == 200 {
			require.NoError(t, json.Unmarshal(a.Body, &now))
		}
		if now.Status == "waiting" {
			require.Equal(t, "The example Bot does not know the answer.", now.Reason)
			return now.Version
		}
		require.True(t, time.Now().Before(deadline), "not handed over: %s", a)
		time.Sleep(10 * time.Millisecond)
	}
}

// requireAnswered: each message that the Bot knows an answer to has one, in order.
func requireAnswered(t *testing.T, c *blackbox.Client, talk string, version int64) {
	t.Helper()
	a := c.Do(t, "GET", "/v1/conversations/"+talk+"/messages", "",
		"Consistency-Token", fmt.Sprintf("conversations/%s@%d", talk, version), "Prefer", "wait=10")
	require.Equal(t, 200, a.Status, a)
	var all struct{ Items []message }
	require.NoError(t, json.Unmarshal(a.Body, &all))
	var asked, answered []string
	for _, m := range all.Items {
		if m.Author == "user" {
			asked = append(asked, m.ID)
			continue
		}
		require.Equal(t, "bot", m.Author)
		answered = append(answered, m.InReplyTo)
	}
	require.Len(t, asked, 4)
	require.Equal(t, asked[:3], answered)
}
