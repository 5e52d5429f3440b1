package conversation_test

import (
	"testing"

	"github.com/admitone/admitone/domain/conversation"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

func TestTheAgentWhoTookItAnswers(t *testing.T) {
	s := setup(t)
	s.Given(opened, asked, taken).When(send(helped)).Then(helped)
	s.Given(opened, asked, taken, more).When(send(helped)).Then(helped)
	s.Given().When(send(helped)).ThenRefused(conversation.ErrNotFound)
	s.Given(opened, asked, conversation.Taken{AgentID: rival}).When(send(helped)).ThenRefused(conversation.ErrTaken)
	s.Given(opened, asked, taken, closed).When(send(helped)).ThenRefused(conversation.ErrClosed)
}

func TestAnAgentTakesItByWriting(t *testing.T) {
	s := setup(t)
	for _, events := range []history{{opened, asked}, {opened, asked, replied, more}, {opened, asked, handedOver, more}} {
		state := s.Given(events...).When(send(helped)).Then(taken, helped)
		require.Equal(t, conversation.StatusTaken, state.Status)
		require.Equal(t, agent, state.AgentID)
		require.Empty(t, state.Unanswered)
		s.Given(append(events, taken, helped)...).When(send(helped)).ThenNothing()
		s.Given(events...).When(asAdmin(helped)).Then(taken, helped)
	}
	s.Given(opened, asked, closed).When(send(helped)).ThenRefused(conversation.ErrClosed)
}

// From then on the agent before is another one.
func TestAnAdminStepsIn(t *testing.T) {
	s := setup(t)
	steps := conversation.Taken{AgentID: admin}
	said := said(conversation.AuthorAgent, admin, another, "I see to it")
	state := s.Given(opened, asked, taken, helped).When(asAdmin(said)).Then(steps, said)
	require.Equal(t, admin, state.AgentID)
	s.Given(opened, asked, taken).When(conversation.Take{AgentID: admin, Role: conversation.RoleAdmin}).Then(steps)
	s.Given(opened, asked, taken, steps).When(asAdmin(said)).Then(said)
	s.Given(opened, asked, taken, steps).When(send(helped)).ThenRefused(conversation.ErrTaken)
	s.Given(opened, asked, taken, steps).When(take).ThenRefused(conversation.ErrTaken)
	s.Given(opened, asked, taken, closed).When(asAdmin(said)).ThenRefused(conversation.ErrClosed)
	s.Given().When(asAdmin(said)).ThenRefused(conversation.ErrNotFound)
}

func TestTake(t *testing.T) {
	s := setup(t)
	state := s.Given(opened, asked, handedOver).When(take).Then(taken)
	require.Equal(t, conversation.StatusTaken, state.Status)
	require.Equal(t, agent, state.AgentID)
	state = s.Given(opened, asked).When(take).Then(taken)
	require.Empty(t, state.Unanswered)
	s.Given(opened, asked, taken).When(take).ThenNothing()
	s.Given(opened, asked, taken).When(conversation.Take{AgentID: rival, Role: conversation.RoleAgent}).ThenRefused(conversation.ErrTaken)
	s.Given().When(take).ThenRefused(conversation.ErrNotFound)
	s.Given(opened, asked, closed).When(take).ThenRefused(conversation.ErrClosed)
	s.Given(opened, asked, taken, closed).When(take).ThenRefused(conversation.ErrClosed)
}

func TestClose(t *testing.T) {
	s := setup(t)
	by := func(who uuid.UUID, role conversation.Role) conversation.Close {
		return conversation.Close{By: who, Role: role, Reason: "solved"}
	}
	for _, events := range []history{{opened, asked}, {opened, asked, handedOver}, {opened, asked, taken}} {
		state := s.Given(events...).When(by(user, conversation.RoleUser)).Then(closed)
		require.Equal(t, conversation.StatusClosed, state.Status)
		require.Empty(t, state.Unanswered)
		s.Given(events...).When(by(admin, conversation.RoleAdmin)).Then(closed)
		s.Given(events...).When(by(user, conversation.RoleAgent)).Then(closed)
	}
	s.Given(opened, asked, taken).When(by(agent, conversation.RoleAgent)).Then(closed)
	s.Given(opened, asked, taken).When(by(rival, conversation.RoleAgent)).ThenRefused(conversation.ErrTaken)
	s.Given(opened, asked).When(by(agent, conversation.RoleAgent)).Then(closed)
	s.Given(opened, asked, handedOver).When(by(agent, conversation.RoleAgent)).Then(closed)
	s.Given(opened, asked).When(conversation.Close{By: user, Role: conversation.RoleUser}).Then(conversation.Closed{})
	for who, role := range map[uuid.UUID]conversation.Role{
		user: conversation.RoleUser, agent: conversation.RoleAgent, admin: conversation.RoleAdmin,
	} {
		s.Given().When(by(who, role)).ThenRefused(conversation.ErrNotFound)
		s.Given(opened, asked, taken, closed).When(by(who, role)).ThenNothing()
	}
}
