package main

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/internal/blackbox"
	"github.com/admitone/admitone/internal/cqltest"
	"github.com/admitone/admitone/internal/natstest"
	"github.com/stretchr/testify/require"
)

// TestProofSupportFaults takes away, while users write and an agent answers, the
// Auditors, one Bot after the other, the CQL server and the broker.
func TestProofSupportFaults(t *testing.T) {
	proof(t)
	f := startDesk(t, 20, 40)
	f.withoutAuditors(t, time.Minute)
	f.withoutRows(t, 30*time.Second)
	f.restartBroker(t)
	before := f.talk.Commands()
	eventually(t, "users go on", func() bool { return f.talk.Commands() > before+200 })
	f.stop()
	t.Logf("the agent took %d conversations", f.taken.Load())
	require.NotZero(t, f.taken.Load())
	requireDesk(t, f.shop, f.talk, f.sent...)
	for _, c := range f.fleet.Copies {
		require.Zero(t, c.Stop(), c.Log())
		require.NotContains(t, c.Log(), "goroutine ", "it panicked")
	}
}

// faultyDesk is a fleet whose parts can be taken away, and who uses it.
type faultyDesk struct {
	*shop
	fleet  *blackbox.Fleet
	broker *restarted
	rows   *cqltest.Server
	user   person
	agent  person
	talk   *blackbox.Inquiries
	taken  atomic.Int64 // conversations that the agent took and answered
	stop   func()

	mu   sync.Mutex
	sent []blackbox.Sent // to the agent and to user
}

// note keeps a message of author's, which is the newest of a conversation.
func (f *faultyDesk) note(c blackbox.Conversation, author string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sent = append(f.sent, blackbox.Sent{Conversation: c.ID, Author: author, Version: c.Version})
}

func startDesk(t *testing.T, users int, perSecond float64) *faultyDesk {
	f := &faultyDesk{broker: startRestarted(t), rows: cqltest.StartServer(t)}
	f.fleet = program.Fleet(t, blackbox.FleetConfig{
		Roles: []string{roleAPI, roleAPI, roleProjector, roleBot, roleBot, roleBot, roleAuditor, roleAuditor},
		Args:  []string{"--nats", f.broker.URL(), "--cql", f.rows.Hosts[0], "--keyspace", "support"},
	})
	f.shop = fleetShop(f.fleet)
	f.user, f.agent = f.person(t, "user"), f.person(t, "agent")
	f.talk = blackbox.NewInquiries(blackbox.InquiriesConfig{Speakers: f.speakers(t, users), Rate: perSecond})
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { f.talk.Run(ctx, t.Context()) })
	wg.Go(func() { f.answer(ctx) })
	f.stop = func() {
		cancel()
		wg.Wait()
	}
	t.Cleanup(f.stop)
	eventually(t, "users write, and the agent answers", func() bool { return f.talk.Commands() > 50 && f.taken.Load() > 0 })
	return f
}

// answer takes and answers those who wait, the longest first, as far as it can.
func (f *faultyDesk) answer(ctx context.Context) {
	answered := map[string]bool{} // rows may lag
	for ctx.Err() == nil {
		a, err := f.agent.Send(ctx, "GET", "/v1/conversations?status=waiting&limit=5", "")
		if err == nil && a.Status == 200 {
			page, _ := blackbox.PageOf[blackbox.Conversation](a)
			for _, c := range page.Items {
				if !answered[c.ID] {
					answered[c.ID] = f.take(ctx, "/v1/conversations/"+c.ID)
				}
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(200 * time.Millisecond): // the agent's pace
		}
	}
}

func (f *faultyDesk) take(ctx context.Context, path string) bool {
	if a, err := f.agent.Send(ctx, "POST", path+"/take", ""); err != nil || a.Status != 200 {
		return false
	}
	a, err := f.agent.Send(ctx, "POST", path+"/messages", blackbox.Said("I am here"), "Idempotency-Key", path)
	if err != nil || a.Status != 201 {
		return false
	}
	c, err := a.Conversation()
	if err != nil {
		return false
	}
	f.note(c, "agent")
	f.taken.Add(1)
	return true
}

// withoutAuditors stops all of them for a time, and kills a Bot every two seconds.
func (f *faultyDesk) withoutAuditors(t *testing.T, d time.Duration) {
	for _, c := range f.fleet.Of(roleAuditor) {
		require.Zero(t, c.Stop(), c.Log())
	}
	bots := f.fleet.Of(roleBot)
	const every = 2 * time.Second
	before := f.talk.Commands()
	var unread blackbox.Conversation
	for n := range int(d / every) {
		began := time.Now()
		if n == 1 {
			unread = f.user.opens(t, "hello")
			f.note(unread, "user")
			a := f.user.Do(t, "GET", "/v1/conversations/"+unread.ID, "", "Consistency-Token", unread.Token())
			require.Equal(t, 503, a.Status, "it is not written, and says so: %s", a)
		}
		bots[n%len(bots)].Kill()
		bots[n%len(bots)].Again()
		time.Sleep(time.Until(began.Add(every))) // the time between two kills
	}
	for _, c := range f.fleet.Of(roleAuditor) {
		c.Again()
	}
	for _, c := range f.fleet.Copies {
		c.AwaitReady()
	}
	require.Greater(t, f.talk.Commands(), before+100, "users go on")
	unread.Version++
	require.Len(t, f.user.messages(t, unread), 2, "it was answered, and is stored now")
}

// withoutRows takes the CQL server away: users write, the Bot and agents answer, and
// who reads is told what is wrong.
func (f *faultyDesk) withoutRows(t *testing.T, d time.Duration) {
	f.rows.Stop()
	gone := time.Now()
	for n := 0; n < 3 || time.Since(gone) < d; n++ {
		c := f.user.opens(t, "thank you")
		f.note(c, "user")
		path := "/v1/conversations/" + c.ID
		eventually(t, "the Bot answers without rows", func() bool { return len(followed(t, f.user, path+"/updates")) == 2 })
		require.Equal(t, 200, f.agent.Do(t, "POST", path+"/take", "").Status)
		answer := f.agent.Do(t, "POST", path+"/messages", blackbox.Said("so do agents"))
		require.Equal(t, 201, answer.Status, answer)
		f.note(conversationOf(t, answer), "agent")
		for _, reads := range []string{path, path + "/messages", "/v1/conversations"} {
			a := f.user.Do(t, "GET", reads, "")
			require.Equal(t, 503, a.Status, a)
			require.Equal(t, "read_store_unavailable", a.Code(), a)
			require.NotEmpty(t, a.Header.Get("Retry-After"))
		}
		time.Sleep(time.Second) // the pace of the looks at an outage
	}
	f.rows.Start()
	eventually(t, "queries are answered again", func() bool {
		return f.user.Do(t, "GET", "/v1/conversations", "").Status == 200
	})
}

// restartBroker ends it and starts it again on its files.
func (f *faultyDesk) restartBroker(t *testing.T) {
	f.broker.Close()
	a := f.user.Do(t, "POST", "/v1/conversations", blackbox.Question("anybody?"))
	require.Equal(t, 503, a.Status, a)
	require.Equal(t, "broker_unavailable", a.Code(), a)
	f.broker.start(t)
	for _, c := range f.fleet.Copies {
		c.AwaitReady()
	}
}

// restarted is a broker that comes back at its address.
type restarted struct {
	*eventstore.Server
	dir string
}

func startRestarted(t *testing.T) *restarted {
	r := &restarted{dir: t.TempDir()}
	r.start(t)
	return r
}

func (r *restarted) start(t *testing.T) {
	r.Server = natstest.Server(t, func(cfg *eventstore.ServerConfig) { cfg.Dir = r.dir })
}
