package domain

import (
	"encoding/json"
	"errors"
	"fmt"
)

// Errors of a Text in JSON.
var (
	// ErrUnsealed: a text that is still plain was about to be written down. Whoever
	// appends events seals first.
	ErrUnsealed = errors.New("domain: a personal text must be sealed before it is written")
	// ErrNoSealedText: what stands where a sealed text belongs is none.
	ErrNoSealedText = errors.New(`domain: a personal text must be {"sealed": "…"} or null`)
)

// Text is a personal text in an event: plain as a decider gives it, or sealed as a
// log holds it. The zero value is no text. It is immutable.
//
// Deciders are pure and keep no keys, so they put plain texts into events and never
// look into those that they are folded from: Evolve finds sealed ones in a log, and
// may find plain ones that were decided a moment ago. Between deciding and
// appending, the edge of the event store seals; whoever shows a text opens it.
//
// Its JSON is {"sealed": "…"}, or null for no text. A plain one has none: to
// write it is ErrUnsealed, so that what forgets to seal fails and leaks nothing.
// For the same reason it prints without its content.
type Text struct {
	content string
	form    form
}

type form uint8

const (
	none form = iota
	plain
	sealed
)

// PlainText is a text as its author wrote it; may be empty.
func PlainText(content string) Text { return Text{content: content, form: plain} }

// SealedText is a text as the log holds it: base64url of nonce and ciphertext,
// which is not looked into here. An empty one is no text.
func SealedText(content string) Text {
	if content == "" {
		return Text{}
	}
	return Text{content: content, form: sealed}
}

// Plain is what the author wrote, where it is not sealed.
func (t Text) Plain() (content string, ok bool) { return t.as(plain) }

// Sealed is base64url of nonce and ciphertext, where it is sealed.
func (t Text) Sealed() (content string, ok bool) { return t.as(sealed) }

func (t Text) as(f form) (string, bool) {
	if t.form != f {
		return "", false
	}
	return t.content, true
}

// String is the form of the text, never its content.
func (t Text) String() string { return [...]string{"no text", "a plain text", "a sealed text"}[t.form] }

// Format prints String for every verb, so that no log holds a text by mistake.
func (t Text) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, t.String()) }

type sealedJSON struct {
	Sealed string `json:"sealed"`
}

// MarshalJSON gives the sealed object or null; ErrUnsealed for a plain text.
func (t Text) MarshalJSON() ([]byte, error) {
	switch t.form {
	case plain:
		return nil, ErrUnsealed
	case sealed:
		return json.Marshal(sealedJSON{Sealed: t.content})
	}
	return []byte("null"), nil
}

// UnmarshalJSON reads the sealed object or null; anything else, a bare string too,
// is ErrNoSealedText.
func (t *Text) UnmarshalJSON(body []byte) error {
	var read *sealedJSON
	if err := json.Unmarshal(body, &read); err != nil || read != nil && read.Sealed == "" {
		return ErrNoSealedText
	}
	*t = Text{}
	if read != nil {
		*t = SealedText(read.Sealed)
	}
	return nil
}
