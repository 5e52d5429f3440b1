package blackbox

import (
	"encoding/json"
	"fmt"
)

// Conversation is the resource as it stands in answers.
type Conversation struct {
	ID       string `json:"id"`
	Version  uint64 `json:"version"`
	Status   string `json:"status"`
	Account  string `json:"account_id"`
	Agent    string `json:"agent_id"`
	Reason   string `json:"reason"`
	Messages int    `json:"messages"`
	// Since is since when its oldest message without an answer waits; empty where
	// there is none.
	Since string `json:"waiting_since"`
}

// Conversation is the one that the answer holds.
func (a Answer) Conversation() (Conversation, error) {
	var c Conversation
	err := json.Unmarshal(a.Body, &c)
	return c, err
}

// Message is one of a conversation, as it stands in answers.
type Message struct {
	ID        string `json:"message_id"`
	Version   uint64 `json:"version"`
	Author    string `json:"author"`
	AuthorID  string `json:"author_id"`
	Text      string `json:"text"`
	Erased    bool   `json:"erased"`
	InReplyTo string `json:"in_reply_to"`
}

// Page is a page of a list.
type Page[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next_cursor"`
}

// PageOf is the page that the answer holds.
func PageOf[T any](a Answer) (Page[T], error) {
	var p Page[T]
	err := json.Unmarshal(a.Body, &p)
	return p, err
}

// Question is the body of a new conversation.
func Question(text string) string { return object("topic", "other", "text", text) }

// Said is the body of a new message.
func Said(text string) string { return object("text", text) }

// object is a JSON object of texts by their names.
func object(namesAndTexts ...string) string {
	o := map[string]string{}
	for i := 0; i < len(namesAndTexts); i += 2 {
		o[namesAndTexts[i]] = namesAndTexts[i+1]
	}
	b, _ := json.Marshal(o) // texts always have a form
	return string(b)
}

// Token has a query wait until rows are at the version of c.
func (c Conversation) Token() string { return fmt.Sprintf("conversations/%s@%d", c.ID, c.Version) }
