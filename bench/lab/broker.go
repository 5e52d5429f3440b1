package lab

import (
	"context"
	"fmt"
	"time"

	"github.com/admitone/admitone/eventstore"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Sync intervals of a broker.
const (
	Relaxed               = 2 * time.Minute // the broker's own default
	Durable time.Duration = 0               // sync always
)

// Broker is a JetStream server and a connection to it.
type Broker struct {
	NC *nats.Conn
	JS jetstream.JetStream
}

// Broker starts an embedded server in this process, with an in-process connection.
func (l *Lab) Broker(ctx context.Context, sync time.Duration) (*Broker, error) {
	dir, err := l.Dir()
	if err != nil {
		return nil, err
	}
	server, err := eventstore.StartServer(ctx, eventstore.ServerConfig{Dir: dir, SyncInterval: sync})
	if err != nil {
		return nil, err
	}
	l.Later(server.Close)
	nc, err := server.Connect()
	if err != nil {
		return nil, err
	}
	return l.connected(nc)
}

func (l *Lab) connected(nc *nats.Conn) (*Broker, error) {
	l.Later(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, fmt.Errorf("jetstream: %w", err)
	}
	return &Broker{NC: nc, JS: js}, nil
}

// Stream opens an event stream. The window in which the broker looks for duplicate
// ids is short where short is set: its memory would otherwise hold the id of
// every event of a large stream.
func (b *Broker) Stream(ctx context.Context, cfg eventstore.StreamConfig, short bool) (*eventstore.Stream, error) {
	if short {
		cfg.DuplicateWindow = time.Second
	}
	return eventstore.OpenStream(ctx, b.NC, cfg)
}
