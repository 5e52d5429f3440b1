package projections

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"sync"
	"time"

	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/eventstore/parked"
	"github.com/admitone/admitone/eventstore/subscription"
	"github.com/admitone/admitone/readstore"
	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"
)

// ErrLogChanged is eventstore.ErrLogChanged, for callers of this package.
var ErrLogChanged = eventstore.ErrLogChanged

// Config tunes a Projector. Zero values have defaults.
type Config struct {
	HealAfter     time.Duration // how long a gap lasts before it is healed from the stream; 5 s
	PreviousFor   time.Duration // how long the generation before a switch is kept up to date; 60 s
	Lanes         int           // goroutines that fold side by side for one projection; 4
	MaxAckPending int           // of each partition's consumer; 16,384
	AckWait       time.Duration // of each partition's consumer; 30 s
	Memory        int           // aggregates remembered by the lanes of one partition; 200,000
	Batch         int           // deliveries that a lane folds into one flush, at most; 4,096
	Replicas      int           // of KV buckets and consumers; 1
	// Shares divides the partitions among copies; nil: this copy holds all. It must run
	// at least as long as the Projector does: let it end with the same ctx.
	Shares *subscription.Shares
	// RebuildOnLogChange accepts a log that is not the one the read store was
	// filled from, and builds every projection anew, in place of refusing to run.
	RebuildOnLogChange bool
	Logger             *slog.Logger
	OnAdmit            func(Admission) // called for each admission, from many goroutines; for tests and traces
}

func (c *Config) setDefaults() {
	def := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	num := func(n *int, v int) {
		if *n <= 0 {
			*n = v
		}
	}
	def(&c.HealAfter, 5*time.Second)
	def(&c.PreviousFor, time.Minute)
	def(&c.AckWait, 30*time.Second)
	num(&c.Lanes, 4)
	num(&c.MaxAckPending, 16_384)
	num(&c.Memory, 200_000)
	num(&c.Batch, 4096)
	num(&c.Replicas, 1)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
}

// lanes of one partition.
func (c *Config) lanes(partitions int) int { return max(1, c.Lanes/partitions) }

func (c *Config) scanTuning() scanTuning {
	lanes := max(2, min(c.Lanes, runtime.GOMAXPROCS(0)))
	return scanTuning{lanes: lanes, chunk: min(256, c.Batch), dirty: min(16_384/lanes, 4*c.Batch), memory: c.Memory / lanes / 2, ahead: 100_000 / lanes, healAfter: c.HealAfter}
}

// Projector keeps projections up to date in this process, together with any
// number of copies elsewhere. Safe for concurrent use.
type Projector struct {
	cfg     Config
	deps    *deps
	records *records
	leases  *leases
	holder  string
	keepers map[string]*keeper
	order   []string
	looked  sync.WaitGroup // keepers that have not looked at their record yet
	started chan struct{}
}

// New prepares a projector for definitions over streams by name. Its buckets are
// made; nothing runs before Run. Readers, Status, Retry and Rebuild work without
// Run too, in a process that only serves queries.
func New(ctx context.Context, store readstore.Store, streams map[string]*eventstore.Stream, cfg Config, list ...*Projection) (*Projector, error) {
	cfg.setDefaults()
	host, _ := os.Hostname()
	p := &Projector{
		cfg: cfg, keepers: map[string]*keeper{}, started: make(chan struct{}),
		holder: fmt.Sprintf("%s/%d/%s", host, os.Getpid(), uuid.NewString()[:8]),
		deps:   &deps{store: store, signals: subscription.NewWaiters[signalKey](), onAdmit: cfg.OnAdmit, log: cfg.Logger},
	}
	for _, def := range list {
		stream := streams[def.stream]
		if stream == nil {
			return nil, fmt.Errorf("projections: %s reads stream %s, which is not there: %w", def.name, def.stream, eventstore.ErrMisconfigured)
		}
		if p.keepers[def.name] != nil {
			return nil, fmt.Errorf("projections: %s is defined twice: %w", def.name, eventstore.ErrMisconfigured)
		}
		p.keepers[def.name] = &keeper{p: p, def: def, stream: stream, runners: map[int]*runner{}}
		p.order = append(p.order, def.name)
	}
	if len(list) == 0 {
		return p, nil
	}
	return p, p.open(ctx, streams[list[0].stream])
}

func (p *Projector) open(ctx context.Context, stream *eventstore.Stream) (err error) {
	js := stream.JetStream()
	if p.deps.marks, err = parked.Open(ctx, js, p.cfg.Replicas, p.cfg.Logger); err != nil {
		return err
	}
	if p.records, err = openRecords(ctx, js, p.cfg.Replicas); err != nil {
		return err
	}
	if p.leases, err = openLeases(ctx, js, p.cfg.Replicas); err != nil {
		return err
	}
	if !p.cfg.RebuildOnLogChange {
		return nil
	}
	for _, name := range p.order {
		err := p.keepers[name].acceptLog(ctx)
		if errors.Is(err, readstore.ErrUnavailable) {
			p.cfg.Logger.Warn("the read store does not answer: whether it belongs to this log is seen later", "projection", name, "cause", err)
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Run keeps all projections up to date until ctx ends, then stops within some
// seconds. It returns early only for what waiting does not cure, such as
// ErrLogChanged.
func (p *Projector) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		p.deps.marks.Follow(ctx)
		return nil
	})
	select {
	case <-p.deps.marks.Ready():
	case <-ctx.Done():
		return group.Wait()
	}
	p.looked.Add(len(p.order))
	for _, name := range p.order {
		group.Go(func() error { return p.keepers[name].run(ctx) })
	}
	p.looked.Wait()
	close(p.started)
	err := group.Wait()
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// Started is closed when Run has looked at every projection once: from then on
// Status tells what is still being caught up after the start.
func (p *Projector) Started() <-chan struct{} { return p.started }

// keeper keeps one projection's generations: the live one, the one before it for a
// while, and one that is being built when this copy holds the lease.
type keeper struct {
	p      *Projector
	def    *Projection
	stream *eventstore.Stream

	mu      sync.Mutex
	runners map[int]*runner // by generation
	build   *build
	trouble trouble        // of the goroutine that runs
	ending  sync.WaitGroup // builds and runners that are on their way out
}

// lookEvery is how often a keeper looks at its record.
const lookEvery = 500 * time.Millisecond

func (k *keeper) run(ctx context.Context) error {
	defer k.closeAll()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	looked := sync.OnceFunc(k.p.looked.Done)
	for {
		err := k.look(ctx)
		looked()
		if err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// retellEvery is how often it is said that the same trouble lasts.
const retellEvery = 30 * time.Second

// trouble is what a keeper has said of why it cannot go on: it looks twice a second.
type trouble struct {
	cause string // empty: none
	told  time.Time
}

func (t *trouble) tell(log *slog.Logger, projection string, err error) {
	if err.Error() == t.cause && time.Since(t.told) < retellEvery {
		return
	}
	t.cause, t.told = err.Error(), time.Now()
	log.Warn("projection cannot be begun, or its record read; trying on", "projection", projection, "cause", err)
}

func (t *trouble) end(log *slog.Logger, projection string) {
	if t.cause != "" {
		log.Info("projection goes on", "projection", projection)
	}
	*t = trouble{}
}

// look brings what runs here in line with the record. Errors that pass are
// logged and tried again; what is returned is final.
func (k *keeper) look(ctx context.Context) error {
	rec, err := k.p.records.read(ctx, k.def.name, k.def.revision)
	if err == nil && rec.Live == 0 && rec.Building == 0 {
		rec, err = k.begin(ctx)
	}
	if err != nil {
		if errors.Is(err, ErrLogChanged) {
			return err
		}
		if ctx.Err() == nil {
			k.trouble.tell(k.p.cfg.Logger, k.def.name, err)
		}
		return nil
	}
	k.trouble.end(k.p.cfg.Logger, k.def.name)
	keep := map[int]bool{rec.Live: rec.Live != 0}
	if rec.Previous != 0 && time.Since(rec.SwitchedAt) < k.p.cfg.PreviousFor {
		keep[rec.Previous] = true
	}
	if rec.Building != 0 && k.building(ctx, rec) {
		keep[rec.Building] = true
	}
	if err := k.align(ctx, keep, rec.Building); err != nil {
		if k.p.cfg.RebuildOnLogChange {
			return k.acceptLog(ctx)
		}
		return err
	}
	return nil
}

// align starts and stops runners. It returns ErrLogChanged alone.
func (k *keeper) align(ctx context.Context, keep map[int]bool, building int) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	for number, wanted := range keep {
		if wanted && k.runners[number] == nil {
			k.runners[number] = startRunner(context.WithoutCancel(ctx), k.generation(number), &k.p.cfg, number == building)
		}
	}
	for number, r := range k.runners {
		select {
		case <-r.ended:
			delete(k.runners, number)
			if errors.Is(r.err, ErrLogChanged) {
				return r.err
			}
			continue
		default:
		}
		if !keep[number] {
			delete(k.runners, number)
			k.ending.Go(r.close)
		}
	}
	return nil
}

func (k *keeper) generation(number int) *generation {
	return newGeneration(k.def, number, k.stream, k.p.deps)
}

// current is a generation as it runs here, or a handle on it.
func (k *keeper) current(number int) *generation {
	if r := k.runner(number); r != nil {
		return r.g
	}
	return k.generation(number)
}

func (k *keeper) runner(number int) *runner {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.runners[number]
}

func (k *keeper) closeAll() {
	k.mu.Lock()
	for _, r := range k.runners {
		k.ending.Go(r.close)
	}
	clear(k.runners)
	k.mu.Unlock()
	k.ending.Wait()
}
