package conversation_test

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/admitone/admitone/domain"
	"github.com/admitone/admitone/domain/conversation"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

var (
	messages = []uuid.UUID{first, second, third, answer, another}
	people   = []uuid.UUID{user, user, agent, agent, rival, stranger, admin, uuid.Nil}
	texts    = []string{"secret words", "secret words", "", "\xff"}
	reasons  = []string{"x", "x", "", "\xff"}
)

func anySend(t *rapid.T) conversation.Command {
	c := conversation.Send{
		Author:   rapid.SampledFrom([]conversation.Author{"user", "user", "bot", "bot", "agent", "admin"}).Draw(t, "author"),
		AuthorID: rapid.SampledFrom(people).Draw(t, "who"), Text: rapid.SampledFrom(texts).Draw(t, "text"),
		MessageID: uuid.UUID(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "id")),
	}
	if rapid.Bool().Draw(t, "known id") {
		c.MessageID = rapid.SampledFrom(messages).Draw(t, "message")
	}
	if c.Author == conversation.AuthorAgent || rapid.IntRange(0, 9).Draw(t, "odd role") == 0 {
		c.Role = anyRole(t)
	}
	if c.Author == conversation.AuthorBot || rapid.IntRange(0, 9).Draw(t, "odd") == 0 {
		c.InReplyTo = rapid.SampledFrom(messages).Draw(t, "to")
	}
	return c
}

func anyRole(t *rapid.T) conversation.Role {
	return rapid.SampledFrom([]conversation.Role{"user", "agent", "agent", "admin", "x"}).Draw(t, "role")
}

func anyCommand() *rapid.Generator[conversation.Command] {
	return rapid.Custom(func(t *rapid.T) conversation.Command {
		switch rapid.IntRange(0, 12).Draw(t, "kind") {
		case 0, 1:
			c := open
			c.Topic = rapid.SampledFrom([]conversation.Topic{"order", "order", "other", "x"}).Draw(t, "topic")
			return c
		case 2:
			return conversation.HandOver{
				Reason:    rapid.SampledFrom(reasons).Draw(t, "reason"),
				InReplyTo: rapid.SampledFrom(append(messages, uuid.Nil)).Draw(t, "to"),
			}
		case 3:
			return conversation.Take{AgentID: rapid.SampledFrom(people).Draw(t, "who"), Role: anyRole(t)}
		case 4:
			return conversation.Close{
				By: rapid.SampledFrom(people).Draw(t, "who"), Reason: rapid.SampledFrom(reasons).Draw(t, "reason"), Role: anyRole(t),
			}
		}
		return anySend(t)
	})
}

// arrows is the picture of section "marketplace": where a status may lead.
var arrows = map[conversation.Status][]conversation.Status{
	"": {"", conversation.StatusOpen},
	conversation.StatusOpen: {
		conversation.StatusOpen, conversation.StatusWaiting, conversation.StatusTaken, conversation.StatusClosed,
	},
	conversation.StatusWaiting: {conversation.StatusWaiting, conversation.StatusTaken, conversation.StatusClosed},
	conversation.StatusTaken:   {conversation.StatusTaken, conversation.StatusClosed},
	conversation.StatusClosed:  {conversation.StatusClosed},
}

func TestNoSequenceOfCommandsBreaksAnInvariant(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		state := conversation.Initial()
		var log []conversation.Event
		for _, command := range rapid.SliceOfN(anyCommand(), 1, 60).Draw(t, "commands") {
			before, held := state, slices.Clone(state.Unanswered)
			events, err := conversation.Decide(state, command)
			checkAnswer(t, command, events, err)
			checkWho(t, before, command, events)
			for _, e := range events {
				state = conversation.Evolve(state, e)
			}
			require.Equal(t, held, before.Unanswered, "an earlier state changed")
			log = append(log, events...)
			checkStep(t, before, state)
			again, _ := conversation.Decide(state, command)
			require.Empty(t, again, "the same command twice")
		}
		checkReplies(t, log)
	})
}

func checkAnswer(t *rapid.T, command conversation.Command, events []conversation.Event, err error) {
	switch c := command.(type) {
	case conversation.Open:
	case conversation.Send:
		require.LessOrEqual(t, len(events), 2)
		require.True(t, len(events) < 2 || c.Author == conversation.AuthorAgent)
	default:
		require.LessOrEqual(t, len(events), 1)
	}
	if err == nil {
		return
	}
	var refusal *domain.Refusal
	require.ErrorAs(t, err, &refusal)
	require.Empty(t, events)
	require.Equal(t, refusal.Kind == domain.Invalid, refusal.Field != "")
}

// checkWho holds who may write and take, by the state before each event.
func checkWho(t *rapid.T, before conversation.State, command conversation.Command, events []conversation.Event) {
	for _, e := range events {
		require.NotEqual(t, conversation.StatusClosed, before.Status, "something after the end")
		if taken, ok := e.(conversation.Taken); ok && before.Status == conversation.StatusTaken {
			require.NotEqual(t, before.AgentID, taken.AgentID, "taken from himself")
			require.Equal(t, conversation.RoleAdmin, roleOf(command), "taken from an agent")
		}
		m, ok := e.(conversation.MessageSent)
		if ok && before.Status != "" {
			checkAuthor(t, before, m)
		}
		before = conversation.Evolve(before, e)
	}
}

func roleOf(command conversation.Command) conversation.Role {
	switch c := command.(type) {
	case conversation.Take:
		return c.Role
	case conversation.Send:
		return c.Role
	}
	return ""
}

func checkAuthor(t *rapid.T, before conversation.State, m conversation.MessageSent) {
	switch m.Author {
	case conversation.AuthorUser:
		require.Equal(t, before.AccountID, m.AuthorID)
	case conversation.AuthorAgent:
		require.Equal(t, conversation.StatusTaken, before.Status)
		require.Equal(t, before.AgentID, m.AuthorID)
	case conversation.AuthorBot:
		require.NotEqual(t, conversation.StatusTaken, before.Status)
	}
}

func checkStep(t *rapid.T, before, after conversation.State) {
	require.Contains(t, arrows[before.Status], after.Status)
	if after.Status == conversation.StatusTaken {
		require.NotEqual(t, uuid.Nil, after.AgentID)
	}
	if before.AgentID != uuid.Nil {
		require.NotEqual(t, uuid.Nil, after.AgentID)
	}
	if before.Status != "" {
		require.Equal(t, before.AccountID, after.AccountID)
		require.Equal(t, before.Topic, after.Topic)
		require.Equal(t, before.OrderID, after.OrderID)
	}
	if after.Status == conversation.StatusTaken || after.Status == conversation.StatusClosed {
		require.Empty(t, after.Unanswered)
	}
}

// checkReplies holds that each message has one answer of the Bot at most, after it,
// and that the answers stand in the order of the messages. Ids that are used anew
// for another message count as that one.
func checkReplies(t *rapid.T, log []conversation.Event) {
	asked, last := map[uuid.UUID]int{}, -1
	answers := func(to uuid.UUID) {
		if to == uuid.Nil {
			return
		}
		at, known := asked[to]
		require.True(t, known, "an answer to nothing")
		require.Greater(t, at, last, "a second answer, or one out of order")
		last = at
	}
	for i, e := range log {
		switch e := e.(type) {
		case conversation.MessageSent:
			if e.Author == conversation.AuthorUser {
				asked[e.MessageID] = i
			}
			answers(e.InReplyTo)
		case conversation.HandedOver:
			answers(e.InReplyTo)
		}
	}
}

func TestStateSurvivesASnapshotAndHoldsNoText(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		state := conversation.Initial()
		for _, command := range rapid.SliceOf(anyCommand()).Draw(t, "commands") {
			events, _ := conversation.Decide(state, command)
			for _, e := range events {
				state = conversation.Evolve(state, e)
			}
		}
		body, err := json.Marshal(state)
		require.NoError(t, err)
		require.NotContains(t, string(body), "secret")
		require.NotContains(t, string(body), open.Text)
		var back conversation.State
		require.NoError(t, json.Unmarshal(body, &back))
		require.Equal(t, state, back)
	})
}

// What was decided a moment ago, what a log holds, and what is left once the key is
// gone amount to the same.
func TestStateIsTheSameOfPlainAndSealedTexts(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		live, loaded, erased := conversation.Initial(), conversation.Initial(), conversation.Initial()
		for _, command := range rapid.SliceOf(anyCommand()).Draw(t, "commands") {
			events, _ := conversation.Decide(live, command)
			for _, e := range events {
				live = conversation.Evolve(live, e)
				loaded = conversation.Evolve(loaded, with(e, domain.SealedText("bm9uY2U")))
				erased = conversation.Evolve(erased, with(e, domain.Text{}))
			}
		}
		require.Equal(t, live, loaded)
		require.Equal(t, live, erased)
	})
}

func with(e conversation.Event, text domain.Text) conversation.Event {
	if m, ok := e.(conversation.MessageSent); ok {
		m.Text = text
		return m
	}
	return e
}
