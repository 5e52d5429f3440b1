package timers_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/internal/natstest"
	"github.com/admitone/admitone/processes/timers"
	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) { natstest.VerifyTestMain(m) }

const kind = "egg"

// setup opens timers on a server of the test's own.
func setup(t testing.TB) (*timers.Timers, *nats.Conn) {
	nc := natstest.Conn(t, natstest.Server(t))
	return open(t, nc), nc
}

func open(t testing.TB, nc *nats.Conn) *timers.Timers {
	t.Helper()
	js, err := jetstream.New(nc)
	require.NoError(t, err)
	set, err := timers.Open(natstest.Context(t), js, timers.Config{})
	require.NoError(t, err)
	return set
}

// rung is what a handler was called with, and when.
type rung struct {
	timers.Fired
	at time.Time
}

// listen runs a handler that tells what it was called with, until the test ends or
// stop is called.
func listen(t testing.TB, set *timers.Timers, handler timers.Handler) (rings chan rung, stop func()) {
	t.Helper()
	rings = make(chan rung, 20_000)
	ctx, cancel := context.WithCancel(context.Background())
	started, done := make(chan struct{}), make(chan error, 1)
	go func() {
		done <- set.Run(ctx, kind, func(ctx context.Context, f timers.Fired) error {
			if handler != nil {
				if err := handler(ctx, f); err != nil {
					return err
				}
			}
			rings <- rung{f, time.Now()}
			return nil
		}, func() { close(started) })
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		require.NoError(t, <-done)
	})
	t.Cleanup(stop)
	<-started
	return rings, stop
}

func next(t testing.TB, rings <-chan rung) rung {
	t.Helper()
	select {
	case r := <-rings:
		return r
	case <-natstest.Context(t).Done():
		require.FailNow(t, "nothing was due")
		return rung{}
	}
}

func schedule(t testing.TB, set *timers.Timers, in time.Duration) timers.Timer {
	t.Helper()
	timer := timers.Timer{Kind: kind, ID: uuid.New(), At: time.Now().Add(in).UTC().Truncate(time.Millisecond), Payload: []byte("soft")}
	require.NoError(t, set.Schedule(natstest.Context(t), timer))
	return timer
}

func count(t testing.TB, set *timers.Timers) (pending, due int) {
	t.Helper()
	pending, due, err := set.Count(natstest.Context(t), kind)
	require.NoError(t, err)
	return pending, due
}

func nothingLeft(t testing.TB, set *timers.Timers) {
	t.Helper()
	require.Eventually(t, func() bool {
		pending, due := count(t, set)
		return pending == 0 && due == 0
	}, 30*time.Second, 5*time.Millisecond)
}

func TestATimerIsDueAtItsTimeAndGoneOnceHandled(t *testing.T) {
	t.Parallel()
	set, _ := setup(t)
	rings, _ := listen(t, set, nil)
	for _, in := range []time.Duration{1300 * time.Millisecond, 700 * time.Millisecond, 0, -time.Hour} {
		timer := schedule(t, set, in)
		r := next(t, rings)
		require.Equal(t, timer, r.Timer)
		require.False(t, r.FiredAt.Before(timer.At), "fired %s early", timer.At.Sub(r.FiredAt))
		require.False(t, r.at.Before(timer.At), "handled %s early", timer.At.Sub(r.at))
	}
	nothingLeft(t, set)
}

// This server fires on time or some 200 ms late, by the millisecond that it is asked
// for. One that fires early, as its resolution of a second allows, is waited for.
func TestTheRestIsWaitedOutWhereTheBrokerFiresEarly(t *testing.T) {
	t.Parallel()
	set, nc := setup(t)
	rings, _ := listen(t, set, nil)
	at := time.Now().Add(700 * time.Millisecond).UTC()
	m := nats.NewMsg(fmt.Sprintf("due.%s.%s", kind, uuid.New()))
	m.Header.Set("Admitone-Due", at.Format(time.RFC3339Nano))
	require.NoError(t, nc.PublishMsg(m))
	r := next(t, rings)
	require.Equal(t, at, r.FiredAt, "the broker's time when the wait was over")
	require.False(t, r.at.Before(at), "handled %s early", at.Sub(r.at))
	nothingLeft(t, set)
}

func TestCancellingLeavesNothing(t *testing.T) {
	t.Parallel()
	set, _ := setup(t)
	ctx := natstest.Context(t)
	soon, far := schedule(t, set, 600*time.Millisecond), schedule(t, set, time.Hour)
	past := schedule(t, set, -time.Second)
	require.Eventually(t, func() bool { _, due := count(t, set); return due >= 1 }, 30*time.Second, 5*time.Millisecond)
	for _, timer := range []timers.Timer{soon, far, past} {
		require.NoError(t, set.Cancel(ctx, kind, timer.ID))
		require.NoError(t, set.Cancel(ctx, kind, timer.ID), "there is none any more")
	}
	pending, due := count(t, set)
	require.Zero(t, pending)
	require.Zero(t, due)
	rings, _ := listen(t, set, nil)
	last := schedule(t, set, time.Second)
	require.Equal(t, last.ID, next(t, rings).ID, "what was cancelled is never due")
}

func TestSettingATimerAgain(t *testing.T) {
	t.Parallel()
	set, _ := setup(t)
	rings, _ := listen(t, set, nil)
	timer := schedule(t, set, time.Hour)
	require.NoError(t, set.Schedule(natstest.Context(t), timer))
	pending, _ := count(t, set)
	require.Equal(t, 1, pending)
	timer.At = time.Now().Add(300 * time.Millisecond).UTC()
	require.NoError(t, set.Schedule(natstest.Context(t), timer))
	require.True(t, timer.At.Equal(next(t, rings).At), "moved")
	nothingLeft(t, set)
}

func TestAFailedHandlerIsCalledAgain(t *testing.T) {
	t.Parallel()
	set, _ := setup(t)
	calls := 0
	rings, _ := listen(t, set, func(context.Context, timers.Fired) error {
		if calls++; calls < 4 {
			return errors.New("not now")
		}
		return nil
	})
	schedule(t, set, 0)
	next(t, rings)
	require.Equal(t, 4, calls)
	nothingLeft(t, set)
}

// Nobody listens while they come due; and one who was handed some has died.
func TestWhatCameDueWhileNobodyListened(t *testing.T) {
	t.Parallel()
	set, _ := setup(t)
	holding := make(chan struct{})
	_, stop := listen(t, set, func(ctx context.Context, _ timers.Fired) error {
		close(holding)
		<-ctx.Done()
		return ctx.Err()
	})
	held := schedule(t, set, 0)
	<-holding
	stop()
	missed := schedule(t, set, 0)
	require.Eventually(t, func() bool { _, due := count(t, set); return due == 2 }, 30*time.Second, 5*time.Millisecond)

	began := time.Now()
	rings, _ := listen(t, set, nil)
	got := map[uuid.UUID]bool{next(t, rings).ID: true, next(t, rings).ID: true}
	require.Equal(t, map[uuid.UUID]bool{held.ID: true, missed.ID: true}, got)
	t.Logf("handled %s after the start", time.Since(began))
	nothingLeft(t, set)
}

func TestRestartsOfTheBroker(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	start := func() *eventstore.Server {
		s, err := eventstore.StartServer(natstest.Context(t), eventstore.ServerConfig{Dir: dir})
		require.NoError(t, err)
		t.Cleanup(s.Close)
		return s
	}
	server := start()
	nc, err := eventstore.Connect(natstest.Context(t), server.URL())
	require.NoError(t, err)
	t.Cleanup(nc.Close)
	set := open(t, nc)
	rings, _ := listen(t, set, nil)
	during, after := schedule(t, set, time.Second), schedule(t, set, 4*time.Second)
	server.Close()
	<-time.After(time.Until(during.At)) // it comes due while all is down
	server = start()
	restarted := time.Now()
	// On a slow machine both are due when it is back, and then in any order.
	wanted := map[uuid.UUID]timers.Timer{during.ID: during, after.ID: after}
	for len(wanted) > 0 {
		r := next(t, rings)
		want, is := wanted[r.ID]
		require.True(t, is, "handled once")
		delete(wanted, r.ID)
		require.False(t, r.at.Before(want.At))
		t.Logf("handled %s after its time, %s after the restart", r.at.Sub(want.At), r.at.Sub(restarted))
	}
	nothingLeft(t, open(t, natstest.Conn(t, server)))
}

// What a broken server might do: the schedule is in the stream, and does not fire.
// Here it is a message that names its time, but is no schedule.
func TestAnOverdueTimerIsSetAgain(t *testing.T) {
	t.Parallel()
	set, nc := setup(t)
	id := uuid.New()
	m := nats.NewMsg(fmt.Sprintf("timers.%s.%s", kind, id))
	m.Header.Set("Admitone-Due", time.Now().Add(-time.Minute).UTC().Format(time.RFC3339Nano))
	js, err := jetstream.New(nc)
	require.NoError(t, err)
	_, err = js.PublishMsg(natstest.Context(t), m)
	require.NoError(t, err)
	rings, _ := listen(t, set, nil)
	require.Equal(t, id, next(t, rings).ID)
	nothingLeft(t, set)
}

func TestAMessageThatIsNoTimerIsLeftAlone(t *testing.T) {
	t.Parallel()
	set, nc := setup(t)
	require.NoError(t, nc.Publish("due.egg.nobody", nil))
	require.NoError(t, nc.Publish("timers.egg.nobody", nil))
	rings, _ := listen(t, set, nil)
	timer := schedule(t, set, 0)
	require.Equal(t, timer.ID, next(t, rings).ID)
}

func TestTwoListenersShareTheWork(t *testing.T) {
	t.Parallel()
	set, nc := setup(t)
	one, _ := listen(t, set, nil)
	two, _ := listen(t, open(t, nc), nil)
	seen := map[uuid.UUID]int{}
	for range 50 {
		schedule(t, set, 0)
	}
	for len(seen) < 50 {
		select {
		case r := <-one:
			seen[r.ID]++
		case r := <-two:
			seen[r.ID]++
		case <-natstest.Context(t).Done():
			require.FailNow(t, "not all were due")
		}
	}
	nothingLeft(t, set)
}

func TestTenThousandPendingTimersSlowNothing(t *testing.T) {
	t.Parallel()
	set, _ := setup(t)
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			for range 313 {
				schedule(t, set, time.Hour)
			}
		})
	}
	wg.Wait()
	rings, _ := listen(t, set, nil)
	for range 5 {
		timer := schedule(t, set, 400*time.Millisecond)
		r := next(t, rings)
		require.Equal(t, timer.ID, r.ID)
		t.Logf("handled %s after its time", r.at.Sub(timer.At))
		cancelled := schedule(t, set, time.Hour)
		began := time.Now()
		require.NoError(t, set.Cancel(natstest.Context(t), kind, cancelled.ID))
		t.Logf("cancelled in %s", time.Since(began))
	}
	pending, due := count(t, set)
	require.Equal(t, 32*313, pending)
	require.Zero(t, due)
}

func TestAStreamThatWouldLoseTimersIsRefused(t *testing.T) {
	t.Parallel()
	nc := natstest.Conn(t, natstest.Server(t))
	js, err := jetstream.New(nc)
	require.NoError(t, err)
	_, err = js.CreateStream(natstest.Context(t), jetstream.StreamConfig{Name: timers.StreamName, Subjects: []string{"timers.>"}, MaxMsgs: 10})
	require.NoError(t, err)
	_, err = timers.Open(natstest.Context(t), js, timers.Config{})
	require.ErrorIs(t, err, eventstore.ErrMisconfigured)
	require.ErrorContains(t, err, "schedules")
	require.ErrorContains(t, err, "limit")
}
