package client_test

import (
	"context"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/admitone/admitone/api"
	"github.com/admitone/admitone/client"
	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/internal/natstest"
	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) { natstest.VerifyTestMain(m) }

// answer has a copy of the program answer on a connection of its own.
func answer(t *testing.T, server *eventstore.Server, handle func(m *nats.Msg) (status int, body string)) {
	t.Helper()
	nc := natstest.Conn(t, server)
	_, err := nc.Subscribe(api.CommandSubject+"ticket.withdraw", func(m *nats.Msg) {
		status, body := handle(m)
		if status == 0 {
			return
		}
		reply := nats.NewMsg(m.Reply)
		reply.Header.Set(api.HeaderStatus, strconv.Itoa(status))
		reply.Data = []byte(body)
		_ = nc.PublishMsg(reply)
	})
	require.NoError(t, err)
	require.NoError(t, nc.Flush())
}

func withdraw(ctx context.Context, nc *nats.Conn, body any) (map[string]string, error) {
	reply, err := client.Do[map[string]string](ctx, client.New(nc, "token"), "ticket.withdraw", uuid.New(), body)
	return reply.Resource, err
}

// The connection is lost while a command waits for its answer: it is sent again, as
// the same command.
func TestALostConnectionIsTriedAgain(t *testing.T) {
	t.Parallel()
	server := natstest.Server(t)
	nc := natstest.Conn(t, server)
	keys := make(chan string, 10)
	answer(t, server, func(m *nats.Msg) (int, string) {
		if keys <- m.Header.Get("Idempotency-Key"); len(keys) == 1 {
			_ = nc.ForceReconnect()
			return 0, ""
		}
		return http.StatusOK, `{"status":"withdrawn"}`
	})
	resource, err := withdraw(natstest.Context(t), nc, nil)
	require.NoError(t, err)
	require.Equal(t, map[string]string{"status": "withdrawn"}, resource)
	require.Len(t, keys, 2)
	first := <-keys
	require.Equal(t, first, <-keys)
}

func TestACopyThatIsBusyIsAskedAgain(t *testing.T) {
	t.Parallel()
	server := natstest.Server(t)
	statuses := []int{http.StatusServiceUnavailable, http.StatusTooManyRequests, http.StatusOK}
	answer(t, server, func(*nats.Msg) (int, string) {
		status := statuses[0]
		statuses = statuses[1:]
		return status, `{}`
	})
	_, err := withdraw(natstest.Context(t), natstest.Conn(t, server), nil)
	require.NoError(t, err)
	require.Empty(t, statuses)
}

// What passes by itself is tried until the context ends.
func TestNobodyAnswers(t *testing.T) {
	t.Parallel()
	soon := func() context.Context {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		t.Cleanup(cancel)
		return ctx
	}
	server := natstest.Server(t)
	nc := natstest.Conn(t, server, nats.ReconnectBufSize(-1), nats.MaxReconnects(-1))
	_, err := withdraw(soon(), nc, nil)
	require.ErrorIs(t, err, client.ErrUnavailable)

	// What would wait for the connection to come back is refused: there is no buffer.
	lost := nc.StatusChanged(nats.RECONNECTING)
	server.Close()
	<-lost
	_, err = withdraw(soon(), nc, nil)
	require.ErrorIs(t, err, client.ErrUnavailable)
}

// What does not pass is told at once: the context has no end.
func TestWhatDoesNotPassIsNotTriedAgain(t *testing.T) {
	t.Parallel()
	server := natstest.Server(t)
	nc := natstest.Conn(t, server)
	_, err := withdraw(context.Background(), nc, make([]byte, nc.MaxPayload()))
	require.ErrorIs(t, err, nats.ErrMaxPayload)
	answer(t, server, func(*nats.Msg) (int, string) {
		return http.StatusConflict, `{"status":409,"code":"ticket_reserved","detail":"it is reserved"}`
	})
	_, err = withdraw(context.Background(), nc, nil)
	var problem *client.Problem
	require.ErrorAs(t, err, &problem)
	require.Equal(t, "ticket_reserved", problem.Code)
	nc.Close()
	_, err = withdraw(context.Background(), nc, nil)
	require.ErrorIs(t, err, nats.ErrConnectionClosed)
	require.NotErrorIs(t, err, client.ErrUnavailable)
}
