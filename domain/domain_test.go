package domain

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestARefusalMatchesItsRule(t *testing.T) {
	t.Parallel()
	full := &Refusal{Kind: Conflict, Code: "hall_full", Detail: "the hall is full"}
	dark := &Refusal{Kind: Conflict, Code: "hall_dark", Detail: "the hall is dark"}
	told := fmt.Errorf("seat 7: %w", full.Because("row 3 is full").At("/row"))
	require.ErrorIs(t, told, full)
	require.NotErrorIs(t, told, dark)
	require.NotErrorIs(t, full, errors.New("the hall is full"))
	require.EqualError(t, told, "seat 7: /row: row 3 is full")
	require.EqualError(t, full, "the hall is full", "the sentinel stays as it is")
}

func TestCurrencies(t *testing.T) {
	t.Parallel()
	codes := strings.Fields(currencies)
	require.True(t, slices.IsSorted(codes))
	require.Len(t, slices.Compact(slices.Clone(codes)), len(codes))
	for _, code := range codes {
		require.Len(t, code, 3)
		require.NoError(t, Money{Amount: 1, Currency: code}.Validate(""))
	}
	// Withdrawn, never a currency in use, or a part of two neighbours.
	for _, code := range []string{"DEM", "BGN", "XXX", "XTS", "XAU", "DAF", "N A", "", "E", "EUR USD"} {
		require.ErrorIs(t, Money{Amount: 1, Currency: code}.Validate(""), ErrCurrency, code)
	}
}
