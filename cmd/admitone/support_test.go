package main

import (
	"testing"
	"time"

	"github.com/admitone/admitone/internal/blackbox"
	"github.com/admitone/admitone/internal/keys"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// person is one who asks support, or answers there.
type person struct {
	*blackbox.Client
	account uuid.UUID
	token   string
}

// person is a new account with a role; without one, it is nobody.
func (s *shop) person(t testing.TB, role string) person {
	t.Helper()
	if role == "" {
		return person{Client: blackbox.NewSpread(t, s.data, "")}
	}
	k, err := keys.Load(s.keys)
	require.NoError(t, err)
	p := person{account: uuid.New()}
	p.token, err = k.Mint(p.account, role, time.Hour)
	require.NoError(t, err)
	p.Client = blackbox.NewSpread(t, s.data, p.token)
	return p
}

// asks opens a conversation, and waits until its first message is answered and
// everybody who may read it finds that without a token.
func (p person) asks(t testing.TB, text string) blackbox.Conversation {
	t.Helper()
	c := p.opens(t, text)
	c.Version++ // of the answer
	for _, projection := range []string{"", "/messages"} {
		p.reads(t, c, "/v1/conversations/"+c.ID+projection)
	}
	return c
}

// opens is asks that does not wait.
func (p person) opens(t testing.TB, text string) blackbox.Conversation {
	t.Helper()
	a := p.Do(t, "POST", "/v1/conversations", blackbox.Question(text), "Idempotency-Key", uuid.NewString())
	require.Equal(t, 201, a.Status, a)
	return conversationOf(t, a)
}

// messages reads the first hundred of a conversation, at its version or a later one.
func (p person) messages(t testing.TB, c blackbox.Conversation) []blackbox.Message {
	t.Helper()
	return page[blackbox.Message](t, p.reads(t, c, "/v1/conversations/"+c.ID+"/messages?limit=100"))
}

// reads asks for what a conversation is at its version or a later one.
func (p person) reads(t testing.TB, c blackbox.Conversation, path string) blackbox.Answer {
	t.Helper()
	var a blackbox.Answer
	eventually(t, "the rows are at version "+c.Token(), func() bool {
		a = p.Do(t, "GET", path, "", "Consistency-Token", c.Token(), "Prefer", "wait=10")
		return a.Status != 503
	})
	require.Equal(t, 200, a.Status, a)
	return a
}

func page[T any](t testing.TB, a blackbox.Answer) []T {
	t.Helper()
	p, err := blackbox.PageOf[T](a)
	require.NoError(t, err, a)
	return p.Items
}

func conversationOf(t testing.TB, a blackbox.Answer) blackbox.Conversation {
	t.Helper()
	c, err := a.Conversation()
	require.NoError(t, err, a)
	return c
}
