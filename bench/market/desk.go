package market

import (
	"context"
	"fmt"
	"log/slog"
	"sync"

	"github.com/admitone/admitone/commands"
	"github.com/admitone/admitone/commands/httpapi"
	"github.com/admitone/admitone/domain/conversation"
	"github.com/admitone/admitone/domain/order"
	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/eventstore/sealed"
	"github.com/admitone/admitone/eventstore/subscription"
	"github.com/admitone/admitone/processes"
	"github.com/admitone/admitone/processes/bot"
	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
)

// Desk is a support desk: conversations that are open, and a Bot that answers them.
type Desk struct {
	handler *bot.Conversations
	watch   *subscription.Watch
	talks   []*talk
}

// talk is one open conversation; its messages take turns.
type talk struct {
	mu   sync.Mutex
	id   uuid.UUID
	user uuid.UUID
}

// OpenDesk starts the Bot and opens so many conversations; later takes what ends it.
func OpenDesk(ctx context.Context, nc *nats.Conn, later func(func()), talks int) (*Desk, error) {
	registry := eventstore.NewRegistry()
	for _, e := range order.Events() {
		registry.Register(e)
	}
	orders, err := eventstore.OpenStream(ctx, nc, eventstore.StreamConfig{Name: "ORDERS", Registry: registry, GroupCommit: true})
	if err != nil {
		return nil, err
	}
	stream, err := eventstore.OpenStream(ctx, nc, eventstore.StreamConfig{Name: Talks, Registry: TalkRegistry(), GroupCommit: true})
	if err != nil {
		return nil, err
	}
	keys, err := sealed.Open(ctx, stream.JetStream(), sealed.Config{})
	if err != nil {
		return nil, err
	}
	d := &Desk{watch: subscription.NewWatch(stream, slog.New(slog.DiscardHandler))}
	if d.handler, err = commands.New(stream, nil, httpapi.ConversationDecider(keys), commands.Config{}); err != nil {
		return nil, err
	}
	orderHandler, err := commands.New(orders, nil, httpapi.OrderDecider(), commands.Config{})
	if err != nil {
		return nil, err
	}
	process, err := bot.Define(bot.English{}, nil)
	if err != nil {
		return nil, err
	}
	// A handler of its own, as a copy in the role bot has.
	answering, err := commands.New(stream, nil, httpapi.ConversationDecider(keys), commands.Config{})
	if err != nil {
		return nil, err
	}
	runner, err := processes.New(ctx, processes.Config{
		Streams: map[string]*eventstore.Stream{Talks: stream}, IsRefusal: bot.IsRefusal,
		Targets: bot.Targets(answering, orderHandler), Lookups: bot.Lookups(answering, orderHandler, keys, nothing{}),
	}, process)
	if err != nil {
		return nil, err
	}
	run(ctx, later, keys.Run, d.watch.Run, runner.Run)
	for _, started := range []<-chan struct{}{d.watch.Started(), runner.Started()} {
		select {
		case <-started:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return d, d.open(ctx, talks)
}

// run runs all until later ends them.
func run(ctx context.Context, later func(func()), all ...func(context.Context) error) {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	for _, one := range all {
		running.Go(func() { _ = one(ctx) })
	}
	later(func() {
		cancel()
		running.Wait()
	})
}

func (d *Desk) open(ctx context.Context, talks int) error {
	for range talks {
		t := &talk{id: uuid.Must(uuid.NewV7()), user: uuid.New()}
		cmd := conversation.Open{AccountID: t.user, Topic: conversation.TopicOther, MessageID: uuid.Must(uuid.NewV7()), Text: "hello"}
		if err := d.answered(ctx, t, true, cmd); err != nil {
			return err
		}
		d.talks = append(d.talks, t)
	}
	return nil
}

// Exchange sends a user's message in the i-th conversation, and returns once the Bot's
// reply is in the stream.
func (d *Desk) Exchange(ctx context.Context, i int) error {
	t := d.talks[i]
	t.mu.Lock()
	defer t.mu.Unlock()
	return d.answered(ctx, t, false, conversation.Send{
		MessageID: uuid.Must(uuid.NewV7()), Author: conversation.AuthorUser, AuthorID: t.user, Text: "Where is my order?",
	})
}

func (d *Desk) answered(ctx context.Context, t *talk, fresh bool, c conversation.Command) error {
	id := uuid.Must(uuid.NewV7())
	result, err := d.handler.Handle(ctx, commands.Command[conversation.Command]{ID: id, Aggregate: t.id, Fresh: fresh, Body: c})
	if err != nil {
		return err
	}
	for {
		reached, forget := d.watch.Wait(t.id, result.Version+1)
		now, err := d.handler.Current(ctx, t.id)
		if err != nil || now.Version > result.Version {
			forget()
			return err
		}
		select {
		case <-reached:
			forget()
			return nil
		case <-ctx.Done():
			forget()
			return fmt.Errorf("waiting for the Bot: %w", ctx.Err())
		}
	}
}

// nothing is lists without an entry.
type nothing struct{}

func (nothing) OrdersOf(context.Context, uuid.UUID, int) ([]uuid.UUID, error) { return nil, nil }

func (nothing) BuyerOf(context.Context, uuid.UUID) (uuid.UUID, error) { return uuid.Nil, nil }

func (nothing) ForSale(context.Context, bot.Wanted, int) (bot.Offers, error) {
	return bot.Offers{}, nil
}
