package natsapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/admitone/admitone/api"
	"github.com/admitone/admitone/client"
	"github.com/admitone/admitone/internal/natsapi"
	"github.com/admitone/admitone/internal/natstest"
	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) { natstest.VerifyTestMain(m) }

// serve has a copy answer by an HTTP handler, and gives the connection of one who asks,
// and what the copy logs.
func serve(t *testing.T, handler http.HandlerFunc) (*nats.Conn, *bytes.Buffer) {
	t.Helper()
	server, log := natstest.Server(t), &bytes.Buffer{}
	s, err := natsapi.Serve(natsapi.Config{
		Conn: natstest.Conn(t, server), Version: "1.0.0", Roles: []string{"api"}, Requests: handler,
		Health: func(context.Context) []api.Check { return nil }, Logger: slog.New(slog.NewJSONHandler(log, nil)),
	})
	require.NoError(t, err)
	t.Cleanup(func() { s.Close(30 * time.Second) })
	return natstest.Conn(t, server), log
}

func ask(t *testing.T, nc *nats.Conn, subject, target string) *nats.Msg {
	t.Helper()
	m := nats.NewMsg(subject)
	m.Header.Set(api.HeaderTarget, target)
	answer, err := nc.RequestMsgWithContext(natstest.Context(t), m)
	require.NoError(t, err)
	return answer
}

func requireProblem(t *testing.T, m *nats.Msg, status, code string) {
	t.Helper()
	require.Equal(t, status, m.Header.Get(api.HeaderStatus))
	require.Equal(t, "application/problem+json", m.Header.Get("Content-Type"))
	var p api.Problem
	require.NoError(t, json.Unmarshal(m.Data, &p), "%s", m.Data)
	require.Equal(t, code, p.Code)
}

// Whoever asks for more than fits into a message is told so, and asks no more.
func TestAnAnswerLargerThanAMessageIsRefused(t *testing.T) {
	t.Parallel()
	asked := 0
	nc, log := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked++
		w.Header().Set("ETag", `"1"`)
		_, _ = w.Write(bytes.Repeat([]byte("x"), 1<<20-8)) // too large with its headers
	})
	requireProblem(t, ask(t, nc, "query.conversation.messages", uuid.NewString()), "413", "answer_too_large")
	require.Contains(t, log.String(), "WARN")
	_, err := client.New(nc, "token").Messages(natstest.Context(t), uuid.New(), client.Page{})
	var p *client.Problem
	require.ErrorAs(t, err, &p)
	require.Equal(t, "answer_too_large", p.Code)
	require.Equal(t, 2, asked)
}

// However many wait for news, nobody waits behind them.
func TestQueriesThatFindNoRoomAreSentAway(t *testing.T) {
	t.Parallel()
	inside, leave := make(chan struct{}, natsapi.QueriesInFlight), make(chan struct{})
	nc, _ := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		inside <- struct{}{}
		<-leave
	})
	defer close(leave)
	for range natsapi.QueriesInFlight {
		m := nats.NewMsg("query.conversation.follow")
		m.Reply = nc.NewInbox()
		require.NoError(t, nc.PublishMsg(m))
	}
	for range natsapi.QueriesInFlight {
		select {
		case <-inside:
		case <-natstest.Context(t).Done():
			require.Fail(t, "not all are there")
		}
	}
	answer := ask(t, nc, "query.conversation.follow", uuid.NewString())
	requireProblem(t, answer, "503", "too_many_waiting")
	require.Equal(t, "1", answer.Header.Get("Retry-After"))
}

// A target is an id and nothing else, whatever uuid.Parse lets through.
func TestATargetIsNoPartOfAPath(t *testing.T) {
	t.Parallel()
	paths := make(chan string, 1)
	nc, _ := serve(t, func(_ http.ResponseWriter, r *http.Request) { paths <- r.RequestURI + " " + r.URL.Path })
	id := uuid.NewString()
	for target, want := range map[string]string{
		id: id, "": "-", "..": "-", id + "/x": "-",
		"x" + id + "%": id, "?" + id + "x": id, "#" + id + "/": id, "/" + id + "?": id, "{" + id + "}": id, "urn:uuid:" + id: id,
	} {
		require.Equal(t, "200", ask(t, nc, "query.conversation.get", target).Header.Get(api.HeaderStatus), target)
		path := "/v1/conversations/" + want
		require.Equal(t, path+" "+path, <-paths, target)
	}
}

// Whoever asks as soon as a copy serves is answered.
func TestServingIsKnownToTheBroker(t *testing.T) {
	t.Parallel()
	server := natstest.Server(t)
	here, there := natstest.Conn(t, server), natstest.Conn(t, server)
	for range 20 {
		s, err := natsapi.Serve(natsapi.Config{
			Conn: here, Version: "1.0.0", Roles: []string{"api"}, Requests: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}),
			Health: func(context.Context) []api.Check { return nil }, Logger: slog.New(slog.DiscardHandler),
		})
		require.NoError(t, err)
		ask(t, there, "query.conversation.get", uuid.NewString())
		s.Close(30 * time.Second)
	}
}

// A target that is no id is refused in the HTTP handler's turn, by the name it has here.
func TestATargetIsCalledByItsName(t *testing.T) {
	t.Parallel()
	status := make(chan int, 1)
	nc, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Request-Id", "r1")
		w.WriteHeader(<-status)
	})
	for target, detail := range map[string]string{
		"":     "the header Admitone-Target is missing: it must have the id, a UUID, of what this is about",
		"nope": "the header Admitone-Target must be a UUID, the id of what this is about",
	} {
		status <- 400
		answer := ask(t, nc, "query.conversation.get", target)
		requireProblem(t, answer, "400", "malformed")
		require.Contains(t, string(answer.Data), detail)
		require.Equal(t, "r1", answer.Header.Get("X-Request-Id"))
		status <- 401
		require.Equal(t, "401", ask(t, nc, "query.conversation.get", target).Header.Get(api.HeaderStatus))
	}
	status <- 400
	require.Empty(t, ask(t, nc, "query.conversation.get", uuid.NewString()).Data)
	status <- 400
	require.Empty(t, ask(t, nc, "cmd.ticket.list", "").Data, "it has no target")
}
