package main

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"

	"github.com/admitone/admitone/eventstore"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// broker is the NATS side: a server in this process, or a connection to others.
type broker struct {
	server     *eventstore.Server // nil with --nats
	nc         *nats.Conn
	where      string
	durability string
	replicas   int
	partitions int // of new streams
}

func openBroker(ctx context.Context, cfg serveConfig, log *slog.Logger) (*broker, error) {
	options := []nats.Option{
		nats.Name("admitone"), nats.MaxReconnects(-1), nats.RetryOnFailedConnect(false),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				log.Warn("disconnected from the broker", "cause", err)
			}
		}),
		nats.ReconnectHandler(func(nc *nats.Conn) { log.Info("connected to the broker again", "server", nc.ConnectedServerName()) }),
		nats.ErrorHandler(func(_ *nats.Conn, sub *nats.Subscription, err error) {
			subject := ""
			if sub != nil {
				subject = sub.Subject
			}
			log.Warn("broker connection", "subject", subject, "cause", err)
		}),
	}
	if cfg.NATS != "" {
		return openExternal(ctx, cfg, options)
	}
	return openEmbedded(ctx, cfg, log, options)
}

func openEmbedded(ctx context.Context, cfg serveConfig, log *slog.Logger, options []nats.Option) (*broker, error) {
	server, err := eventstore.StartServer(ctx, eventstore.ServerConfig{
		Dir: filepath.Join(cfg.Data, "jetstream"), SyncInterval: cfg.SyncInterval,
		URLFile: filepath.Join(cfg.Data, "nats.url"), Logger: log,
	})
	if err != nil {
		return nil, err
	}
	b := &broker{server: server, where: "embedded, " + filepath.Join(cfg.Data, "nats.url"), replicas: 1, durability: "every event is synced to disk before it is acknowledged"}
	if cfg.SyncInterval > 0 {
		b.durability = fmt.Sprintf("synced to disk every %s: a power cut loses up to that much of what was acknowledged", cfg.SyncInterval)
	}
	if b.nc, err = server.Connect(options...); err != nil {
		server.Close()
		return nil, err
	}
	b.partitions = cfg.Partitions
	return b, nil
}

func openExternal(ctx context.Context, cfg serveConfig, options []nats.Option) (*broker, error) {
	auth, err := cfg.NATSAuth.options()
	if err != nil {
		return nil, err
	}
	nc, err := eventstore.Connect(ctx, cfg.NATS, append(options, auth...)...)
	if err != nil {
		return nil, err
	}
	b := &broker{nc: nc, where: nc.ConnectedUrlRedacted(), replicas: cfg.Replicas, partitions: cfg.Partitions}
	// How many servers there are at this moment says nothing: one may be down.
	if b.replicas == 0 && nc.ConnectedClusterName() != "" {
		b.replicas = 3
	}
	b.replicas = max(b.replicas, 1)
	b.durability = "as the external NATS server is set up (want sync: always)"
	if b.replicas > 1 {
		b.durability = fmt.Sprintf("%d replicas in the NATS cluster", b.replicas)
	}
	return b, writeFile(filepath.Join(cfg.Data, "nats.url"), cfg.NATS+"\n")
}

// partitionsOf is how many partitions a stream is to have: what was asked for, or
// what it has, or the default of the form that this runs in.
func (b *broker) partitionsOf(ctx context.Context, stream string) (int, error) {
	if b.partitions != 0 || b.server != nil {
		return b.partitions, nil
	}
	js, err := jetstream.New(b.nc)
	if err != nil {
		return 0, fmt.Errorf("open JetStream: %w", err)
	}
	if _, err := js.Stream(ctx, stream); err == nil {
		return 0, nil
	}
	return 8, nil
}

// Byte limits of event streams that nobody has given one. The limit is reserved, and
// a server that has reserved more than it has makes no stream any more; so all
// streams together leave some of an embedded server's storage.
const (
	streamBytes = 8 << 30
	streamShare = 8
)

// streamBytes is the byte limit of an event stream that has none.
func (b *broker) streamBytes() int64 {
	if b.server == nil {
		return streamBytes
	}
	return min(streamBytes, b.server.MaxStore()/streamShare)
}

func (b *broker) close() {
	if b.nc != nil {
		b.nc.Close()
	}
	if b.server != nil {
		b.server.Close()
	}
}
