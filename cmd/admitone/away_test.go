package main

import (
	"context"
	"fmt"
	"testing"

	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/readstore"
	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"
)

// A process waits for what passes, and stops at what is wrong with its question.
func TestWhatAListCannotSayIsWaitedFor(t *testing.T) {
	t.Parallel()
	for _, cause := range []error{
		readstore.ErrUnavailable, readstore.ErrBuilding, readstore.ErrNoTable, eventstore.ErrUnavailable,
		nats.ErrNoResponders, context.DeadlineExceeded, fmt.Errorf("a row that cannot be read"),
	} {
		err := away(fmt.Errorf("list: %w", cause))
		require.ErrorIs(t, err, eventstore.ErrUnavailable)
		require.ErrorIs(t, err, cause)
	}
	for _, cause := range []error{readstore.ErrInvalid, readstore.ErrBadCursor} {
		err := away(fmt.Errorf("list: %w", cause))
		require.ErrorIs(t, err, cause)
		require.NotErrorIs(t, err, eventstore.ErrUnavailable)
	}
	require.NoError(t, away(nil))
}
