package conversation_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/admitone/admitone/commands"
	"github.com/admitone/admitone/commands/commandstest"
	"github.com/admitone/admitone/domain"
	"github.com/admitone/admitone/domain/conversation"
	"github.com/admitone/admitone/eventstore"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

var (
	user     = uuid.MustParse("01900000-0000-7000-8000-000000000001")
	stranger = uuid.MustParse("01900000-0000-7000-8000-000000000002")
	agent    = uuid.MustParse("01900000-0000-7000-8000-000000000003")
	rival    = uuid.MustParse("01900000-0000-7000-8000-000000000004")
	admin    = uuid.MustParse("01900000-0000-7000-8000-000000000005")
	robot    = uuid.MustParse("01900000-0000-7000-8000-000000000006")
	order    = uuid.MustParse("01900000-0000-7000-8000-00000000000a")
	first    = uuid.MustParse("01900000-0000-7000-8000-000000000011")
	second   = uuid.MustParse("01900000-0000-7000-8000-000000000012")
	third    = uuid.MustParse("01900000-0000-7000-8000-000000000013")
	answer   = uuid.MustParse("01900000-0000-7000-8000-000000000021")
	another  = uuid.MustParse("01900000-0000-7000-8000-000000000022")

	opened     = conversation.Opened{AccountID: user, Topic: conversation.TopicOrder, OrderID: order}
	asked      = said(conversation.AuthorUser, user, first, "where is my order?")
	more       = said(conversation.AuthorUser, user, second, "and when does it expire?")
	replied    = inReply(first, answer, "it waits for your payment")
	handedOver = conversation.HandedOver{Reason: "asked for a person", InReplyTo: first}
	taken      = conversation.Taken{AgentID: agent}
	helped     = said(conversation.AuthorAgent, agent, answer, "let me see")
	closed     = conversation.Closed{Reason: "solved"}

	open = conversation.Open{
		AccountID: user, Topic: conversation.TopicOrder, OrderID: order, MessageID: first, Text: "where is my order?",
	}
	handOver = conversation.HandOver(handedOver)
	take     = conversation.Take{AgentID: agent, Role: conversation.RoleAgent}
)

type history = []eventstore.Payload

func said(author conversation.Author, who, id uuid.UUID, text string) conversation.MessageSent {
	return conversation.MessageSent{MessageID: id, Author: author, AuthorID: who, Text: domain.PlainText(text)}
}

func inReply(to, id uuid.UUID, text string) conversation.MessageSent {
	m := said(conversation.AuthorBot, robot, id, text)
	m.InReplyTo = to
	return m
}

// send is the command that a message comes from.
func send(m conversation.MessageSent) conversation.Send {
	text, _ := m.Text.Plain()
	c := conversation.Send{MessageID: m.MessageID, Author: m.Author, AuthorID: m.AuthorID, Text: text, InReplyTo: m.InReplyTo, Proposes: m.Proposes}
	if m.Author == conversation.AuthorAgent {
		c.Role = conversation.RoleAgent
	}
	return c
}

// asAdmin is an agent's message as an admin sends it.
func asAdmin(m conversation.MessageSent) conversation.Send {
	c := send(m)
	c.Role = conversation.RoleAdmin
	return c
}

func decider() commands.Decider[conversation.State, conversation.Command] {
	return commands.Adapt(conversation.Initial, conversation.Decide, conversation.Evolve)
}

func setup(t *testing.T) commandstest.Spec[conversation.State, conversation.Command] {
	t.Helper()
	t.Parallel()
	return commandstest.For(t, decider())
}

func TestOpen(t *testing.T) {
	s := setup(t)
	state := s.Given().When(open).Then(opened, asked)
	require.Equal(t, conversation.State{
		Status: conversation.StatusOpen, AccountID: user, Topic: conversation.TopicOrder, OrderID: order,
		Unanswered: []uuid.UUID{first}, LastMessageID: first, Messages: 1,
	}, state)
	s.Given(opened, asked).When(open).ThenRefused(conversation.ErrAlreadyOpened)
	s.Given(opened, asked, closed).When(open).ThenRefused(conversation.ErrAlreadyOpened)

	about := open
	about.Topic, about.OrderID = conversation.TopicOther, uuid.Nil
	s.Given().When(about).Then(conversation.Opened{AccountID: user, Topic: conversation.TopicOther}, asked)
}

func TestTopics(t *testing.T) {
	s := setup(t)
	for topic, refusal := range map[conversation.Topic]error{
		"order": nil, "ticket": nil, "payment": nil, "account": nil, "other": nil,
		"": conversation.ErrTopic, "Order": conversation.ErrTopic, "refund": conversation.ErrTopic,
	} {
		about := open
		about.Topic = topic
		if refusal == nil {
			s.Given().When(about).Then(conversation.Opened{AccountID: user, Topic: topic, OrderID: order}, asked)
		} else {
			s.Given().When(about).ThenRefused(refusal)
		}
	}
}

func TestTexts(t *testing.T) {
	s := setup(t)
	for text, refusal := range map[string]error{
		"x":                        nil,
		strings.Repeat("𝄞", 4000):  nil,
		"<b>\u202e\x1b[2J\x00</b>": nil,
		" hello\n":                 nil,
		"":                         conversation.ErrText,
		" \t\n\u00a0\u3000":        conversation.ErrText,
		strings.Repeat("x", 4001):  conversation.ErrText,
		"not UTF-8: \xff":          conversation.ErrText,
	} {
		about := open
		about.Text = text
		opens := s.Given().When(about)
		message := said(conversation.AuthorUser, user, second, text)
		sends := s.Given(opened, asked).When(send(message))
		if refusal == nil {
			opens.Then(opened, said(conversation.AuthorUser, user, first, text))
			sends.Then(message)
		} else {
			opens.ThenRefused(refusal)
			sends.ThenRefused(refusal)
		}
	}
}

func TestTheUserWritesUntilItIsClosed(t *testing.T) {
	s := setup(t)
	state := s.Given(opened, asked).When(send(more)).Then(more)
	require.Equal(t, []uuid.UUID{first, second}, state.Unanswered)
	s.Given(opened, asked, handedOver).When(send(more)).Then(more)
	state = s.Given(opened, asked, taken).When(send(more)).Then(more)
	require.Empty(t, state.Unanswered, "its answer is the agent's")
	s.Given().When(send(more)).ThenRefused(conversation.ErrNotFound)
	s.Given(opened, asked, closed).When(send(more)).ThenRefused(conversation.ErrClosed)
}

func TestAMessageIsSentOnce(t *testing.T) {
	s := setup(t)
	s.Given(opened, asked).When(send(asked)).ThenNothing()
	s.Given(opened, asked, more).When(send(asked)).ThenNothing()
	s.Given(opened, asked, taken, helped).When(send(helped)).ThenNothing()
}

func TestTheBotAnswersEachMessageOnce(t *testing.T) {
	s := setup(t)
	state := s.Given(opened, asked).When(send(replied)).Then(replied)
	require.Empty(t, state.Unanswered)
	require.Equal(t, conversation.StatusOpen, state.Status)
	s.Given(opened, asked, replied).When(send(replied)).ThenNothing()
	s.Given(opened, asked, replied).When(send(inReply(first, another, "once more"))).ThenNothing()
	s.Given(opened, asked).When(send(inReply(third, another, "to what?"))).ThenNothing()
	s.Given().When(send(replied)).ThenRefused(conversation.ErrNotFound)

	state = s.Given(opened, asked, more).When(send(replied)).Then(replied)
	require.Equal(t, []uuid.UUID{second}, state.Unanswered)
	last := inReply(second, another, "in a quarter of an hour")
	s.Given(opened, asked, more, replied).When(send(last)).Then(last)
	state = s.Given(opened, asked, more).When(send(last)).Then(last)
	require.Empty(t, state.Unanswered, "what was passed over is not gone back to")
	s.Given(opened, asked, more, last).When(send(replied)).ThenNothing()
}

func TestTheBotStopsWhereAnAgentBegins(t *testing.T) {
	s := setup(t)
	toMore := inReply(second, another, "an agent will answer")
	s.Given(opened, asked, handedOver, more).When(send(toMore)).Then(toMore)
	for _, events := range []history{{opened, asked, taken}, {opened, asked, handedOver, taken}, {opened, asked, taken, more}} {
		s.Given(events...).When(send(replied)).ThenRefused(conversation.ErrTaken)
		s.Given(events...).When(send(toMore)).ThenRefused(conversation.ErrTaken)
	}
	s.Given(opened, asked, closed).When(send(replied)).ThenRefused(conversation.ErrClosed)
}

func TestTheBotNeedsNoAccount(t *testing.T) {
	s := setup(t)
	m := replied
	m.AuthorID = uuid.Nil
	s.Given(opened, asked).When(send(m)).Then(m)
}

func proposes(m conversation.MessageSent) conversation.MessageSent {
	m.Proposes = conversation.Proposal{Action: conversation.ActionCancelOrder, OrderID: order}
	return m
}

func TestTheUserDecidesOnWhatTheBotProposedLast(t *testing.T) {
	s := setup(t)
	question, nothing := proposes(replied), conversation.Proposal{}
	state := s.Given(opened, asked).When(send(question)).Then(question)
	require.Equal(t, question.Proposes, state.Proposed)
	require.Zero(t, state.DecidedBy)

	state = s.Given(opened, asked, question).When(send(more)).Then(more)
	require.Equal(t, second, state.DecidedBy)
	last := said(conversation.AuthorUser, user, third, "and that")
	state = s.Given(opened, asked, question, more).When(send(last)).Then(last)
	require.Equal(t, second, state.DecidedBy, "the first one decides")

	for _, e := range []eventstore.Payload{inReply(second, another, "well"), conversation.HandedOver{Reason: "asked"}, taken, closed} {
		state := conversation.Initial()
		for _, e := range []eventstore.Payload{opened, asked, question, more, e} {
			state = conversation.Evolve(state, e.(conversation.Event))
		}
		require.Equal(t, nothing, state.Proposed, e)
		require.Zero(t, state.DecidedBy, e)
	}
}

func TestOnlyTheBotProposes(t *testing.T) {
	s := setup(t)
	s.Given(opened).When(send(proposes(asked))).ThenRefused(conversation.ErrProposal)
	wrong := proposes(replied)
	wrong.Proposes.OrderID = uuid.Nil
	s.Given(opened, asked).When(send(wrong)).ThenRefused(conversation.ErrProposal)
	for _, p := range []conversation.Proposal{
		{Action: "sell_the_house", OrderID: order}, {OrderID: order},
	} {
		wrong.Proposes = p
		s.Given(opened, asked).When(send(wrong)).ThenRefused(conversation.ErrProposal)
	}
}

func TestHandOver(t *testing.T) {
	s := setup(t)
	state := s.Given(opened, asked, more).When(handOver).Then(handedOver)
	require.Equal(t, conversation.StatusWaiting, state.Status)
	require.Equal(t, []uuid.UUID{second}, state.Unanswered, "it is the answer to the first")
	s.Given(opened, asked, handedOver).When(send(replied)).ThenNothing()
	s.Given(opened, asked, replied).When(handOver).ThenNothing()
	s.Given(opened, asked, handedOver).When(handOver).ThenNothing()
	s.Given(opened, asked, taken).When(handOver).ThenNothing()
	s.Given().When(handOver).ThenRefused(conversation.ErrNotFound)
	s.Given(opened, asked, closed).When(handOver).ThenRefused(conversation.ErrClosed)

	bare := conversation.HandOver{Reason: "no answer for an hour"}
	state = s.Given(opened, asked).When(bare).Then(conversation.HandedOver(bare))
	require.Equal(t, []uuid.UUID{first}, state.Unanswered)
	s.Given(opened, asked, replied).When(bare).Then(conversation.HandedOver(bare))
}

func TestToOthersThereIsNoConversation(t *testing.T) {
	s := setup(t)
	for _, events := range []history{
		{opened, asked}, {opened, asked, handedOver}, {opened, asked, taken}, {opened, asked, taken, closed},
	} {
		for _, who := range []uuid.UUID{stranger, agent, robot} {
			s.Given(events...).When(send(said(conversation.AuthorUser, who, another, "let me in"))).ThenRefused(conversation.ErrNotOwner)
			s.Given(events...).When(conversation.Close{By: who, Role: conversation.RoleUser}).ThenRefused(conversation.ErrNotOwner)
		}
	}
	require.ErrorIs(t, conversation.ErrNotOwner, conversation.ErrNotFound)
	require.EqualError(t, conversation.ErrNotOwner, conversation.ErrNotFound.Error(), "the text would tell")
}

func TestReasons(t *testing.T) {
	s := setup(t)
	for reason, refusal := range map[string]error{
		strings.Repeat("é", 500): nil,
		strings.Repeat("é", 501): conversation.ErrReason,
		"not UTF-8: \xff":        conversation.ErrReason,
	} {
		ends := s.Given(opened, asked).When(conversation.Close{By: user, Role: conversation.RoleUser, Reason: reason})
		hands := s.Given(opened, asked).When(conversation.HandOver{Reason: reason})
		if refusal == nil {
			ends.Then(conversation.Closed{Reason: reason})
			hands.Then(conversation.HandedOver{Reason: reason})
		} else {
			ends.ThenRefused(refusal)
			hands.ThenRefused(refusal)
		}
	}
	s.Given(opened, asked).When(conversation.HandOver{Reason: " \n"}).ThenRefused(conversation.ErrReason)
}

// A state may be decided on again after a conflict: what follows it in one history
// does not show in another.
func TestHistoriesDoNotShareWhatFollows(t *testing.T) {
	t.Parallel()
	state := conversation.Evolve(conversation.Initial(), opened)
	var want []uuid.UUID
	for _, id := range []uuid.UUID{first, second, third, answer, another} {
		evolved := conversation.Evolve(state, said(conversation.AuthorUser, user, id, "hello"))
		conversation.Evolve(state, said(conversation.AuthorUser, user, stranger, "in another history"))
		want, state = append(want, id), evolved
		require.Equal(t, want, state.Unanswered)
	}
}

// However many messages there are, the state that is kept of them is small.
func TestTheStateStaysSmall(t *testing.T) {
	t.Parallel()
	const messages = 100_000
	state, largest := conversation.Evolve(conversation.Initial(), opened), 0
	number := func(kind byte, i int) uuid.UUID {
		return uuid.UUID{0: kind, 13: byte(i >> 16), 14: byte(i >> 8), 15: byte(i)}
	}
	for i := 1; i <= messages/2; i++ {
		state = conversation.Evolve(state, said(conversation.AuthorUser, user, number(1, i), "hello"))
		largest = max(largest, len(state.Unanswered))
		state = conversation.Evolve(state, inReply(number(1, i), number(2, i), "hello"))
	}
	require.Equal(t, 1, largest)
	body, err := json.Marshal(state)
	require.NoError(t, err)
	require.Less(t, len(body), 400)
}

func TestOnlySoManyMessagesWaitForAnAnswer(t *testing.T) {
	s := setup(t)
	events := history{opened, asked}
	for i := 1; i < conversation.MaxUnanswered; i++ {
		id := uuid.MustParse(fmt.Sprintf("01900000-0000-7000-9000-%012d", i))
		events = append(events, said(conversation.AuthorUser, user, id, "hello?"))
	}
	full := s.Given(events...)
	full.When(send(more)).ThenRefused(conversation.ErrUnanswered)
	full.When(send(asked)).ThenNothing()
	state := full.When(send(replied)).Then(replied)
	require.Len(t, state.Unanswered, conversation.MaxUnanswered-1)
	s.Given(append(events, replied)...).When(send(more)).Then(more)
	s.Given(append(events, taken)...).When(send(more)).Then(more)
	body, err := json.Marshal(state)
	require.NoError(t, err)
	require.Less(t, len(body), 64<<10)
}

func TestRefusalsNameTheField(t *testing.T) {
	t.Parallel()
	opens := func(change func(*conversation.Open)) conversation.Command {
		c := open
		change(&c)
		return c
	}
	sends := func(m conversation.MessageSent, change func(*conversation.Send)) conversation.Command {
		c := send(m)
		change(&c)
		return c
	}
	for field, list := range map[string][]conversation.Command{
		"/account_id": {opens(func(c *conversation.Open) { c.AccountID = uuid.Nil })},
		"/topic":      {opens(func(c *conversation.Open) { c.Topic = "x" })},
		"/message_id": {
			opens(func(c *conversation.Open) { c.MessageID = uuid.Nil }),
			sends(more, func(c *conversation.Send) { c.MessageID = uuid.Nil }),
		},
		"/text":   {opens(func(c *conversation.Open) { c.Text = "" }), sends(more, func(c *conversation.Send) { c.Text = "" })},
		"/author": {sends(more, func(c *conversation.Send) { c.Author = "admin" })},
		"/author_id": {
			sends(more, func(c *conversation.Send) { c.AuthorID = uuid.Nil }),
			sends(helped, func(c *conversation.Send) { c.AuthorID = uuid.Nil }),
		},
		"/in_reply_to": {
			sends(more, func(c *conversation.Send) { c.InReplyTo = first }),
			sends(helped, func(c *conversation.Send) { c.InReplyTo = first }),
			sends(replied, func(c *conversation.Send) { c.InReplyTo = uuid.Nil }),
		},
		"/reason":   {conversation.HandOver{}, conversation.Close{By: user, Role: conversation.RoleUser, Reason: "\xff"}},
		"/agent_id": {conversation.Take{Role: conversation.RoleAgent}},
		"/by":       {conversation.Close{Role: conversation.RoleAdmin}},
		"/role": {
			conversation.Close{By: admin}, conversation.Close{By: admin, Role: "root"},
			conversation.Take{AgentID: agent}, conversation.Take{AgentID: agent, Role: conversation.RoleUser}, conversation.Take{AgentID: agent, Role: "root"},
			sends(helped, func(c *conversation.Send) { c.Role = "" }), sends(helped, func(c *conversation.Send) { c.Role = conversation.RoleUser }),
			sends(more, func(c *conversation.Send) { c.Role = conversation.RoleUser }), sends(replied, func(c *conversation.Send) { c.Role = conversation.RoleAdmin }),
		},
	} {
		for _, command := range list {
			_, err := conversation.Decide(conversation.Initial(), command)
			var refusal *domain.Refusal
			require.ErrorAs(t, err, &refusal)
			require.Equal(t, domain.Invalid, refusal.Kind)
			require.Equal(t, field, refusal.Field)
		}
	}
}

func TestKindsOfRefusals(t *testing.T) {
	t.Parallel()
	for kind, refusals := range map[domain.Kind][]*domain.Refusal{
		domain.Invalid: {
			conversation.ErrID, conversation.ErrTopic, conversation.ErrText, conversation.ErrAuthor, conversation.ErrReply,
			conversation.ErrRole, conversation.ErrReason,
		},
		domain.NotFound: {conversation.ErrNotFound, conversation.ErrNotOwner},
		domain.Conflict: {
			conversation.ErrAlreadyOpened, conversation.ErrClosed, conversation.ErrTaken, conversation.ErrUnanswered,
		},
	} {
		for _, refusal := range refusals {
			require.Equal(t, kind, refusal.Kind, refusal.Code)
		}
	}
}

func TestTheIDOfNoOrderIsEmpty(t *testing.T) {
	t.Parallel()
	none := conversation.Opened{AccountID: user, Topic: conversation.TopicOther}
	body, err := json.Marshal(none)
	require.NoError(t, err)
	require.JSONEq(t, `{"account_id":"`+user.String()+`","topic":"other","order_id":""}`, string(body))
	for _, field := range []string{``, `,"order_id":""`, `,"order_id":null`} {
		var back conversation.Opened
		require.NoError(t, json.Unmarshal([]byte(`{"account_id":"`+user.String()+`","topic":"other"`+field+`}`), &back))
		require.Equal(t, none, back)
	}
	for _, field := range []string{`"x"`, `7`} {
		require.Error(t, json.Unmarshal([]byte(`{"order_id":`+field+`}`), &conversation.Opened{}))
	}
}
