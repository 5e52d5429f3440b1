package main

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/admitone/admitone/api"
	"github.com/admitone/admitone/client"
	"github.com/admitone/admitone/internal/blackbox"
	"github.com/admitone/admitone/internal/natstest"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// said is what a chat has shown as sent, in order: who, and what.
func said(out string) (all []string) {
	for line := range strings.Lines(out) {
		if m := sentLine.FindStringSubmatch(line); m != nil {
			all = append(all, m[1])
		}
	}
	return all
}

var (
	sentLine  = regexp.MustCompile(`^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  (.*)\n`)
	talkNoted = regexp.MustCompile(`conversation ([0-9a-f-]{36}) `)
)

func talkIn(t *testing.T, r string) string {
	t.Helper()
	m := talkNoted.FindStringSubmatch(r)
	require.NotNil(t, m, r)
	return m[1]
}

// A user writes, the Bot answers; he comes back and sees it all; an agent helps him.
func TestChat(t *testing.T) {
	t.Parallel()
	data := dataDir(t)
	program.Serve(t, data)
	user, agent := uuid.NewString(), uuid.NewString()

	first := program.Talk(t, "chat", "--data", data, "--sub", user, "--wait", "1m")
	first.Say("Hello")
	first.Say("")
	first.Say("I want to talk to a person")
	left := first.End()
	require.Zero(t, left.Code, left.ErrOut)
	require.Contains(t, left.Out, "…                    you: Hello\n")
	shown := said(left.Out)
	require.Equal(t, "opened", shown[0])
	require.Equal(t, "you: Hello", shown[1])
	require.Contains(t, shown, "you: I want to talk to a person")
	require.Contains(t, strings.Join(shown, "\n"), "bot: ")
	require.Contains(t, strings.Join(shown, "\n"), "handed over to an agent: ")
	id := talkIn(t, left.ErrOut)

	again := program.Talk(t, "chat", "--data", data, "--sub", user, "--conversation", id)
	again.Sees("handed over")
	helper := program.Talk(t, "chat", "--data", data, "--sub", agent, "--role", "agent", "--conversation", id)
	helper.Say("//take is not needed")
	helper.Sees("you have taken it")
	helper.Say("/take")
	again.Sees("agent: /take is not needed")
	again.Say("Good")
	helper.Sees("user: Good")
	helper.Say("/close It was nothing")
	left = again.Ended()
	require.Zero(t, left.Code, left.ErrOut)
	require.Equal(t, append(shown, "an agent has taken it", "agent: /take is not needed", "you: Good", "closed: It was nothing"), said(left.Out))
	left = helper.Ended()
	require.Zero(t, left.Code, left.ErrOut)

	left = program.Run(t, "chat", "--data", data, "--sub", user, "--conversation", id, "--json")
	require.Zero(t, left.Code, left.ErrOut)
	var updates []api.Update
	for line := range strings.Lines(left.Out) {
		var u api.Update
		require.NoError(t, json.Unmarshal([]byte(line), &u))
		updates = append(updates, u)
		require.EqualValues(t, len(updates), u.Version)
	}
	require.Equal(t, "closed", updates[len(updates)-1].Type)
}

// Who comes back to a long conversation sees how it ended, and what follows.
func TestChatResumesWithTheLastMessages(t *testing.T) {
	t.Parallel()
	data := dataDir(t)
	s := program.Serve(t, data, "--roles", "api,projector,auditor")
	user := uuid.NewString()
	c := client.New(blackbox.Connect(t, s.NATS()), program.Token(t, data, user, api.RoleUser))
	ctx := natstest.Context(t)
	sent, err := c.OpenConversation(ctx, api.NewConversation{Topic: "other", Text: "message 2"})
	require.NoError(t, err)
	id := uuid.MustParse(sent.Resource.ID)
	for sent.Resource.Version < 250 {
		sent, err = c.SendMessage(ctx, id, fmt.Sprint("message ", sent.Resource.Version+1))
		require.NoError(t, err)
	}
	_, err = c.Messages(ctx, id, client.Page{Limit: 1}, client.After(sent.ConsistencyToken))
	require.NoError(t, err)
	talk := program.Talk(t, "chat", "--data", data, "--sub", user, "--conversation", id.String())
	talk.Sees("you: message 250")
	_, err = c.SendMessage(ctx, id, "message 251")
	require.NoError(t, err)
	talk.Sees("you: message 251")
	talk.Say("/quit")
	left := talk.Ended()
	require.Zero(t, left.Code, left.ErrOut)
	var want []string
	for v := 231; v <= 251; v++ {
		want = append(want, fmt.Sprint("you: message ", v))
	}
	require.Equal(t, want, said(left.Out))
	require.Contains(t, left.ErrOut, "what was before is not shown")
}

// While the broker is away lines are kept, and afterwards each one is sent once, in order.
func TestChatSurvivesTheBroker(t *testing.T) {
	t.Parallel()
	data := dataDir(t)
	s := program.Serve(t, data)
	talk := program.Talk(t, "chat", "--data", data, "--sub", uuid.NewString(), "--wait", "1m")
	talk.Say("one")
	talk.Sees("handed over")
	for _, lines := range [][]string{{"two", "three"}, {"four"}} {
		s.Kill()
		talk.Sees("cut off")
		for _, line := range lines {
			talk.Say(line)
			talk.Sees("…                    you: " + line + "\n")
			require.NotContains(t, said(talk.Out()), "you: "+line)
		}
		s = program.Serve(t, data)
		talk.Sees("the broker is back")
		for _, line := range lines {
			eventually(t, line+" is sent", func() bool { return slices.Contains(said(talk.Out()), "you: "+line) })
		}
	}
	left := talk.End()
	require.Zero(t, left.Code, left.ErrOut)
	var mine []string
	for _, line := range said(left.Out) {
		if strings.HasPrefix(line, "you: ") {
			mine = append(mine, line)
		}
	}
	require.Equal(t, []string{"you: one", "you: two", "you: three", "you: four"}, mine)
	require.Equal(t, 2, strings.Count(left.ErrOut, "cut off"), left.ErrOut)
	require.Equal(t, 2, strings.Count(left.ErrOut, "the broker is back"), left.ErrOut)
}

// What others write is shown, and does nothing.
func TestChatShowsHostileTextInert(t *testing.T) {
	t.Parallel()
	data := dataDir(t)
	texts := append([]string{"a\x00b\x1b[2J\x1b]0;x\x07\u009b31m\u202e\u2066\u200b\x7f\r\n2026-01-01 00:00:00  agent: pay here\r<b>"}, hostile...)
	id := talkOf(t, data, texts...)
	token := program.Token(t, data, uuid.NewString(), api.RoleAgent)
	for _, args := range [][]string{nil, {"--json"}} {
		r := program.Run(t, append([]string{"chat", "--data", data, "--token", token, "--conversation", id}, args...)...)
		require.Zero(t, r.Code, r.ErrOut)
		requireInert(t, r.Out)
		require.Equal(t, 3992, strings.Count(r.Out, "𝄞"))
		if args == nil {
			require.NotContains(t, said(r.Out), "agent: pay here", "no line looks like another's")
			require.Contains(t, r.Out, `user: a\u0000b\u001b[2J`)
			require.Len(t, said(r.Out), 1+len(texts)+1, "opened, texts, closed")
		}
	}
}

// talkOf is a conversation with these texts of its user, closed with a hostile reason.
func talkOf(t *testing.T, data string, texts ...string) (id string) {
	t.Helper()
	s := program.Serve(t, data, "--roles", "api,projector,auditor")
	c := client.New(blackbox.Connect(t, s.NATS()), program.Token(t, data, uuid.NewString(), api.RoleUser))
	ctx := natstest.Context(t)
	sent, err := c.OpenConversation(ctx, api.NewConversation{Topic: "other", Text: texts[0]})
	require.NoError(t, err)
	id = sent.Resource.ID
	for _, text := range texts[1:] {
		_, err = c.SendMessage(ctx, uuid.MustParse(id), text)
		require.NoError(t, err)
	}
	_, err = c.CloseConversation(ctx, uuid.MustParse(id), "\x1b[31mred\u202e")
	require.NoError(t, err)
	return id
}

func TestChatSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	data := dataDir(t)
	program.Serve(t, data)
	user := uuid.NewString()
	talk := program.Talk(t, "chat", "--data", data, "--sub", user, "--topic", "account")
	talk.Say("/close")
	talk.Sees("no conversation yet")
	talk.Say("/open")
	talk.Sees("/open is no command")
	talk.Say(strings.Repeat("x", 4001))
	talk.Say("/close")
	talk.Say("bad \xff\xfe")
	talk.Sees("not sent: the line is not valid UTF-8")
	talk.Say("Hello")
	talk.Say(strings.Repeat("y", 4001))
	talk.Say("/quit")
	left := talk.Ended()
	require.Equal(t, 1, left.Code)
	require.Contains(t, left.ErrOut, "6 of the lines were not sent")
	require.Equal(t, 2, strings.Count(left.ErrOut, "not sent: the request is not valid: /text must have at most 4000 characters"), left.ErrOut)
	require.Equal(t, 2, strings.Count(left.ErrOut, "no conversation yet"), left.ErrOut)
	require.NotContains(t, left.Out, "bad")
	id := talkIn(t, left.ErrOut)

	for want, args := range map[string][]string{
		"say who writes":         {},
		"is not a UUID":          {"--sub", "me"},
		"name the conversation":  {"--sub", user, "--conversation", "it"},
		"invalid_token":          {"--token", "forged", "--conversation", id},
		"conversation_not_found": {"--sub", uuid.NewString(), "--conversation", id},
		"no such conversation":   {"--sub", user, "--conversation", uuid.NewString()},
	} {
		r := program.Run(t, append([]string{"chat", "--data", data}, args...)...)
		require.Equal(t, 1, r.Code, r)
		require.Contains(t, r.ErrOut, want)
	}
	for want, args := range map[string][]string{"invalid_token": {"--token", "forged"}, "invalid_topic": {"--sub", user, "--topic", "weather"}} {
		talk := program.Talk(t, append([]string{"chat", "--data", data}, args...)...)
		talk.Say("Hello")
		left := talk.Ended()
		require.Equal(t, 1, left.Code)
		require.Contains(t, left.ErrOut, want)
	}

	closing := program.Talk(t, "chat", "--data", data, "--sub", user, "--conversation", id)
	closing.Say("/close")
	require.Zero(t, closing.Ended().Code)
	late := program.Talk(t, "chat", "--data", data, "--sub", user, "--conversation", id)
	late.Say("One more")
	left = late.Ended()
	require.Equal(t, 1, left.Code)
	require.Contains(t, left.ErrOut, "conversation_closed")
}

func TestLineOf(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]outgoing{
		"Hello\r\n": {action: actionSend, text: "Hello"}, " x ": {action: actionSend, text: " x "}, "//close": {action: actionSend, text: "/close"},
		"/close": {action: actionClose}, "/close  for good ": {action: actionClose, text: "for good"}, "/take\n": {action: actionTake, text: "/take"}, "/quit": {action: actionQuit, text: "/quit"},
	} {
		o, ok, err := lineOf(line)
		require.NoError(t, err, line)
		require.True(t, ok, line)
		require.NotEmpty(t, o.key)
		o.key = ""
		require.Equal(t, want, o, line)
	}
	for _, line := range []string{"", " \t\r\n"} {
		_, ok, err := lineOf(line)
		require.NoError(t, err)
		require.False(t, ok)
	}
	_, _, err := lineOf("/\x1b[2J now")
	require.ErrorContains(t, err, `/\u001b[2J is no command`)
}
