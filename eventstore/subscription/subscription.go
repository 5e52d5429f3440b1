// Package subscription delivers the messages of one partition of an event stream
// to lanes: all messages of an aggregate go to the same lane, in the order in
// which the broker delivers them. It owns a durable pull consumer with explicit
// acknowledgement, keeps what is being worked on from being redelivered, pulls no
// faster than the lanes take, and knows up to which sequence all is done.
//
// Projections and processes use it. It imports eventstore.
package subscription

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"sync"
	"time"

	"github.com/admitone/admitone/eventstore"
	"github.com/nats-io/nats.go/jetstream"
)

// Config describes a subscription.
type Config struct {
	Stream    *eventstore.Stream
	Durable   string // the consumer's name; copies that share it share the messages
	Partition int
	// Start is the first sequence to deliver when the consumer is made.
	Start uint64
	// Lanes work side by side; default 4.
	Lanes int
	// MaxAckPending bounds the messages delivered and not yet acknowledged, over
	// all copies, those that wait for a missing version among them; default
	// 16,384. (The server's own default of 1,000 lets gaps block everyone.)
	MaxAckPending int
	// AckWait is when the broker delivers again to another copy; default 30 s.
	// Work that takes longer is extended.
	AckWait  time.Duration
	Replicas int // of the consumer's state; 0: as the stream
	Logger   *slog.Logger
}

func (c *Config) setDefaults() error {
	if c.Stream == nil || c.Durable == "" {
		return errors.New("subscription: stream and durable name are required")
	}
	if c.Start == 0 {
		c.Start = 1
	}
	if c.Lanes <= 0 {
		c.Lanes = 4
	}
	if c.MaxAckPending <= 0 {
		c.MaxAckPending = 16_384
	}
	if c.AckWait <= 0 {
		c.AckWait = 30 * time.Second
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return nil
}

// pullAhead is how many messages are asked of the broker before the lanes took
// them; laneDepth how many wait in front of one lane. Together they bound memory, to so
// many messages of at most the broker's max_payload, and how many a lane finds when it
// has written a flush.
const (
	pullAhead = 2048
	laneDepth = 2048
)

// Subscription is one partition's deliveries. Run it once; lanes may be read from
// the start.
type Subscription struct {
	cfg     Config
	lanes   []chan *Delivery
	seed    maphash.Seed
	tracker *tracker
	drain   chan struct{} // closed by Drain
	once    sync.Once

	mu   sync.Mutex
	cons jetstream.Consumer
}

// New prepares a subscription; nothing is asked of the broker before Open or Run.
func New(cfg Config) (*Subscription, error) {
	if err := cfg.setDefaults(); err != nil {
		return nil, err
	}
	s := &Subscription{cfg: cfg, seed: maphash.MakeSeed(), tracker: newTracker(cfg.Start-1, 0), drain: make(chan struct{})}
	for range cfg.Lanes {
		s.lanes = append(s.lanes, make(chan *Delivery, laneDepth))
	}
	return s, nil
}

// Lane is where the deliveries of a share of the aggregates arrive.
func (s *Subscription) Lane(i int) <-chan *Delivery { return s.lanes[i] }

// Watermark is the sequence up to which everything is dealt with.
func (s *Subscription) Watermark() uint64 { return s.tracker.watermark() }

// Lanes is how many there are.
func (s *Subscription) Lanes() int { return len(s.lanes) }

// State is the consumer at one moment.
type State struct {
	Exists    bool
	Delivered uint64 // the highest stream sequence handed to any copy
	Number    uint64 // of the newest delivery, redeliveries counted
	AckFloor  uint64 // all up to here is acknowledged
	Waiting   uint64 // not delivered yet
	Pending   uint64 // not delivered yet, or not acknowledged
}

// State asks the broker; a consumer that does not exist is no error.
func (s *Subscription) State(ctx context.Context) (State, error) {
	return StateOf(ctx, s.cfg.Stream, s.cfg.Durable)
}

// StateOf asks the broker for a durable consumer's state, without subscribing.
func StateOf(ctx context.Context, stream *eventstore.Stream, durable string) (State, error) {
	cons, err := stream.JetStream().Consumer(ctx, stream.Name(), durable)
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		return State{}, nil
	}
	if err != nil {
		return State{}, fmt.Errorf("subscription: look up consumer %s: %w", durable, err)
	}
	return stateOf(cons.CachedInfo()), nil
}

func stateOf(info *jetstream.ConsumerInfo) State {
	return State{
		Exists:    true,
		Delivered: info.Delivered.Stream,
		Number:    info.Delivered.Consumer,
		AckFloor:  info.AckFloor.Stream,
		Waiting:   info.NumPending,
		Pending:   info.NumPending + uint64(info.NumAckPending),
	}
}

// Written is the state where everything up to sequence is known to be dealt with,
// whatever the broker has heard of that.
func (s State) Written(sequence uint64) State {
	s.AckFloor = max(s.AckFloor, sequence)
	if sequence >= s.Delivered {
		s.Pending = s.Waiting
	}
	return s
}

// Resume tells that everything up to sequence has been dealt with already, by a
// scan, and what State had said before the scan. Call it before Run.
func (s *Subscription) Resume(sequence uint64, before State) {
	s.cfg.Start = sequence + 1
	s.tracker = newTracker(sequence, before.Number)
}

// Drain asks the broker for nothing more: Run returns when the lanes have taken what
// had come. It does not wait for that. What the broker was about to send goes to
// another copy at once.
func (s *Subscription) Drain() { s.once.Do(func() { close(s.drain) }) }

// Run pulls messages into the lanes until ctx ends, or Drain is called and the lanes
// have taken what had come. It re-creates the consumer
// when it was deleted, from the first sequence that is not done, and pulls anew
// after lost heartbeats. An error means that the configuration cannot work.
func (s *Subscription) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	wg.Go(func() { s.keepAlive(ctx) })
	for ctx.Err() == nil && !s.consume(ctx) {
		s.tracker.unsure()
		select {
		case <-ctx.Done():
		case <-s.drain:
			return nil
		case <-time.After(retryAfter):
		}
	}
	return nil
}

const retryAfter = 250 * time.Millisecond

// consume pulls until something goes wrong, ctx ends or, as it then says, Drain was
// called.
func (s *Subscription) consume(ctx context.Context) (drained bool) {
	broken := make(chan error, 1)
	cc, err := s.pull(ctx, broken)
	if err != nil {
		s.interrupted(ctx, err)
		return false
	}
	select {
	case <-s.drain:
		drained = true
	case err := <-broken:
		s.interrupted(ctx, err)
	case <-ctx.Done():
		cc.Stop()
		<-cc.Closed()
		return false
	}
	// What has come goes to the lanes. Else it would wait for AckWait, and what follows
	// it would be a gap meanwhile.
	cc.Drain()
	select {
	case <-cc.Closed():
	case <-ctx.Done(): // the broker is away, or the lanes take nothing
	}
	return drained
}

func (s *Subscription) interrupted(ctx context.Context, err error) {
	if ctx.Err() == nil {
		s.cfg.Logger.Warn("subscription interrupted, starting again", "consumer", s.cfg.Durable, "cause", err)
	}
}

// pull has messages dispatched; broken gets the first error.
func (s *Subscription) pull(ctx context.Context, broken chan<- error) (jetstream.ConsumeContext, error) {
	cons, err := s.open(ctx)
	if err != nil {
		return nil, err
	}
	cc, err := cons.Consume(
		func(m jetstream.Msg) { s.dispatch(ctx, m) },
		jetstream.PullMaxMessages(pullAhead),
		jetstream.PullExpiry(pullExpiry),
		jetstream.PullHeartbeat(pullExpiry/4),
		jetstream.ConsumeErrHandler(func(_ jetstream.ConsumeContext, err error) {
			select {
			case broken <- err:
			default:
			}
		}))
	if err != nil {
		return nil, fmt.Errorf("subscription: consume %s: %w", s.cfg.Durable, err)
	}
	return cc, nil
}

const pullExpiry = 8 * time.Second

// open finds the durable consumer, makes it, or corrects its settings.
func (s *Subscription) open(ctx context.Context) (jetstream.Consumer, error) {
	js, stream := s.cfg.Stream.JetStream(), s.cfg.Stream.Name()
	cons, err := js.Consumer(ctx, stream, s.cfg.Durable)
	want := s.consumerConfig()
	switch {
	case errors.Is(err, jetstream.ErrConsumerNotFound):
		want.OptStartSeq = s.tracker.watermark() + 1
		cons, err = js.CreateConsumer(ctx, stream, want)
	case err == nil:
		have := cons.CachedInfo().Config
		want.OptStartSeq = have.OptStartSeq
		if have.MaxAckPending != want.MaxAckPending || have.AckWait != want.AckWait {
			cons, err = js.UpdateConsumer(ctx, stream, want)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("subscription: open consumer %s: %w", s.cfg.Durable, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cons = cons
	return cons, nil
}

func (s *Subscription) consumerConfig() jetstream.ConsumerConfig {
	return jetstream.ConsumerConfig{
		Durable:       s.cfg.Durable,
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy,
		AckPolicy:     jetstream.AckExplicitPolicy,
		AckWait:       s.cfg.AckWait,
		MaxDeliver:    -1,
		MaxAckPending: s.cfg.MaxAckPending,
		FilterSubject: s.cfg.Stream.Filter(s.cfg.Partition),
		Replicas:      s.cfg.Replicas,
	}
}

// dispatch hands a message to its lane, and blocks while the lane is full: that
// is what slows the pull.
func (s *Subscription) dispatch(ctx context.Context, m jetstream.Msg) {
	receipt, ok := eventstore.ReceiptOf(m.Reply())
	if !ok {
		s.cfg.Logger.Error("message without a JetStream reply subject ignored", "subject", m.Subject(), "reply", m.Reply())
		return
	}
	d := &Delivery{
		Message: eventstore.Message{
			Subject:  m.Subject(),
			Sequence: receipt.Sequence,
			Stored:   receipt.Stored,
			Header:   m.Headers(),
			Data:     m.Data(),
		},
		Deliveries: receipt.Deliveries,
		Pending:    receipt.Pending,
		msg:        m,
		sub:        s,
	}
	s.tracker.delivered(d, receipt.Number)
	lane := maphash.String(s.seed, d.Subject) % uint64(len(s.lanes))
	select {
	case s.lanes[lane] <- d:
	case <-ctx.Done():
	}
}

// keepAlive extends the messages that are worked on, and asks for the
// acknowledgement floor while other copies take part.
func (s *Subscription) keepAlive(ctx context.Context) {
	extend := time.NewTicker(s.cfg.AckWait / 3)
	defer extend.Stop()
	floor := time.NewTicker(time.Second)
	defer floor.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-extend.C:
			for _, d := range s.tracker.working(time.Now().Add(-s.cfg.AckWait / 3)) {
				if err := d.msg.InProgress(); err != nil {
					s.cfg.Logger.Debug("could not extend a message", "sequence", d.Sequence, "cause", err)
				}
			}
		case <-floor.C:
			s.sampleFloor(ctx)
		}
	}
}

func (s *Subscription) sampleFloor(ctx context.Context) {
	s.mu.Lock()
	cons := s.cons
	s.mu.Unlock()
	if cons == nil || !s.tracker.needsFloor() {
		return
	}
	info, err := cons.Info(ctx)
	if err != nil {
		s.cfg.Logger.Debug("could not ask for the acknowledgement floor", "consumer", s.cfg.Durable, "cause", err)
		return
	}
	s.tracker.floorAt(info.AckFloor.Stream)
}
