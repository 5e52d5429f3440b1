// Package cql keeps read models in a cluster that speaks CQL: ScyllaDB, or Apache
// Cassandra. Only cmd and tests import it, and only it imports gocql.
//
// A statement is sent once, and again a bounded number of times where the failure
// may pass: every write carries its own timestamp, so repeating it changes nothing.
// Reads and writes are LOCAL_QUORUM, so a read sees every write acknowledged
// before it began.
package cql

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"sync/atomic"
	"time"

	"github.com/admitone/admitone/readstore"
	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/retrypolicy"
)

// Config of a store.
type Config struct {
	// Hosts to begin with, each a host or host:port; one port for all of the cluster.
	Hosts []string
	// Keyspace is made when missing: 1 to 48 lower-case letters, digits, underscores.
	Keyspace string
	// ReplicationFactor of a keyspace that is made; 0 is 3, or the nodes of the
	// local datacenter where they are fewer.
	ReplicationFactor int
	// Username and Password, if the cluster asks for them.
	Username, Password string
	// TLS, if not nil, encrypts all connections.
	TLS *tls.Config
	// Timeout is how long a statement may take, repetitions included; 0 is 2.5 s.
	// Changes of the schema may take schemaTimeout.
	Timeout time.Duration
	// Concurrency is how many statements are under way at once, of all calls
	// together; 0 is 192.
	Concurrency int
	// Logger takes what happens to the connection; nil discards it.
	Logger *slog.Logger
}

const schemaTimeout = 10 * time.Second

var validKeyspace = regexp.MustCompile(`^[a-z][a-z0-9_]{0,47}$`)

// Validate reports every fault at once.
func (c Config) Validate() error {
	var errs []error
	if len(c.Hosts) == 0 {
		errs = append(errs, errors.New("cql: no hosts are given"))
	}
	if _, err := c.port(); err != nil {
		errs = append(errs, err)
	}
	if !validKeyspace.MatchString(c.Keyspace) {
		errs = append(errs, fmt.Errorf("cql: keyspace %q: a name is 1 to 48 of a-z, 0-9 and _, and begins with a letter", c.Keyspace))
	}
	if c.ReplicationFactor < 0 || c.Timeout < 0 || c.Concurrency < 0 {
		errs = append(errs, errors.New("cql: replication factor, timeout and concurrency are not below 0"))
	}
	return errors.Join(errs...)
}

func (c Config) withDefaults() Config {
	if c.Timeout == 0 {
		c.Timeout = 2500 * time.Millisecond
	}
	if c.Concurrency == 0 {
		c.Concurrency = 192
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// Store implements readstore.Store. Until it is connected, and while the cluster
// does not answer, calls end with ErrUnavailable within about Config.Timeout.
type Store struct {
	cfg     Config
	workers *workers
	repeat  failsafe.Executor[any]

	link    atomic.Pointer[link]
	failure atomic.Pointer[error] // why there is no link yet
	stop    context.CancelFunc
	done    chan struct{} // closed when connecting has ended
}

var _ readstore.Store = (*Store)(nil)

// Open checks the configuration and connects in the background, until it succeeds
// or the store is closed; it does not wait for the cluster.
func Open(cfg Config) (*Store, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	ctx, stop := context.WithCancel(context.Background())
	s := &Store{cfg: cfg, workers: newWorkers(cfg.Concurrency), stop: stop, done: make(chan struct{})}
	s.repeat = failsafe.With(retrypolicy.NewBuilder[any]().
		HandleIf(func(_ any, err error) bool { return mayPass(err) }).
		WithMaxAttempts(3).WithBackoff(50*time.Millisecond, 400*time.Millisecond).WithJitterFactor(0.25).
		// One attempt takes half of the time; behind a second one there is none left.
		WithMaxDuration(cfg.Timeout / 2).ReturnLastFailure().Build())
	go func() {
		defer close(s.done)
		s.connect(ctx)
	}()
	return s, nil
}

// Ping implements readstore.Store.
func (s *Store) Ping(ctx context.Context) error {
	return s.errorOf(ctx, s.try(ctx, func(l *link) error {
		return l.data.Query("SELECT key FROM system.local").WithContext(ctx).Exec()
	}))
}

// Close implements readstore.Store. Where it is still connecting it waits for the
// attempt under way, some seconds at most. Closing again does nothing.
func (s *Store) Close() error {
	s.stop()
	<-s.done
	s.workers.close()
	if l := s.link.Load(); l != nil {
		l.close()
	}
	return nil
}

// try runs one statement, and again where its failure may pass.
func (s *Store) try(ctx context.Context, statement func(*link) error) error {
	l, err := s.connected()
	if err != nil {
		return err
	}
	err = statement(l)
	if err == nil || !mayPass(err) || ctx.Err() != nil {
		return err
	}
	first := err
	return s.repeat.WithContext(ctx).Run(func() error {
		if err := first; err != nil { // the failed attempt counts, and is waited behind
			first = nil
			return err
		}
		return statement(l)
	})
}

func (s *Store) connected() (*link, error) {
	if l := s.link.Load(); l != nil {
		return l, nil
	}
	err := fmt.Errorf("%w: not connected yet", readstore.ErrUnavailable)
	if cause := s.failure.Load(); cause != nil {
		err = fmt.Errorf("%w: %w", err, *cause)
	}
	return nil, err
}
