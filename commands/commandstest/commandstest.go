// Package commandstest tests deciders the way their rules are told: given these
// events, when this command comes, then these events follow, or a refusal.
//
// The tests of any domain import it. It needs no broker and no clock.
package commandstest

import (
	"testing"

	"github.com/admitone/admitone/commands"
	"github.com/admitone/admitone/eventstore"
	"github.com/stretchr/testify/require"
)

// Spec is a decider under test.
type Spec[S, C any] struct {
	t       testing.TB
	decider commands.Decider[S, C]
}

// For begins a test of a decider; commands.Adapt makes one of a domain's own functions.
func For[S, C any](t testing.TB, d commands.Decider[S, C]) Spec[S, C] {
	t.Helper()
	return Spec[S, C]{t: t, decider: d}
}

// Given is what has happened to the aggregate so far; nothing for a new one.
func (s Spec[S, C]) Given(history ...eventstore.Payload) History[S, C] {
	return History[S, C]{spec: s, state: s.fold(s.decider.Initial(), history)}
}

func (s Spec[S, C]) fold(state S, events []eventstore.Payload) S {
	for _, e := range events {
		state = s.decider.Evolve(state, e)
	}
	return state
}

// History is an aggregate that waits for a command. It can be given any number
// of commands, each of which finds the same history.
type History[S, C any] struct {
	spec  Spec[S, C]
	state S
}

// When decides about a command.
func (h History[S, C]) When(command C) Outcome[S, C] {
	events, err := h.spec.decider.Decide(h.state, command)
	return Outcome[S, C]{spec: h.spec, state: h.state, events: events, err: err}
}

// Outcome is what the decider answered.
type Outcome[S, C any] struct {
	spec   Spec[S, C]
	state  S
	events []eventstore.Payload
	err    error
}

// Then expects exactly these events, in this order, and returns the state after them.
func (o Outcome[S, C]) Then(events ...eventstore.Payload) S {
	o.spec.t.Helper()
	require.NoError(o.spec.t, o.err)
	require.Equal(o.spec.t, events, o.events)
	return o.spec.fold(o.state, o.events)
}

// ThenRefused expects a refusal that errors.Is the given one.
func (o Outcome[S, C]) ThenRefused(refusal error) {
	o.spec.t.Helper()
	require.ErrorIs(o.spec.t, o.err, refusal)
	require.Empty(o.spec.t, o.events)
}

// ThenNothing expects that there was nothing to do: neither events nor a refusal.
func (o Outcome[S, C]) ThenNothing() {
	o.spec.t.Helper()
	require.NoError(o.spec.t, o.err)
	require.Empty(o.spec.t, o.events)
}
