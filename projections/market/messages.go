package market

import (
	"fmt"

	"github.com/admitone/admitone/domain/conversation"
	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/projections"
	"github.com/admitone/admitone/readstore"
)

// bucketVersions is how many versions of a conversation share a partition: of the
// longest messages, sealed, 22 MB. readapi counts on it too.
const bucketVersions = 1000

// messagesRow is what is kept of a conversation beside its messages.
type messagesRow struct {
	account  string
	messages int64
}

// Messages is the projection of CONVERSATIONS that keeps every message of both
// sides, in order, its text as the log holds it: sealed.
func Messages() (*projections.Projection, error) {
	return projections.Define(projections.Definition[messagesRow]{
		Name:     "messages",
		Revision: 1,
		Stream:   "CONVERSATIONS",
		Home: readstore.Table{
			Name:      "messages",
			Partition: []readstore.Column{text("id")},
			Values:    []readstore.Column{number("version"), text("account_id"), number("messages")},
		},
		Values: func(r messagesRow) readstore.Row { return readstore.Row{r.account, r.messages} },
		Scan: func(v readstore.Row) messagesRow {
			return messagesRow{account: v[0].(string), messages: v[1].(int64)}
		},
		Fold: foldMessages,
		Appended: []projections.Appended{
			{Table: messagesByConversation(), IDColumn: "conversation_id", Row: messageOf},
			{Table: messageBuckets(), IDColumn: "conversation_id", Row: bucketOf},
		},
	})
}

func messagesByConversation() readstore.Table {
	return readstore.Table{
		Name:       "messages_by_conversation",
		Partition:  []readstore.Column{text("conversation_id"), number("bucket")},
		Clustering: []readstore.Column{number("version")},
		Values: []readstore.Column{text("message_id"), text("author"), text("author_id"), text("text"), text("in_reply_to"),
			moment("sent_at")},
	}
}

// messageBuckets tells in which bucket of a conversation a time lies.
func messageBuckets() readstore.Table {
	return readstore.Table{
		Name:       "message_buckets",
		Partition:  []readstore.Column{text("conversation_id")},
		Clustering: []readstore.Column{number("bucket")},
		Values:     []readstore.Column{number("version"), moment("begins_at")},
	}
}

func messageOf(e eventstore.Event) (readstore.Row, bool) {
	m, is := e.Payload.(conversation.MessageSent)
	if !is {
		return nil, false
	}
	sealed, _ := m.Text.Sealed() // a log holds no other
	return readstore.Row{e.Aggregate.String(), bucketAt(e.Version), int64(e.Version), m.MessageID.String(), string(m.Author),
		m.AuthorID.String(), sealed, idOrNone(m.InReplyTo), timeOf(e)}, true
}

// bucketOf is the row of the bucket that an event is the first of.
func bucketOf(e eventstore.Event) (readstore.Row, bool) {
	first := (e.Version-1)%bucketVersions == 0
	return readstore.Row{e.Aggregate.String(), bucketAt(e.Version), int64(e.Version), timeOf(e)}, first
}

func bucketAt(version uint64) int64 { return int64((version - 1) / bucketVersions) }

func foldMessages(r *messagesRow, e eventstore.Event) error {
	switch p := e.Payload.(type) {
	case conversation.Opened:
		r.account = p.AccountID.String()
	case conversation.MessageSent:
		r.messages++
	case conversation.HandedOver, conversation.Taken, conversation.Closed:
	default:
		return fmt.Errorf("market: messages does not know %s", e.Type)
	}
	return nil
}
