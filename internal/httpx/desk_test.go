package httpx_test

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"path/filepath"
	"testing"

	"github.com/admitone/admitone/commands"
	"github.com/admitone/admitone/commands/httpapi"
	"github.com/admitone/admitone/domain/conversation"
	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/eventstore/sealed"
	"github.com/admitone/admitone/eventstore/subscription"
	"github.com/admitone/admitone/internal/httpx"
	"github.com/admitone/admitone/internal/keys"
	"github.com/admitone/admitone/internal/natstest"
	"github.com/admitone/admitone/readapi"
	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
)

// desk is the endpoints that conversations are led and followed by, over a real stream
// with real keys; no read model is there.
type desk struct {
	*stack
	stream  *eventstore.Stream
	sealed  *sealed.Keys
	updates *readapi.ConversationUpdates
}

// setupDesk lets a test stand between the endpoints and the stream that is followed.
func setupDesk(t *testing.T, between ...func(readapi.ConversationLog) readapi.ConversationLog) *desk {
	t.Helper()
	s := &desk{stack: &stack{t: t, log: &syncBuffer{}}}
	var err error
	s.keys, err = keys.LoadOrCreate(filepath.Join(t.TempDir(), "keys"))
	require.NoError(t, err)
	nc := natstest.Conn(t, natstest.Server(t))
	js, err := jetstream.New(nc)
	require.NoError(t, err)
	s.sealed, err = sealed.Open(natstest.Context(t), js, sealed.Config{})
	require.NoError(t, err)
	s.stream = openStream(t, nc, "CONVERSATIONS", conversation.Events())
	handler := handlerOf(t, s.stream, httpapi.ConversationDecider(s.sealed))
	log := readapi.ConversationLog(&conversationLog{watch(t, s.stream), s.stream, handler})
	for _, b := range between {
		log = b(log)
	}
	s.updates, err = readapi.NewConversationUpdates(log, opener{s.sealed}, s.keys.Cursor())
	require.NoError(t, err)
	http, err := httpx.New(
		endpoints{ConversationCommands: httpapi.NewConversationCommands(handler, s.sealed), ConversationUpdates: s.updates},
		httpx.Config{Keys: s.keys, Metrics: prometheus.NewRegistry(), Logger: slog.New(slog.NewJSONHandler(s.log, nil)), Loopback: true},
	)
	require.NoError(t, err)
	server := httptest.NewServer(http)
	t.Cleanup(server.Close)
	s.url, s.client = server.URL, server.Client()
	return s
}

func watch(t *testing.T, stream *eventstore.Stream) *subscription.Watch {
	t.Helper()
	w := subscription.NewWatch(stream, discard)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
	})
	return w
}

// conversationLog is the stream as cmd hands it to those who follow.
type conversationLog struct {
	*subscription.Watch
	stream  *eventstore.Stream
	handler *commands.Handler[conversation.State, conversation.Command]
}

func (l *conversationLog) Current(ctx context.Context, id uuid.UUID) (uuid.UUID, uint64, error) {
	now, err := l.handler.Current(ctx, id)
	return now.State.AccountID, now.Version, err
}

func (l *conversationLog) Behind(ctx context.Context, id uuid.UUID, version, sequence uint64, limit int) (readapi.ConversationEvents, error) {
	history, err := l.stream.LoadSome(ctx, id, version, sequence, limit)
	found := readapi.ConversationEvents{Sequence: history.LastSequence}
	for _, e := range history.Events {
		found.Items = append(found.Items, readapi.ConversationEvent{
			Version: e.Version, Sequence: e.Sequence, At: e.Time, Event: e.Payload.(conversation.Event),
		})
	}
	return found, err
}

// open has a user ask for help, and is the path of his conversation.
func (s *desk) open(by account, text string, h ...string) string {
	s.t.Helper()
	return s.post(by, "/v1/conversations", body(s.t, "topic", "other", "text", text), h...).is(201, "").header.Get("Location")
}

func (s *desk) post(by account, path, body string, h ...string) reply {
	s.t.Helper()
	return s.do("POST", path, body, append(h, "Authorization", by.bearer)...)
}

func (s *desk) get(by account, path string, h ...string) reply {
	s.t.Helper()
	return s.do("GET", path, "", append(h, "Authorization", by.bearer)...)
}

// lastMessage is the newest message of a conversation.
func (s *desk) lastMessage(by account, path string) map[string]any {
	s.t.Helper()
	var last map[string]any
	for _, u := range s.get(by, path+"/updates").is(200, "").items() {
		if m, ok := u["message"].(map[string]any); ok {
			last = m
		}
	}
	require.NotNil(s.t, last)
	return last
}

func (r reply) items() (all []map[string]any) {
	r.t.Helper()
	for _, item := range r.field("items").([]any) {
		all = append(all, item.(map[string]any))
	}
	return all
}
