// Package bot is the process that answers users in support. A user's message gets
// one reply, or is handed over to an agent: in order, never after an agent took over,
// and about the user's own orders only. What to say is decided by a Bot, a small pure
// interface; English is ours, and another one takes its place in Define.
//
// cmd/admitone hands it to the runner, in a role of its own. It imports processes,
// commands, eventstore with its sealed fields, and the domain.
package bot
