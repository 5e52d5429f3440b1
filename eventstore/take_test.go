package eventstore

import (
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"
)

func TestGroupTakesEachAggregateOnce(t *testing.T) {
	t.Parallel()
	write := func(messages int, subjects ...string) *waiting {
		w := &write{messages: make([]*nats.Msg, messages)}
		for _, s := range subjects {
			w.parts = append(w.parts, part{subject: s})
		}
		return &waiting{w: w}
	}
	a, b, ab, c := write(1, "a"), write(1, "b"), write(2, "a", "b"), write(1, "c")
	g := &groupCommit{queue: []*waiting{a, ab, b, a, c}}
	require.Equal(t, []*waiting{a, b, c}, g.take())
	require.Equal(t, []*waiting{ab, a}, g.queue)

	g = &groupCommit{queue: []*waiting{write(600, "a"), write(500, "b"), write(1, "c")}}
	require.Len(t, g.take(), 1, "the server's limit of messages; order of arrival stays")
	require.Len(t, g.queue, 2)
}
