package eventstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// ServerConfig is the embedded JetStream server's.
type ServerConfig struct {
	Dir          string        // its store; created with mode 0700
	SyncInterval time.Duration // 0: sync always (every write is on disk before it is acknowledged)
	MaxStore     int64         // bytes; 0: most of what is free on the disk now, never all
	URLFile      string        // written 0600 with a URL any NATS client connects with; removed by Close. The port and the secret of an earlier start on Dir are kept where possible
	Logger       *slog.Logger  // the server's warnings and errors; nil: nowhere
}

// Server is a JetStream server inside this process, with a loopback listener
// guarded by a secret.
type Server struct {
	ns      *server.Server
	access  access
	urlFile string
	lock    *os.File
	closing sync.Once
}

// StartServer starts it and waits until it is ready. ErrMisconfigured when another
// process runs a server in Dir.
func StartServer(ctx context.Context, cfg ServerConfig) (*Server, error) {
	if cfg.Dir == "" || cfg.SyncInterval < 0 || cfg.MaxStore < 0 {
		return nil, fmt.Errorf("eventstore: embedded server: %w: a directory is required; interval and limit must not be negative", ErrMisconfigured)
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("eventstore: embedded server: %w", err)
	}
	lock, err := lockDir(cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("eventstore: embedded server in %s: %w", cfg.Dir, err)
	}
	s, err := startLocked(ctx, cfg)
	if err != nil {
		_ = lock.Close()
		return nil, fmt.Errorf("eventstore: embedded server in %s: %w", cfg.Dir, err)
	}
	s.lock = lock
	return s, nil
}

// startLocked starts it on the port of an earlier start, or on any.
func startLocked(ctx context.Context, cfg ServerConfig) (*Server, error) {
	kept := filepath.Join(cfg.Dir, accessFile)
	wanted := earlierAccess(kept)
	ns, err := startOn(ctx, cfg, wanted)
	if errors.Is(err, errPortTaken) {
		wanted.port = 0
		ns, err = startOn(ctx, cfg, wanted)
	}
	if err != nil {
		return nil, err
	}
	a := wanted.on(ns.Addr())
	if err := errors.Join(a.write(kept), a.write(cfg.URLFile)); err != nil {
		stop(ns)
		return nil, err
	}
	return &Server{ns: ns, access: a, urlFile: cfg.URLFile}, nil
}

var errPortTaken = errors.New("port is taken")

func startOn(ctx context.Context, cfg ServerConfig, a access) (*server.Server, error) {
	if a.port > 0 && !free(a.port) {
		return nil, errPortTaken
	}
	maxStore := cfg.MaxStore
	if maxStore == 0 {
		var err error
		if maxStore, err = storeLimit(cfg.Dir); err != nil {
			return nil, err
		}
	}
	port := a.port
	if port == 0 {
		port = server.RANDOM_PORT
	}
	ns, err := server.NewServer(&server.Options{
		ServerName:             "admitone",
		Host:                   "127.0.0.1",
		Port:                   port,
		Username:               accessUser,
		Password:               a.secret,
		JetStream:              true,
		StoreDir:               cfg.Dir,
		JetStreamMaxStore:      maxStore,
		SyncAlways:             cfg.SyncInterval == 0,
		SyncInterval:           cfg.SyncInterval,
		NoSigs:                 true,
		DisableJetStreamBanner: true,
	})
	if err != nil {
		return nil, err
	}
	log := &serverLog{log: cfg.Logger}
	ns.SetLoggerV2(log, false, false, false)
	ns.Start()
	if err := ready(ctx, ns, log); err != nil {
		stop(ns)
		return nil, err
	}
	return ns, nil
}

const startTimeout = time.Minute

// ready waits for the listener and JetStream; recovery of a large store takes its time.
func ready(ctx context.Context, ns *server.Server, log *serverLog) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for !ns.ReadyForConnections(100 * time.Millisecond) {
		// Such a server goes on running, as it expects its logger to end the process.
		if cause := log.fatal(); cause != nil {
			return cause
		}
		if ctx.Err() != nil {
			return fmt.Errorf("%w: not ready: %w", ErrUnavailable, ctx.Err())
		}
	}
	if !ns.JetStreamEnabled() {
		return fmt.Errorf("%w: JetStream did not start", ErrMisconfigured)
	}
	return nil
}

// Connect opens an in-process connection, not through the network.
func (s *Server) Connect(opts ...nats.Option) (*nats.Conn, error) {
	own := []nats.Option{nats.InProcessServer(s.ns), nats.UserInfo(accessUser, s.access.secret)}
	nc, err := connect(context.Background(), "", append(own, opts...))
	if err != nil {
		return nil, fmt.Errorf("eventstore: connect to the embedded server: %w", err)
	}
	return nc, nil
}

// URL is what URLFile holds.
func (s *Server) URL() string { return s.access.url() }

// MaxStore is how many bytes its streams may take together.
func (s *Server) MaxStore() int64 {
	if c := s.ns.JetStreamConfig(); c != nil {
		return c.MaxStore
	}
	return 0 // it is closed
}

// Close shuts the server down, waits for it, and removes URLFile. Safe to repeat.
func (s *Server) Close() {
	s.closing.Do(func() {
		stop(s.ns)
		if s.urlFile != "" {
			_ = os.Remove(s.urlFile) // a stale one only points at a port where nobody answers
		}
		_ = s.lock.Close() // nothing was written to it
	})
}

func stop(ns *server.Server) {
	ns.Shutdown()
	ns.WaitForShutdown()
}

// serverLog passes the server's warnings and errors on, and keeps why it died.
type serverLog struct {
	log *slog.Logger

	mu    sync.Mutex
	cause error
}

func (l *serverLog) Noticef(string, ...any) {}
func (l *serverLog) Debugf(string, ...any)  {}
func (l *serverLog) Tracef(string, ...any)  {}

func (l *serverLog) Warnf(format string, v ...any) {
	// The secret is random and in no configuration file: a hash would protect nothing.
	if strings.HasPrefix(format, "Plaintext passwords detected") {
		return
	}
	l.log.Warn("nats: " + fmt.Sprintf(format, v...))
}

func (l *serverLog) Errorf(format string, v ...any) {
	l.log.Error("nats: " + fmt.Sprintf(format, v...))
}

func (l *serverLog) Fatalf(format string, v ...any) {
	l.Errorf(format, v...)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cause = fmt.Errorf(format, v...)
}

func (l *serverLog) fatal() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cause
}
