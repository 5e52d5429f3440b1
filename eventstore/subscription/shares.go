package subscription

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/admitone/admitone/eventstore"
	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"
)

// SharesConfig says who shares out partitions with whom.
type SharesConfig struct {
	// Group is those among whom partitions are shared out, such as the copies of a
	// role: letters, digits, "_" and "-".
	Group string
	// Member is this process within its group; a random name when empty. Two that run
	// at once must not have the same. One that comes back under its name takes at once
	// what it held.
	Member   string
	Replicas int  // of the bucket; 0: 1; never lowered
	Off      bool // every copy holds everything
	Logger   *slog.Logger
}

// The life of a member. Each announces itself every beatEvery. One that was silent
// while another heard goneAfter announcements of its own is gone for that other:
// so nobody is judged by him who has lost the broker himself.
const (
	beatEvery = 500 * time.Millisecond
	goneAfter = 5
	// keptFor is how long the broker keeps what nobody writes again.
	keptFor    = 30 * time.Second
	renewEvery = keptFor / 3
	// leaveWithin is how long a member that leaves waits for its work to end.
	leaveWithin = 10 * time.Second
	askWithin   = 2 * time.Second
)

const sharesBucket = "shares"

// Shares is this process's share of partitions that copies divide among them.
// Members announce themselves in a KV bucket; by rendezvous hashing each knows which
// member is due for a partition, and a claim in the bucket makes the next holder
// wait until the one before has let go, or is gone. It saves work and is never what
// correctness rests on: while the broker cannot be reached, a member keeps what it
// holds, and another may hold it too. Safe for concurrent use; a nil *Shares holds
// everything.
type Shares struct {
	cfg   SharesConfig
	js    jetstream.JetStream
	keys  groupKeys
	nudge chan struct{} // something is to be announced or tended at once
	mute  chan struct{} // the watch does not show what this member announces

	mu      sync.Mutex
	kv      jetstream.KeyValue
	roster  *roster
	names   map[string]int    // what this process takes part in, with the number of Eachs
	shares  map[*share]bool   // all loops of all Eachs
	held    map[string]*share // by key: the work runs here
	leaving bool

	// Of the goroutine that runs.
	beat    uint64
	hearing hearing
}

var (
	groupForm  = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)
	memberForm = regexp.MustCompile(`^[A-Za-z0-9_=/-]+(\.[A-Za-z0-9_=/-]+)*$`)
)

// JoinShares opens the bucket. Nothing is announced or held before Run.
func JoinShares(ctx context.Context, js jetstream.JetStream, cfg SharesConfig) (*Shares, error) {
	if cfg.Member == "" {
		cfg.Member = uuid.NewString()
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if !groupForm.MatchString(cfg.Group) || !memberForm.MatchString(cfg.Member) {
		return nil, fmt.Errorf("subscription: group %q must match %s and member %q %s: %w", cfg.Group, groupForm, cfg.Member, memberForm, eventstore.ErrMisconfigured)
	}
	s := &Shares{
		cfg: cfg, js: js, keys: groupKeys(cfg.Group), nudge: make(chan struct{}, 1), mute: make(chan struct{}, 1),
		roster: newRoster(groupKeys(cfg.Group), cfg.Member), names: map[string]int{}, shares: map[*share]bool{}, held: map[string]*share{},
	}
	if cfg.Off {
		return s, nil
	}
	_, err := s.open(ctx)
	return s, err
}

func (s *Shares) open(ctx context.Context) (jetstream.KeyValue, error) {
	kv, err := eventstore.OpenBucket(ctx, s.js, jetstream.KeyValueConfig{
		Bucket: sharesBucket, Description: "which copy works on which partition", TTL: keptFor,
		Storage: jetstream.FileStorage, Replicas: s.cfg.Replicas,
	})
	if err != nil {
		return nil, fmt.Errorf("subscription: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kv = kv
	return kv, nil
}

func (s *Shares) bucket() jetstream.KeyValue {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.kv
}

// everything says whether nothing is shared out.
func (s *Shares) everything() bool { return s == nil || s.cfg.Off }

// Due says whether this member is to work on a partition, and whether it can know
// that by now: whether it has seen the others, and its own announcement of name.
func (s *Shares) Due(name string, partition int) (due, known bool) {
	if s.everything() {
		return true, true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.leaving && s.roster.owner(name, partition) == s.cfg.Member, s.roster.takesPart(s.cfg.Member, name)
}

// Run announces this member until ctx ends. Then it announces nothing more to take,
// waits some seconds for the work of every Each to end, and leaves. It returns nil.
func (s *Shares) Run(ctx context.Context) error {
	if s.everything() {
		<-ctx.Done()
		return nil
	}
	live, end := context.WithCancel(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	defer wg.Wait()
	defer end()
	wg.Go(func() { s.follow(live) })
	s.attend(ctx, live)
	s.leave(live)
	return nil
}

// attend announces and tends until ctx has ended and nothing is held.
func (s *Shares) attend(ctx, live context.Context) {
	s.setLeaving(false)
	tick := time.NewTicker(beatEvery)
	defer tick.Stop()
	var tooLate <-chan time.Time
	s.hearing = hearing{beat: s.beat}
	for ended := ctx.Done(); ended != nil || s.busy(); {
		s.announce(live)
		s.tend(live)
		select {
		case <-tick.C:
			s.beat++
		case <-s.nudge:
		case <-ended:
			ended, tooLate = nil, time.After(leaveWithin)
			s.setLeaving(true)
		case <-tooLate:
			s.cfg.Logger.Warn("leaving although work goes on", "group", s.cfg.Group, "member", s.cfg.Member)
			return
		}
	}
}

func (s *Shares) setLeaving(leaving bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leaving = leaving
	s.wake("")
}

func (s *Shares) busy() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.held) > 0
}

// leave lets the others know at once.
func (s *Shares) leave(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	if err := s.bucket().Delete(ctx, s.keys.member(s.cfg.Member)); err != nil {
		s.cfg.Logger.Debug("could not say goodbye", "member", s.cfg.Member, "cause", err)
	}
}

func (s *Shares) announce(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	body, _ := json.Marshal(announcement{Names: s.takesPartIn(), Beat: s.beat})
	if _, err := s.bucket().Put(ctx, s.keys.member(s.cfg.Member), body); err != nil {
		s.cfg.Logger.Debug("could not announce this member", "member", s.cfg.Member, "cause", err)
		s.hearing.away = true
		return
	}
	if s.hearing.mute(s.echo(), s.beat) {
		signal(s.mute)
	}
}

func (s *Shares) echo() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.roster.echo
}

func (s *Shares) takesPartIn() (names []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.leaving {
		for name := range s.names {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// wake makes the shares of a claim look at the roster, all of them where key is
// empty. The lock is held.
func (s *Shares) wake(key string) {
	for sh := range s.shares {
		if key == "" || sh.key == key {
			signal(sh.wake)
		}
	}
}

func signal(ch chan<- struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

// follow keeps the roster up to date, through interruptions of any length.
func (s *Shares) follow(ctx context.Context) {
	for ctx.Err() == nil {
		err := s.watch(ctx)
		if ctx.Err() != nil {
			return
		}
		s.cfg.Logger.Warn("watch of shares interrupted, starting again", "group", s.cfg.Group, "cause", err)
		select {
		case <-ctx.Done():
		case <-time.After(retryAfter):
		}
	}
}

func (s *Shares) watch(ctx context.Context) error {
	kv, err := s.open(ctx)
	if err != nil {
		return err
	}
	w, err := kv.Watch(ctx, s.cfg.Group+".>")
	if err != nil {
		return fmt.Errorf("subscription: watch bucket %s: %w", sharesBucket, err)
	}
	defer stopWatch(w)
	select {
	case <-s.mute: // that was the watch before, or none
	default:
	}
	fresh := newRoster(s.keys, s.cfg.Member)
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.mute:
			return errors.New("subscription: what this member announces does not come back")
		case e, ok := <-w.Updates():
			switch {
			case !ok:
				return errors.New("subscription: watch of shares ended")
			case e == nil:
				s.adopt(fresh)
				fresh = nil
			case fresh != nil:
				fresh.note(e)
			default:
				s.note(e)
			}
		}
	}
}

// stopWatch takes what is under way, since its sender would wait for ever.
func stopWatch(w jetstream.KeyWatcher) {
	_ = w.Stop()
	enough := time.After(time.Second)
	for {
		select {
		case _, ok := <-w.Updates():
			if !ok {
				return
			}
		case <-enough:
			return
		}
	}
}

// adopt replaces the roster by one that was read anew.
func (s *Shares) adopt(fresh *roster) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fresh.goOnFrom(s.roster)
	s.roster = fresh
	s.wake("")
}

func (s *Shares) note(e jetstream.KeyValueEntry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key, changed := s.roster.note(e)
	if len(s.roster.gone) > 0 || key == s.keys.member(s.cfg.Member) && e.Operation() != jetstream.KeyValuePut {
		signal(s.nudge) // somebody is gone, or this member was taken for it
	}
	if changed {
		if !strings.HasPrefix(key, s.keys.claims()) {
			key = "" // a member: it may concern every share
		}
		s.wake(key)
	}
}
