package httpx_test

import (
	"context"
	"fmt"
	"math"
	"net/url"
	"sync/atomic"
	"testing"

	"github.com/admitone/admitone/api"
	"github.com/admitone/admitone/internal/natstest"
	"github.com/admitone/admitone/readapi"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// told is what a page of updates says, each with its version.
func told(r reply) (all []string) {
	r.t.Helper()
	for _, u := range r.is(200, "").items() {
		text := fmt.Sprint(u["version"], " ", u["type"])
		for _, field := range []string{"reason", "agent_id"} {
			if v, ok := u[field]; ok {
				text += fmt.Sprint(" ", v)
			}
		}
		if m, ok := u["message"].(map[string]any); ok {
			text += fmt.Sprint(" ", m["author"], ": ", m["text"])
		}
		all = append(all, text)
	}
	return all
}

func behind(r reply) string {
	r.t.Helper()
	cursor := r.field("next_cursor").(string)
	require.NotEmpty(r.t, cursor)
	return "/updates?cursor=" + url.QueryEscape(cursor)
}

func TestFollowTellsWhatHappened(t *testing.T) {
	s := setupDesk(t)
	user, agent := s.account(api.RoleUser), s.account(api.RoleAgent)
	path := s.open(user, "Hello?")
	bot := s.account(api.RoleBot)
	s.post(bot, path+"/handover", body(t, "reason", "Asked for a person")).is(200, "")
	s.post(agent, path+"/take", "").is(200, "")
	s.post(agent, path+"/messages", body(t, "text", "Yes?")).is(201, "")
	first := s.get(user, path+"/updates")
	want := []string{"1 opened", "2 message_sent user: Hello?", "3 handed_over Asked for a person", "4 taken " + agent.id.String(), "5 message_sent agent: Yes?"}
	require.Equal(t, want, told(first))
	require.Equal(t, "no-store", first.header.Get("Cache-Control"))
	require.Equal(t, want[3:], told(s.get(user, path+"/updates?after=3")))

	none := s.get(user, path+behind(first))
	require.Empty(t, told(none))
	require.Empty(t, told(s.get(user, path+"/updates?after=99")))
	s.post(user, path+"/close", body(t, "reason", "Solved")).is(200, "")
	for _, page := range []reply{first, none} {
		require.Equal(t, []string{"6 closed Solved"}, told(s.get(user, path+behind(page))))
		require.Equal(t, []string{"6 closed Solved"}, told(s.get(user, path+behind(page)+"&after=1")), "the cursor counts")
	}
}

func TestFollowGoesOnByPages(t *testing.T) {
	s := setupDesk(t)
	user := s.account(api.RoleUser)
	path := s.open(user, "0")
	want := []string{"1 opened", "2 message_sent user: 0"}
	for i := range 248 {
		s.post(user, path+"/messages", body(t, "text", fmt.Sprint(i))).is(201, "")
		want = append(want, fmt.Sprintf("%d message_sent user: %d", i+3, i))
	}
	var all []string
	at := "/updates"
	for _, n := range []int{100, 100, 50, 0} {
		page := s.get(user, path+at)
		require.Len(t, told(page), n)
		all, at = append(all, told(page)...), behind(page)
	}
	require.Equal(t, want, all)
	require.Equal(t, want[120:220], told(s.get(user, path+"/updates?after=120")))
	page := s.get(user, path+"/updates?after=120&limit=7")
	require.Equal(t, want[120:127], told(page))
	require.Equal(t, want[127:128], told(s.get(user, path+behind(page)+"&limit=1")))
	for _, limit := range []string{"0", "-1", "101"} {
		s.get(user, path+"/updates?limit="+limit).is(422, "invalid")
	}
}

func TestFollowIsForThoseWhoMayRead(t *testing.T) {
	s := setupDesk(t)
	user := s.account(api.RoleUser)
	path, nowhere := s.open(user, "Hello?")+"/updates", "/v1/conversations/"+uuid.NewString()+"/updates"
	for _, role := range []string{api.RoleBot, api.RoleAgent, api.RoleAdmin} {
		require.Len(t, told(s.get(s.account(role), path)), 2)
		s.get(s.account(role), nowhere).is(404, "conversation_not_found")
	}
	s.do("GET", path, "").is(401, "token_required")
	stranger := s.account(api.RoleUser)
	require.Equal(t, string(s.get(stranger, nowhere).is(404, "").body), string(s.get(stranger, path, "Prefer", "wait=10").is(404, "").body))
	cursor := behind(s.get(user, path))
	s.get(stranger, "/v1/conversations/"+path[len("/v1/conversations/"):][:36]+cursor).is(404, "conversation_not_found")
}

func TestFollowRefusesWhatItDidNotGive(t *testing.T) {
	s := setupDesk(t)
	user := s.account(api.RoleUser)
	path, other := s.open(user, "Hello?"), s.open(user, "Hello!")
	cursor := behind(s.get(user, path+"/updates"))
	s.get(user, other+cursor).is(400, "invalid_cursor")
	s.get(user, path+cursor+"AA").is(400, "invalid_cursor")
	s.get(user, path+"/updates?cursor=12").is(400, "invalid_cursor")
	s.get(user, path+"/updates?after=-1").is(422, "invalid")
	s.get(user, path+"/updates?after=one").is(400, "malformed")
	s.get(user, path+"/updates", "Prefer", "wait=11").is(422, "invalid")
	s.get(user, path+"/updates?cursor=").is(200, "")
}

// between stands between a follower and the stream.
type between struct {
	readapi.ConversationLog
	looked  chan struct{} // gets one for each look at a version 2
	lagging atomic.Int64  // how often what is new is kept back
	reads   atomic.Int64
}

func newBetween() *between { return &between{looked: make(chan struct{}, 100)} }

func (b *between) put(log readapi.ConversationLog) readapi.ConversationLog {
	b.ConversationLog = log
	return b
}

func (b *between) Current(ctx context.Context, id uuid.UUID) (uuid.UUID, uint64, error) {
	owner, version, err := b.ConversationLog.Current(ctx, id)
	if version == 2 {
		b.looked <- struct{}{}
	}
	return owner, version, err
}

func (b *between) Behind(ctx context.Context, id uuid.UUID, version, sequence uint64, limit int) (readapi.ConversationEvents, error) {
	b.reads.Add(1)
	if b.lagging.Add(-1) >= 0 {
		return readapi.ConversationEvents{}, nil
	}
	return b.ConversationLog.Behind(ctx, id, version, sequence, limit)
}

// Whoever waits has the news as they come.
func TestFollowWaits(t *testing.T) {
	log := newBetween()
	s := setupDesk(t, log.put)
	user := s.account(api.RoleUser)
	path := s.open(user, "Hello?")
	answers := make(chan reply, 1)
	go func() { answers <- s.get(user, path+"/updates?after=2", "Prefer", "wait=10") }()
	select {
	case <-log.looked:
	case <-natstest.Context(t).Done():
		require.Fail(t, "nobody looked")
	}
	s.post(user, path+"/messages", body(t, "text", "Anybody?")).is(201, "")
	require.Equal(t, []string{"3 message_sent user: Anybody?"}, told(<-answers))
}

// A replica that lags behind the leader is asked again by those who wait.
func TestFollowWaitsForAReplica(t *testing.T) {
	log := newBetween()
	s := setupDesk(t, log.put)
	user := s.account(api.RoleUser)
	path := s.open(user, "Hello?")
	log.lagging.Store(3)
	page := s.get(user, path+"/updates")
	require.Empty(t, told(page))
	require.Equal(t, []string{"1 opened", "2 message_sent user: Hello?"}, told(s.get(user, path+behind(page), "Prefer", "wait=10")))
	require.Negative(t, log.lagging.Load())
}

// What never comes, because the log has a hole, is not asked for all the time.
func TestFollowDoesNotPollAHole(t *testing.T) {
	log := newBetween()
	s := setupDesk(t, log.put)
	user := s.account(api.RoleUser)
	path := s.open(user, "Hello?")
	log.lagging.Store(math.MaxInt64)
	require.Empty(t, told(s.get(user, path+"/updates", "Prefer", "wait=5")))
	require.LessOrEqual(t, log.reads.Load(), int64(10)) // after 0, 50, 150, 350, 750, 1550, 2550, 3550, 4550 ms
}
