package subscription

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// share is one partition in one call of Each.
type share struct {
	key, name string
	partition int
	wake      chan struct{}
}

// Each runs work, in a goroutine of its own, for every partition of name that this
// member holds, and blocks until ctx has ended and all work has returned. The ctx of
// work ends when its partition moves or ctx ends; the next holder begins when work
// has returned, so let it finish what it has begun. Work that returns by itself is
// called again after a second. While Run does not run nothing is held, unless
// everything is.
func (s *Shares) Each(ctx context.Context, name string, partitions int, work func(ctx context.Context, partition int)) {
	var wg sync.WaitGroup
	defer wg.Wait()
	if s.everything() {
		for p := range partitions {
			wg.Go(func() { persistently(ctx, func() { work(ctx, p) }) })
		}
		return
	}
	s.takePart(name, 1)
	// Others are due as soon as ctx ends, though they wait until the work has.
	context.AfterFunc(ctx, func() { s.takePart(name, -1) })
	for p := range partitions {
		sh := &share{key: s.keys.claim(name, p), name: name, partition: p, wake: make(chan struct{}, 1)}
		wg.Go(func() { s.share(ctx, sh, work) })
	}
}

// persistently calls work until ctx ends.
func persistently(ctx context.Context, work func()) {
	for ctx.Err() == nil {
		work()
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

func (s *Shares) takePart(name string, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.names[name] += n; s.names[name] == 0 {
		delete(s.names, name)
	}
	signal(s.nudge)
}

// lookEvery is how often a share looks at the roster without being woken.
const lookEvery = time.Second

// share claims the partition whenever this member is due, and works while it is.
func (s *Shares) share(ctx context.Context, sh *share, work func(ctx context.Context, partition int)) {
	s.mu.Lock()
	s.shares[sh] = true
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.shares, sh)
	}()
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for ctx.Err() == nil {
		if s.claim(ctx, sh) {
			s.hold(ctx, sh, look.C, work)
			s.release(ctx, sh)
		}
		select {
		case <-ctx.Done():
		case <-sh.wake:
		case <-look.C:
		}
	}
}

// claim takes the partition if this member is due and nobody has it.
func (s *Shares) claim(ctx context.Context, sh *share) bool {
	s.mu.Lock()
	may := !s.leaving && s.held[sh.key] == nil && s.roster.owner(sh.name, sh.partition) == s.cfg.Member && s.roster.free(sh.key)
	if may {
		s.held[sh.key] = sh
	}
	s.mu.Unlock()
	if !may {
		return false
	}
	if s.writeClaim(ctx, sh.key) {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.held, sh.key)
	return false
}

// hold works until the partition is to move.
func (s *Shares) hold(ctx context.Context, sh *share, look <-chan time.Time, work func(ctx context.Context, partition int)) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	done := make(chan struct{})
	go func() {
		defer close(done)
		persistently(ctx, func() { work(ctx, sh.partition) })
	}()
	for {
		select {
		case <-done:
			return
		case <-sh.wake:
		case <-look:
		}
		if !s.keeps(sh) {
			stop()
		}
	}
}

// keeps: this member is still due, and nobody has taken its claim. A claim that is
// not there at all is written again.
func (s *Shares) keeps(sh *share) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	holder := s.roster.claims[sh.key].holder
	return !s.leaving && (holder == "" || holder == s.cfg.Member) && s.roster.owner(sh.name, sh.partition) == s.cfg.Member
}

// release lets the next holder begin. What the broker does not hear is tried again
// by tend.
func (s *Shares) release(ctx context.Context, sh *share) {
	s.dropClaim(context.WithoutCancel(ctx), sh.key)
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.held, sh.key)
	s.wake(sh.key)
	signal(s.nudge)
}

// tend does what is due in the bucket: it strikes off who is gone, renews the claims
// of this member, and releases those it does not work on, which an earlier process of
// its name may have left, or a release that failed.
func (s *Shares) tend(ctx context.Context) {
	gone, stray, renew := s.dueInBucket()
	for _, m := range gone {
		s.strikeOff(ctx, m)
	}
	for _, key := range stray {
		s.dropClaim(ctx, key)
	}
	for _, key := range renew {
		s.writeClaim(ctx, key)
	}
}

func (s *Shares) dueInBucket() (gone []*member, stray, renew []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	gone, s.roster.gone = s.roster.gone, nil
	for key, c := range s.roster.claims {
		if c.holder == s.cfg.Member && s.held[key] == nil {
			stray = append(stray, key)
		}
	}
	for key := range s.held {
		c := s.roster.claims[key]
		if c.holder == "" || c.holder == s.cfg.Member && time.Since(c.written) > renewEvery {
			renew = append(renew, key)
		}
	}
	return gone, stray, renew
}

// strikeOff removes a member's last announcement, unless there is a newer one.
func (s *Shares) strikeOff(ctx context.Context, m *member) {
	s.cfg.Logger.Warn("member is gone", "group", s.cfg.Group, "member", m.name)
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	if err := s.bucket().Delete(ctx, s.keys.member(m.name), jetstream.LastRevision(m.revision)); err != nil {
		s.cfg.Logger.Debug("member not struck off", "member", m.name, "cause", err)
	}
}

// writeClaim writes a claim of this member over what it knows to be there.
func (s *Shares) writeClaim(ctx context.Context, key string) bool {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	kv, known := s.known(key)
	var revision uint64
	var err error
	if known.holder == "" {
		revision, err = kv.Create(ctx, key, []byte(s.cfg.Member))
	} else {
		revision, err = kv.Update(ctx, key, []byte(s.cfg.Member), known.revision)
	}
	if err != nil {
		s.cfg.Logger.Debug("claim not written", "claim", key, "member", s.cfg.Member, "cause", err)
		s.lookUp(ctx, kv, key, known)
		return false
	}
	s.learn(key, claim{holder: s.cfg.Member, revision: revision})
	return true
}

func (s *Shares) dropClaim(ctx context.Context, key string) {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	kv, known := s.known(key)
	if known.holder != s.cfg.Member {
		return
	}
	if err := kv.Delete(ctx, key, jetstream.LastRevision(known.revision)); err != nil {
		s.cfg.Logger.Debug("claim not released", "claim", key, "member", s.cfg.Member, "cause", err)
		s.lookUp(ctx, kv, key, known)
		return
	}
	s.learn(key, claim{revision: known.revision})
}

func (s *Shares) known(key string) (jetstream.KeyValue, claim) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.kv, s.roster.claims[key]
}

// lookUp asks for a claim that is not as it was known.
func (s *Shares) lookUp(ctx context.Context, kv jetstream.KeyValue, key string, known claim) {
	e, err := kv.Get(ctx, key)
	switch {
	case err == nil:
		s.learn(key, claim{holder: string(e.Value()), revision: e.Revision()})
	case errors.Is(err, jetstream.ErrKeyNotFound):
		s.learn(key, claim{revision: known.revision})
	}
}

// learn replaces what is known of a claim, unless that is newer. Only news wakes those
// who wait for it: a broker that refuses every claim is not asked again at once.
func (s *Shares) learn(key string, c claim) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.written = time.Now()
	known := s.roster.claims[key]
	if c.revision < known.revision {
		return
	}
	s.roster.claims[key] = c
	if c.revision != known.revision || c.holder != known.holder {
		s.wake(key)
	}
}
