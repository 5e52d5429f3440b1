package readapi

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
)

// SealedText is the text of a message as events and rows hold it.
type SealedText struct {
	Owner        uuid.UUID // whose conversation it is
	Conversation uuid.UUID
	Sealed       string // base64url of nonce and ciphertext
}

// OpenedText is a text as its author wrote it, or that nobody can read it any more.
type OpenedText struct {
	Text   string
	Erased bool // then Text is empty
}

// Texts opens what is sealed. Safe for concurrent use.
type Texts interface {
	// OpenTexts opens texts in the order of items; one that is erased is no error.
	OpenTexts(ctx context.Context, items []SealedText) ([]OpenedText, error)
}

// errTexts: Texts gave back another number of texts than it was given.
var errTexts = errors.New("readapi: not every text was opened")

// openTexts opens a page of texts in one call, in their order. An empty item is no
// text, and opens as an empty one.
func openTexts(ctx context.Context, texts Texts, owner, conversation uuid.UUID, sealed []string) ([]OpenedText, error) {
	items, at := []SealedText{}, []int{}
	for i, s := range sealed {
		if s != "" {
			items, at = append(items, SealedText{Owner: owner, Conversation: conversation, Sealed: s}), append(at, i)
		}
	}
	all := make([]OpenedText, len(sealed))
	if len(items) == 0 {
		return all, nil
	}
	opened, err := texts.OpenTexts(ctx, items)
	if err == nil && len(opened) != len(items) {
		err = errTexts
	}
	if err != nil {
		return nil, fmt.Errorf("readapi: open the texts of conversation %s: %w", conversation, err)
	}
	for i, o := range opened {
		all[at[i]] = o
	}
	return all, nil
}
