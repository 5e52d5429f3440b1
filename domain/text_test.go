package domain

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

type letter struct {
	Text Text `json:"text"`
}

func TestATextIsWrittenSealedOrNotAtAll(t *testing.T) {
	t.Parallel()
	for body, text := range map[string]Text{
		`{"text":{"sealed":"bm9uY2U"}}`: SealedText("bm9uY2U"),
		`{"text":null}`:                 {},
	} {
		got, err := json.Marshal(letter{Text: text})
		require.NoError(t, err)
		require.Equal(t, body, string(got))
		back := letter{Text: SealedText("of before")}
		require.NoError(t, json.Unmarshal(got, &back))
		require.Equal(t, text, back.Text)
	}
	for _, plain := range []string{"where is my order?", ""} {
		_, err := json.Marshal(letter{Text: PlainText(plain)})
		require.ErrorIs(t, err, ErrUnsealed)
	}
}

func TestOnlySealedTextsAreRead(t *testing.T) {
	t.Parallel()
	for _, body := range []string{`"where is my order?"`, `{}`, `{"sealed":""}`, `{"sealed":null}`, `{"sealed":7}`, `[]`, `7`, `true`} {
		require.ErrorIs(t, json.Unmarshal([]byte(`{"text":`+body+`}`), &letter{}), ErrNoSealedText, body)
	}
}

func TestATextHasOneForm(t *testing.T) {
	t.Parallel()
	content, ok := PlainText("hello").Plain()
	require.True(t, ok)
	require.Equal(t, "hello", content)
	content, ok = SealedText("bm9uY2U").Sealed()
	require.True(t, ok)
	require.Equal(t, "bm9uY2U", content)
	for _, text := range []Text{{}, SealedText(""), SealedText("bm9uY2U")} {
		content, ok = text.Plain()
		require.False(t, ok)
		require.Empty(t, content)
	}
	for _, text := range []Text{{}, SealedText(""), PlainText("bm9uY2U")} {
		content, ok = text.Sealed()
		require.False(t, ok)
		require.Empty(t, content)
	}
}

func TestATextPrintsWithoutItsContent(t *testing.T) {
	t.Parallel()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		require.NotContains(t, fmt.Sprintf(verb, letter{Text: PlainText("secret")}), "secret", verb)
		require.NotContains(t, fmt.Sprintf(verb, PlainText("secret")), "secret", verb)
		require.NotContains(t, fmt.Sprintf(verb, PlainText("secret")), "736563726574", verb)
	}
	require.Equal(t, "a plain text", PlainText("secret").String())
	require.Equal(t, "a sealed text", fmt.Sprint(SealedText("bm9uY2U")))
	require.Equal(t, "no text", fmt.Sprint(Text{}))
}
