package readapi

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

type opening func(items []SealedText) ([]OpenedText, error)

func (f opening) OpenTexts(_ context.Context, items []SealedText) ([]OpenedText, error) {
	return f(items)
}

func TestTextsAreOpenedInTheirPlaces(t *testing.T) {
	t.Parallel()
	calls := 0
	upper := opening(func(items []SealedText) (opened []OpenedText, err error) {
		calls++
		for _, i := range items {
			opened = append(opened, OpenedText{Text: strings.ToUpper(i.Sealed)})
		}
		return opened, nil
	})
	got, err := openTexts(t.Context(), upper, uuid.New(), uuid.New(), []string{"", "a", "", "b"})
	require.NoError(t, err)
	require.Equal(t, []OpenedText{{}, {Text: "A"}, {}, {Text: "B"}}, got, "no text opens as an empty one")
	_, err = openTexts(t.Context(), upper, uuid.New(), uuid.New(), []string{"", ""})
	require.NoError(t, err)
	require.Equal(t, 1, calls, "one call for a page, none for no text")

	failed := errors.New("away")
	_, err = openTexts(t.Context(), opening(func([]SealedText) ([]OpenedText, error) { return nil, failed }), uuid.New(), uuid.New(), []string{"a"})
	require.ErrorIs(t, err, failed)
	_, err = openTexts(t.Context(), opening(func([]SealedText) ([]OpenedText, error) { return nil, nil }), uuid.New(), uuid.New(), []string{"a"})
	require.ErrorIs(t, err, errTexts)
}
