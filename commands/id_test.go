package commands_test

import (
	"encoding/json"
	"testing"

	"github.com/admitone/admitone/commands"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// Ids are in logs, so they may never come out differently.
func TestIDsStayAsTheyAre(t *testing.T) {
	t.Parallel()
	id := commands.CommandID("account", "list", "", "key")
	require.Equal(t, "9dd2bff8-644c-5d86-b33a-3ee3996c1c49", id.String())
	require.Equal(t, "9c7ec2f4-4d36-5074-9321-28c9dea8db17", commands.NewAggregateID("ticket", id).String())
	require.Equal(t, uuid.Version(5), id.Version())
	hash, err := commands.Hash(map[string]any{"b": 1, "a": "<"})
	require.NoError(t, err)
	require.Equal(t, "b2faddbe774b6285f20a215cdb7f7133cd542f63c86a7eba4d5af835d7fb5286", hash)
}

func TestPartsOfACommandIDDoNotRunTogether(t *testing.T) {
	t.Parallel()
	seen := map[uuid.UUID]bool{}
	for _, parts := range [][4]string{
		{"a", "b", "c", "d"}, {"ab", "", "c", "d"}, {"", "ab", "c", "d"}, {"a", "bc", "", "d"},
		{"a", "b", "", "cd"}, {"1:a", "b", "c", "d"}, {"a1:b", "", "c", "d"},
	} {
		seen[commands.CommandID(parts[0], parts[1], parts[2], parts[3])] = true
	}
	require.Len(t, seen, 7)
}

func TestHashOfTheSameRequestWrittenOtherwise(t *testing.T) {
	t.Parallel()
	hash := func(body string) string {
		h, err := commands.Hash(json.RawMessage(body))
		require.NoError(t, err)
		return h
	}
	one := hash(`{"title":"a","price":{"amount":2500,"currency":"EUR"}}`)
	require.Equal(t, one, hash(` { "price": {"currency":"EUR", "amount":2500}, "title" : "\u0061"}`))
	require.NotEqual(t, one, hash(`{"title":"a","price":{"amount":2501,"currency":"EUR"}}`))
	require.NotEqual(t, hash(`9007199254740993`), hash(`9007199254740992`), "numbers are not rounded")
	_, err := commands.Hash(func() {})
	require.Error(t, err)
}
