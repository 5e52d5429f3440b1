package processes

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/eventstore/parked"
	"github.com/admitone/admitone/eventstore/subscription"
	"github.com/admitone/admitone/processes/timers"
	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/retrypolicy"
	"github.com/google/uuid"
)

// ErrUnknownProcess: no process of that name was defined.
var ErrUnknownProcess = errors.New("no such process")

// Config is what processes work with.
type Config struct {
	Streams map[string]*eventstore.Stream // by name
	Targets map[string]Target             // by the name that Send.To uses
	Lookups map[string]Lookup             // by the name that Look.Up uses
	// IsRefusal tells a final no of a target or a lookup, which is an answer, from what
	// went wrong.
	IsRefusal func(error) bool
	// Timers is needed where a process has some.
	Timers *timers.Timers
	// Shares divides the partitions among copies; nil: this one works on all. Where
	// several copies work on one, an aggregate's events are handled in order by each of
	// them, but not among them.
	Shares *subscription.Shares

	Concurrency   int           // steps under way at once; 64
	MaxAckPending int           // of each partition's consumer; 4,096
	AckWait       time.Duration // of each partition's consumer; 5 s
	HealAfter     time.Duration // how long an event waits for a missing version before it; 5 s
	RetryAfter    time.Duration // how soon a reaction that failed is tried again by itself, and then ever more seldom; 10 s
	Memory        int           // aggregates of one partition whose version is remembered; 200,000
	Replicas      int           // of the bucket of parked marks and of the consumers; 1
	Logger        *slog.Logger
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
	num(&c.Concurrency, 64)
	num(&c.MaxAckPending, 4096)
	num(&c.Memory, 200_000)
	num(&c.Replicas, 1)
	def(&c.AckWait, 5*time.Second)
	def(&c.HealAfter, 5*time.Second)
	def(&c.RetryAfter, 10*time.Second)
	if c.IsRefusal == nil {
		c.IsRefusal = func(error) bool { return false }
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
}

// Runner runs processes in this program, together with any number of copies
// elsewhere. Safe for concurrent use.
type Runner struct {
	cfg     Config
	marks   *parked.Marks
	retries failsafe.Executor[any]
	slots   chan struct{}
	keepers map[string]*keeper
	order   []string
	started chan struct{}
}

// Delays between attempts of what may pass.
const (
	firstDelay   = 20 * time.Millisecond
	longestDelay = 2 * time.Second
	delayJitter  = 0.3
)

// New prepares a runner; its bucket is made, nothing runs before Run. Parked, Retry
// and Status work without Run too.
func New(ctx context.Context, cfg Config, list ...*Process) (*Runner, error) {
	cfg.setDefaults()
	forever := retrypolicy.NewBuilder[any]().WithMaxRetries(-1).
		WithBackoff(firstDelay, longestDelay).WithJitterFactor(delayJitter).Build()
	r := &Runner{
		cfg: cfg, retries: failsafe.With(forever), slots: make(chan struct{}, cfg.Concurrency),
		keepers: map[string]*keeper{}, started: make(chan struct{}),
	}
	for _, p := range list {
		if err := r.add(p); err != nil {
			return nil, err
		}
	}
	if len(list) == 0 {
		return r, nil
	}
	var err error
	r.marks, err = parked.Open(ctx, cfg.Streams[list[0].stream].JetStream(), cfg.Replicas, cfg.Logger)
	return r, err
}

func (r *Runner) add(p *Process) error {
	var fault error
	switch stream := r.cfg.Streams[p.stream]; {
	case stream == nil:
		fault = fmt.Errorf("reads stream %s, which is not there", p.stream)
	case r.keepers[p.name] != nil:
		fault = errors.New("is defined twice")
	case p.timer != "" && r.cfg.Timers == nil:
		fault = errors.New("sets timers, and there are none")
	default:
		r.keepers[p.name] = &keeper{runner: r, process: p, stream: stream, stats: &stats{}}
		r.order = append(r.order, p.name)
		return nil
	}
	return fmt.Errorf("processes: %s %w: %w", p.name, fault, eventstore.ErrMisconfigured)
}

// Run runs all processes until ctx ends, then lets reactions under way end, for some
// seconds at most.
func (r *Runner) Run(ctx context.Context) error {
	if len(r.order) == 0 {
		close(r.started)
		<-ctx.Done()
		return nil
	}
	var running, starting sync.WaitGroup
	defer running.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	running.Go(func() { r.marks.Follow(ctx) })
	select {
	case <-r.marks.Ready():
	case <-ctx.Done():
		return nil
	}
	for _, name := range r.order {
		k := r.keepers[name]
		starting.Add(1)
		running.Go(func() { k.run(ctx, sync.OnceFunc(starting.Done)) })
	}
	starting.Wait()
	close(r.started)
	<-ctx.Done()
	return nil
}

// Started is closed when every process has its place in its stream: what is appended
// from then on is reacted to, by this copy or another.
func (r *Runner) Started() <-chan struct{} { return r.started }

// insist repeats what the broker failed at until it succeeds or ctx ends.
func (r *Runner) insist(ctx context.Context, s *stats, do func() error) {
	what := uuid.NewString()
	defer s.goesOn(what)
	_ = r.retries.WithContext(ctx).Run(func() error {
		err := do()
		if err != nil {
			s.retrying(what, err)
		}
		return err
	})
}

// keeper runs one process.
type keeper struct {
	runner  *Runner
	process *Process
	stream  *eventstore.Stream
	stats   *stats
}

func (k *keeper) name() string { return k.process.name }

func (k *keeper) run(ctx context.Context, started func()) {
	defer started()
	k.runner.insist(ctx, k.stats, func() error { return k.open(ctx) })
	var running sync.WaitGroup
	defer running.Wait()
	if kind := k.process.timer; kind != "" {
		running.Go(func() { _ = k.runner.cfg.Timers.Run(ctx, kind, k.due, started) })
	} else {
		started()
	}
	k.runner.cfg.Shares.Each(ctx, k.name(), k.stream.Partitions(), k.work)
}

// consumer is the durable consumer's name for a partition.
func (k *keeper) consumer(partition int) string {
	return fmt.Sprintf("process_%s_p%d", k.name(), partition)
}

// open gives the process its place in the stream where it has none: all partitions
// at once, whoever works on them.
func (k *keeper) open(ctx context.Context) error {
	state, err := k.stream.State(ctx)
	if err != nil {
		return err
	}
	start := k.process.start
	if start == NewEvents {
		start = state.LastSequence + 1
	}
	for p := range k.stream.Partitions() {
		sub, err := k.subscribe(p, start)
		if err != nil {
			return err
		}
		if err := sub.Open(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (k *keeper) subscribe(partition int, start uint64) (*subscription.Subscription, error) {
	cfg := &k.runner.cfg
	return subscription.New(subscription.Config{
		Stream: k.stream, Durable: k.consumer(partition), Partition: partition, Start: start,
		Lanes: 1, MaxAckPending: cfg.MaxAckPending, AckWait: cfg.AckWait, Replicas: cfg.Replicas, Logger: cfg.Logger,
	})
}

// due handles a timer of the process.
func (k *keeper) due(ctx context.Context, f timers.Fired) error {
	d := Due{ID: f.ID, At: f.At, Now: f.FiredAt}
	c, err := causeOfTimer(f)
	if err != nil {
		k.runner.cfg.Logger.Error("payload of a timer cannot be read, it is handled without a cause", "process", k.name(), "id", f.ID, "cause", err)
	}
	err = k.reaction(c, 1, func(answers []Answer) Step { return k.process.due(d, answers) }).run(ctx)
	if err != nil {
		k.stats.retrying(c.Key, err)
		return fmt.Errorf("processes: %s: timer %s: %w", k.name(), f.ID, err)
	}
	k.stats.handled.Add(1)
	return nil
}

func (k *keeper) reaction(c cause, attempts int, next func([]Answer) Step) reaction {
	return reaction{runner: k.runner, process: k.process, stats: k.stats, cause: c, next: next, attempts: attempts}
}

func (k *keeper) key(id uuid.UUID) string { return parked.Key(k.name(), 0, id) }
