package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWrap(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"": "", "abcd": "abcd", "abcde": "abcd|e", "abcdefghi": "abcd|efgh|i",
		"漢字漢": "漢字|漢", "a漢字": "a漢|字", "e\u0301e\u0301e\u0301e\u0301e": "e\u0301e\u0301e\u0301e\u0301|e",
		"😀😀😀": "😀😀|😀", "❤\ufe0f❤\ufe0f❤": "❤\ufe0f❤\ufe0f|❤", "\u1100\u1100\u1100": "\u1100\u1100|\u1100",
	} {
		require.Equal(t, want, strings.Join(wrap(text, 4), "|"), "%q", text)
	}
	require.Equal(t, []string{"漢", "字"}, wrap("漢字", 1), "what does not fit is shown all the same")
}
