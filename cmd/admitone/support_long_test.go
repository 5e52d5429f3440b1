package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/admitone/admitone/domain"
	"github.com/admitone/admitone/domain/conversation"
	"github.com/admitone/admitone/eventstore/sealed"
	"github.com/admitone/admitone/internal/blackbox"
	"github.com/admitone/admitone/internal/cqltest"
	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
)

// longTalk is how many messages a very long conversation has.
const longTalk = 100_000

// TestProofLongConversation has one conversation of 100,000 messages be read from both
// ends, answered, taken over, and gone on with after a restart, as any other.
func TestProofLongConversation(t *testing.T) {
	proof(t)
	data, keyspace := dataDir(t), cqltest.Keyspace(t)
	args := []string{"--cql", cqltest.Hosts(t)[0], "--keyspace", keyspace, "--sync-interval", "2m"}
	server := program.Serve(t, data, append(args, "--roles", "api,projector,auditor")...)
	s := &shop{keys: data + "/keys", data: []string{data}, nats: server.NATS()}
	user, agent := s.person(t, "user"), s.person(t, "agent")
	began := time.Now()
	c := publishTalk(t, s.nats, user.account, longTalk) // the Bot would answer what is not answered yet
	t.Logf("published in %s", time.Since(began).Round(time.Millisecond))
	require.Zero(t, server.Stop(), server.Log())

	began = time.Now()
	server = program.Launch(t, data, args...)
	within(t, 3*time.Minute, "all is stored", func() bool { return len(stored(t, user, c)) == 1 })
	t.Logf("stored after %s", time.Since(began).Round(time.Millisecond))
	s.nats = server.NATS()
	within(t, 3*time.Minute, "the Bot has looked at all", func() bool { return s.atRest(t) })
	t.Logf("looked at by the Bot after %s", time.Since(began).Round(time.Millisecond))
	requirePages(t, user, c)
	requireBounded(t, keyspace)
	requireGoesOn(t, user, agent, &c)

	require.Zero(t, server.Stop(), server.Log())
	server = program.Serve(t, data, args...)
	c.Version = sends(t, agent, c, "I am back").Version
	require.Equal(t, "I am back", stored(t, user, c)[0].Text)
	requireSound(t, data)
	require.Zero(t, server.Stop(), server.Log())
}

// stored is the newest message, at the version of c or a later one; none where it is
// not stored yet.
func stored(t *testing.T, p person, c blackbox.Conversation) []blackbox.Message {
	a, err := p.Send(t.Context(), "GET", "/v1/conversations/"+c.ID+"/messages?order=desc&limit=1", "", "Consistency-Token", c.Token(), "Prefer", "wait=10")
	if err != nil || a.Status != 200 {
		return nil
	}
	page, _ := blackbox.PageOf[blackbox.Message](a)
	return page.Items
}

// requireGoesOn: the Bot replies, an agent takes it over and answers.
func requireGoesOn(t *testing.T, user, agent person, c *blackbox.Conversation) {
	t.Helper()
	began := time.Now()
	asked := sends(t, user, *c, "thank you")
	acknowledged := time.Since(began)
	asked.Version++
	replied := stored(t, user, asked)
	require.Len(t, replied, 1)
	require.Equal(t, "bot", replied[0].Author)
	stored := time.Since(began)
	began = time.Now()
	require.Equal(t, 200, agent.Do(t, "POST", "/v1/conversations/"+c.ID+"/take", "").Status)
	*c = sends(t, agent, *c, "let me see")
	require.Equal(t, asked.Version+2, c.Version)
	t.Logf("acknowledged in %s, the reply read in %s; taken and answered in %s", acknowledged, stored, time.Since(began))
}

func sends(t *testing.T, p person, c blackbox.Conversation, text string) blackbox.Conversation {
	t.Helper()
	began := time.Now()
	a := p.Do(t, "POST", "/v1/conversations/"+c.ID+"/messages", blackbox.Said(text))
	require.Equal(t, 201, a.Status, a)
	t.Logf("%q sent in %s", text, time.Since(began))
	return conversationOf(t, a)
}

// requirePages reads all, and tells how long pages take at each place, by turns.
func requirePages(t *testing.T, p person, c blackbox.Conversation) {
	t.Helper()
	path := "/v1/conversations/" + c.ID + "/messages?limit=100&order="
	cursors := map[string][]string{}
	for _, order := range []string{"asc", "desc"} {
		read, cursor := 0, ""
		for next := true; next; next = cursor != "" && (order == "asc" || read < longTalk/10) {
			cursors[order] = append(cursors[order], cursor)
			var items []blackbox.Message
			items, cursor = pageAt(t, p, path+order, cursor)
			for _, m := range items {
				read++
				want := read
				if order == "desc" {
					want = longTalk + 1 - read
				}
				require.EqualValues(t, want+1, m.Version)
				require.Equal(t, fmt.Sprint("message ", want), m.Text)
			}
		}
	}
	asc, n := cursors["asc"], len(cursors["desc"])
	require.Len(t, asc, longTalk/100)
	places := map[string][]string{
		"oldest": asc[:n], "middle": asc[(len(asc)-n)/2:][:n], "last": asc[len(asc)-n:], "newest": cursors["desc"],
	}
	took := map[string][]time.Duration{}
	for i := range n {
		for _, where := range slices.Sorted(maps.Keys(places)) {
			order := map[bool]string{true: "desc", false: "asc"}[where == "newest"]
			began := time.Now()
			pageAt(t, p, path+order, places[where][i])
			took[where] = append(took[where], time.Since(began))
		}
	}
	for where, all := range took {
		slices.Sort(all)
		t.Logf("%s pages: median %s, p99 %s", where, all[n/2], all[n*99/100])
	}
}

func pageAt(t *testing.T, p person, path, cursor string) (items []blackbox.Message, next string) {
	t.Helper()
	a := p.Do(t, "GET", path+"&cursor="+cursor, "")
	require.Equal(t, 200, a.Status, a)
	page, err := blackbox.PageOf[blackbox.Message](a)
	require.NoError(t, err)
	return page.Items, page.Next
}

// requireBounded: no partition of the conversation has more than a bucket's messages.
func requireBounded(t *testing.T, keyspace string) {
	t.Helper()
	db := cqltest.Session(t, cqltest.Hosts(t))
	defer db.Close()
	var name, table string
	for names := db.Query("SELECT table_name FROM system_schema.tables WHERE keyspace_name = ?", keyspace).Iter(); names.Scan(&name); {
		if strings.HasPrefix(name, "messages_by_conversation") || strings.Contains(name, "_messages_by_conversation") {
			table = name
		}
	}
	require.NotEmpty(t, table)
	rows, partitions, count := 0, 0, 0
	counts := db.Query("SELECT count(*) FROM " + keyspace + "." + table + " GROUP BY conversation_id, bucket").Iter()
	for counts.Scan(&count) {
		require.LessOrEqual(t, count, 1000)
		rows, partitions = rows+count, partitions+1
	}
	require.NoError(t, counts.Close())
	require.Equal(t, longTalk, rows)
	t.Logf("%d partitions", partitions)
}

// publishTalk puts a conversation of n messages, of its user and of the Bot by turns,
// straight into the stream of a server with one partition.
func publishTalk(t *testing.T, broker string, account uuid.UUID, n int) blackbox.Conversation {
	t.Helper()
	nc := blackbox.Connect(t, broker)
	js, err := jetstream.New(nc, jetstream.WithPublishAsyncMaxPending(4096))
	require.NoError(t, err)
	keys, err := sealed.Open(t.Context(), js, sealed.Config{})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() { _ = keys.Run(ctx) }() // else it asks for the key each time
	id := uuid.Must(uuid.NewV7())
	f := sealed.Field{Owner: account, Aggregate: id, Name: conversation.TextField}
	publishNext(t, js, id, 1, conversation.Opened{AccountID: account, Topic: conversation.TopicOther})
	var last uuid.UUID
	for i := 1; i <= n; i++ {
		text, err := keys.Seal(t.Context(), f, fmt.Sprint("message ", i))
		require.NoError(t, err)
		m := conversation.MessageSent{MessageID: uuid.New(), Author: conversation.AuthorUser, AuthorID: account, Text: domain.SealedText(text.Sealed)}
		if i%2 == 0 {
			m.Author, m.AuthorID, m.InReplyTo = conversation.AuthorBot, uuid.Nil, last
		}
		last = m.MessageID
		publishNext(t, js, id, i+1, m)
	}
	select {
	case <-js.PublishAsyncComplete():
	case <-time.After(3 * time.Minute):
		require.FailNow(t, "the conversation is not acknowledged")
	}
	return blackbox.Conversation{ID: id.String(), Version: uint64(n) + 1}
}

func publishNext(t *testing.T, js jetstream.JetStream, id uuid.UUID, version int, e conversation.Event) {
	t.Helper()
	m := nats.NewMsg("conversations.0." + id.String())
	for name, value := range blackbox.EventHeader(id.String(), e.EventType(), version) {
		m.Header.Set(name, value)
	}
	hash := sha256.Sum256([]byte(m.Header.Get("ce-id")))
	m.Header.Set("ce-source", "/conversations")
	m.Header.Set("ce-commandid", uuid.NewString())
	m.Header.Set("ce-commandhash", hex.EncodeToString(hash[:]))
	var err error
	m.Data, err = json.Marshal(e)
	require.NoError(t, err)
	_, err = js.PublishMsgAsync(m, jetstream.WithStallWait(time.Minute))
	require.NoError(t, err)
}
