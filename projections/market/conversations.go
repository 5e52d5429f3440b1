package market

import (
	"fmt"
	"time"

	"github.com/admitone/admitone/domain/conversation"
	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/projections"
	"github.com/admitone/admitone/readstore"
	"github.com/google/uuid"
)

// conversationRow is what is kept of a conversation; none of its texts.
type conversationRow struct {
	status, account, topic, order, agent, reason string
	messages                                     int64
	openedAt, updatedAt                          time.Time
	// forAgent is when the oldest message was sent that only an agent can answer;
	// all that are in forBot are younger.
	forAgent time.Time
	forBot   unanswered
}

// Conversations is the projection of CONVERSATIONS that users, agents and admins
// look at: one conversation, an account's and all, newest first, those about an
// order, and by status the one that has waited longest first.
func Conversations() (*projections.Projection, error) {
	return projections.Define(projections.Definition[conversationRow]{
		Name:     "conversations",
		Revision: 1,
		Stream:   "CONVERSATIONS",
		Home:     conversationsHome(),
		Values:   conversationValues(conversationFields()),
		Scan:     scanConversation,
		Fold:     foldConversation,
		Indexes: []projections.Index[conversationRow]{
			conversationsByStatus(), conversationsByAccount(), conversationsByOrder(), conversationsAll(),
		},
	})
}

// conversationField is a column of the home table and of every list.
type conversationField struct {
	readstore.Column
	of func(conversationRow) any
}

// conversationFields are in the order that scanConversation reads.
func conversationFields() []conversationField {
	return []conversationField{
		{text("status"), func(r conversationRow) any { return r.status }},
		{text("account_id"), func(r conversationRow) any { return r.account }},
		{text("topic"), func(r conversationRow) any { return r.topic }},
		{text("order_id"), func(r conversationRow) any { return r.order }},
		{text("agent_id"), func(r conversationRow) any { return r.agent }},
		{text("reason"), func(r conversationRow) any { return r.reason }},
		{number("messages"), func(r conversationRow) any { return r.messages }},
		{moment("opened_at"), func(r conversationRow) any { return r.openedAt }},
		{moment("updated_at"), func(r conversationRow) any { return r.updatedAt }},
		{moment("waiting_since"), func(r conversationRow) any { return r.waitingSince() }},
	}
}

func conversationsHome() readstore.Table {
	t := readstore.Table{Name: "conversations", Partition: []readstore.Column{text("id")}, Values: []readstore.Column{number("version")}}
	for _, f := range conversationFields() {
		t.Values = append(t.Values, f.Column)
	}
	t.Values = append(t.Values, moment("for_agent"), readstore.Column{Name: "for_bot", Type: readstore.Bytes})
	return t
}

func conversationValues(fields []conversationField) func(conversationRow) readstore.Row {
	return func(r conversationRow) readstore.Row {
		row := make(readstore.Row, 0, len(fields)+2)
		for _, f := range fields {
			row = append(row, f.of(r))
		}
		return append(row, r.forAgent, []byte(r.forBot))
	}
}

func scanConversation(v readstore.Row) conversationRow {
	return conversationRow{
		status: v[0].(string), account: v[1].(string), topic: v[2].(string), order: v[3].(string), agent: v[4].(string),
		reason: v[5].(string), messages: v[6].(int64), openedAt: v[7].(time.Time), updatedAt: v[8].(time.Time),
		// v[9] follows from what comes now.
		forAgent: v[10].(time.Time), forBot: unanswered(v[11].([]byte)),
	}
}

func foldConversation(r *conversationRow, e eventstore.Event) error {
	at := timeOf(e)
	switch p := e.Payload.(type) {
	case conversation.Opened:
		*r = conversationRow{
			status: string(conversation.StatusOpen), account: p.AccountID.String(), topic: string(p.Topic), order: idOrNone(p.OrderID), openedAt: at,
		}
	case conversation.MessageSent:
		r.messages++
		r.sent(p, at)
	case conversation.HandedOver:
		r.status, r.reason = string(conversation.StatusWaiting), p.Reason
		r.leaveToAgent(p.InReplyTo)
	case conversation.Taken:
		r.status, r.agent = string(conversation.StatusTaken), p.AgentID.String()
		r.leaveToAgent(uuid.Nil)
	case conversation.Closed:
		r.status, r.reason = string(conversation.StatusClosed), p.Reason
		r.forAgent, r.forBot = time.Time{}, ""
	default:
		return fmt.Errorf("market: conversations does not know %s", e.Type)
	}
	r.updatedAt = at
	return nil
}

// sent notes who waits, or waits no more. The Bot answers in order: one message and
// those before it that it passed over. An agent answers all.
func (r *conversationRow) sent(m conversation.MessageSent, at time.Time) {
	switch m.Author {
	case conversation.AuthorUser:
		if r.status != string(conversation.StatusTaken) {
			r.forBot = r.forBot.and(m.MessageID, at)
		} else if r.forAgent.IsZero() {
			r.forAgent = at
		}
	case conversation.AuthorBot:
		r.forBot, _ = r.forBot.behind(m.InReplyTo)
	case conversation.AuthorAgent:
		r.forAgent, r.forBot = time.Time{}, ""
	}
}

// leaveToAgent leaves to an agent what has no answer, up to one message if one is
// named: a hand-over answers nothing, and what the Bot writes after it does not
// answer what was handed over.
func (r *conversationRow) leaveToAgent(upTo uuid.UUID) {
	var rest unanswered
	if upTo != uuid.Nil {
		var known bool
		if rest, known = r.forBot.behind(upTo); !known {
			return
		}
	}
	if r.forAgent.IsZero() {
		r.forAgent = r.forBot.since()
	}
	r.forBot = rest
}

// waitingSince is when the oldest message without an answer was sent; the zero
// time where there is none.
func (r *conversationRow) waitingSince() time.Time {
	if !r.forAgent.IsZero() {
		return r.forAgent
	}
	return r.forBot.since()
}

// idOrNone is empty for the zero UUID.
func idOrNone(id uuid.UUID) string {
	if id == uuid.Nil {
		return ""
	}
	return id.String()
}
