package blackbox

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// Desk is the log of conversations, by id.
type Desk map[string][]Logged

// Sent is a message that somebody was told is sent, at a version.
type Sent struct {
	Conversation, Author string
	Version              uint64
}

// Lacks says which of them are not in the log, by their authors and at their versions.
func (d Desk) Lacks(sent []Sent) (lost []string) {
	for _, s := range sent {
		if !slices.ContainsFunc(d.Messages(s.Conversation), func(m Message) bool { return m.Version == s.Version && m.Author == s.Author }) {
			lost = append(lost, fmt.Sprintf("conversation %s: message %d of the %s was acknowledged, and is not in the log", s.Conversation, s.Version, s.Author))
		}
	}
	return lost
}

// Check says what is wrong where nothing is under way: a message that is there twice,
// one of a user without exactly one reply or hand-over by the Bot, or with one that is
// out of turn. What an agent took over or what was closed gets none from then on.
func (d Desk) Check() []string {
	var wrong []string
	seen := map[string]bool{}
	for id := range d {
		f := d.fold(id)
		wrong = append(wrong, f.wrong...)
		for _, p := range f.pending {
			if !p.left {
				wrong = append(wrong, fmt.Sprintf("conversation %s: message %s has no answer", id, p.id))
			}
		}
		for _, m := range f.messages {
			if seen[m.ID] {
				wrong = append(wrong, fmt.Sprintf("conversation %s: message %s is in the log twice", id, m.ID))
			}
			seen[m.ID] = true
		}
	}
	return wrong
}

// Conversation is what its events amount to, as a query shows it.
func (d Desk) Conversation(id string) Conversation { return d.fold(id).shown }

// Messages are those of a conversation, without their texts.
func (d Desk) Messages(id string) []Message { return d.fold(id).messages }

// talk is a conversation as far as it was read.
type talk struct {
	shown    Conversation
	messages []Message
	pending  []pending
	wrong    []string
}

// pending is a user's message without an answer; left: to an agent.
type pending struct {
	id   string
	sent time.Time
	left bool
}

func (d Desk) fold(id string) *talk {
	t := &talk{shown: Conversation{ID: id}}
	for _, e := range d[id] {
		if t.shown.Version++; e.Version != t.shown.Version {
			t.wrong = append(t.wrong, fmt.Sprintf("conversation %s: event %d of the log has version %d", id, t.shown.Version, e.Version))
		}
		t.add(e)
	}
	t.shown.Messages = len(t.messages)
	if len(t.pending) > 0 {
		t.shown.Since = t.pending[0].sent.UTC().Truncate(time.Millisecond).Format(time.RFC3339Nano)
	}
	return t
}

func (t *talk) add(e Logged) {
	var of struct {
		Account string `json:"account_id"`
		Agent   string `json:"agent_id"`
		Reason  string `json:"reason"`
		Message
		Text any `json:"text"` // sealed
	}
	if err := json.Unmarshal(e.Data, &of); err != nil {
		t.wrong = append(t.wrong, fmt.Sprintf("conversation %s@%d: %v", t.shown.ID, e.Version, err))
	}
	of.Version = e.Version
	switch e.Type {
	case "conversation.opened.v1":
		t.shown.Status, t.shown.Account = "open", of.Account
	case "conversation.message_sent.v1":
		t.messages = append(t.messages, of.Message)
		t.said(of.Message, e.Time)
	case "conversation.handed_over.v1":
		t.shown.Status, t.shown.Reason = "waiting", of.Reason
		t.answered(of.InReplyTo, e.Version)
	case "conversation.taken.v1":
		t.shown.Status, t.shown.Agent = "taken", of.Agent
		t.leave()
	case "conversation.closed.v1":
		t.shown.Status, t.shown.Reason, t.pending = "closed", of.Reason, nil
	}
}

func (t *talk) said(m Message, at time.Time) {
	switch m.Author {
	case "user":
		t.pending = append(t.pending, pending{m.ID, at, t.shown.Status == "taken"})
	case "bot":
		i := t.answered(m.InReplyTo, m.Version)
		t.pending = slices.Delete(t.pending, i, min(i+1, len(t.pending)))
	case "agent":
		t.pending = nil
	}
}

// answered notes the Bot's one answer to a message, and where it was pending. It must
// be the oldest that the Bot has not answered.
func (t *talk) answered(message string, version uint64) int {
	i := slices.IndexFunc(t.pending, func(p pending) bool { return !p.left })
	if i < 0 || t.pending[i].id != message {
		t.wrong = append(t.wrong, fmt.Sprintf("conversation %s@%d: the answer to %s is out of turn", t.shown.ID, version, message))
		return len(t.pending)
	}
	t.pending[i].left = true
	return i
}

// leave leaves all to an agent.
func (t *talk) leave() {
	for i := range t.pending {
		t.pending[i].left = true
	}
}
