package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/admitone/admitone/api"
	"github.com/admitone/admitone/commands"
	"github.com/admitone/admitone/domain"
	"github.com/admitone/admitone/domain/conversation"
	"github.com/admitone/admitone/domain/order"
	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/eventstore/sealed"
	"github.com/admitone/admitone/eventstore/subscription"
	"github.com/admitone/admitone/processes"
	"github.com/admitone/admitone/processes/bot"
	"github.com/admitone/admitone/readapi"
	"github.com/admitone/admitone/readstore"
	"github.com/google/uuid"
)

// openTexts opens sealed texts for queries.
type openTexts struct {
	keys *sealed.Keys
	log  *slog.Logger
}

// OpenTexts shows a text that does not open like one that is erased, and says so in
// the log: the rest of the page can be read all the same.
func (o openTexts) OpenTexts(ctx context.Context, items []readapi.SealedText) ([]readapi.OpenedText, error) {
	asked := make([]sealed.Item, len(items))
	for i, item := range items {
		asked[i] = sealed.Item{
			Field: sealed.Field{Owner: item.Owner, Aggregate: item.Conversation, Name: conversation.TextField},
			Text:  sealed.Text{Sealed: item.Sealed},
		}
	}
	opened, err := o.keys.OpenTexts(ctx, asked)
	if err != nil {
		return nil, err
	}
	texts := make([]readapi.OpenedText, len(items))
	for i, one := range opened {
		texts[i] = readapi.OpenedText{Text: one.Text, Erased: one.Err != nil}
		if one.Err != nil && !errors.Is(one.Err, sealed.ErrErased) {
			o.log.ErrorContext(ctx, "a sealed text does not open", "conversation", items[i].Conversation, "cause", one.Err)
		}
	}
	return texts, nil
}

// conversationLog is the stream of conversations as followers read it.
type conversationLog struct {
	*subscription.Watch
	stream  *eventstore.Stream
	handler *commands.Handler[conversation.State, conversation.Command]
}

func (l conversationLog) Current(ctx context.Context, id uuid.UUID) (uuid.UUID, uint64, error) {
	now, err := l.handler.Current(ctx, id)
	return now.State.AccountID, now.Version, err
}

func (l conversationLog) Behind(ctx context.Context, id uuid.UUID, version, sequence uint64, limit int) (readapi.ConversationEvents, error) {
	history, err := l.load(ctx, id, version, sequence, limit)
	if err != nil {
		return readapi.ConversationEvents{}, err
	}
	found := readapi.ConversationEvents{Sequence: history.LastSequence}
	for _, e := range history.Events {
		found.Items = append(found.Items, readapi.ConversationEvent{
			Version: e.Version, Sequence: e.Sequence, At: e.Time, Event: e.Payload.(conversation.Event),
		})
	}
	return found, nil
}

// load reads all of a conversation only where nothing else helps: it may be long.
func (l conversationLog) load(ctx context.Context, id uuid.UUID, version, sequence uint64, limit int) (h eventstore.History, err error) {
	if sequence == 0 {
		if sequence, err = l.stream.Seek(ctx, id, version); err != nil {
			return h, err
		}
	}
	h, err = l.stream.LoadSome(ctx, id, version, sequence, limit)
	if sequence > 0 && h.Missing > 0 {
		return l.stream.LoadSome(ctx, id, version, 0, limit)
	}
	return h, err
}

// catalog is the lists that the Bot looks into, and the log of orders.
type catalog struct {
	orders  *readapi.OrderQueries
	tickets *readapi.TicketQueries
	log     *eventstore.Stream
}

func (c catalog) OrdersOf(ctx context.Context, buyer uuid.UUID, limit int) ([]uuid.UUID, error) {
	orders, err := c.orders.NewestOf(ctx, buyer, limit)
	ids := make([]uuid.UUID, len(orders))
	for i, o := range orders {
		ids[i] = uuid.MustParse(o.ID)
	}
	return ids, away(err)
}

func (c catalog) BuyerOf(ctx context.Context, id uuid.UUID) (uuid.UUID, error) {
	history, err := c.log.LoadSome(ctx, id, 0, 0, 1)
	if unreadable := (*eventstore.DecodeError)(nil); errors.As(err, &unreadable) || err == nil && len(history.Events) == 0 {
		return uuid.Nil, nil
	}
	if err != nil {
		return uuid.Nil, away(err)
	}
	placed, _ := history.Events[0].Payload.(order.Placed)
	return placed.BuyerID, nil
}

func (c catalog) ForSale(ctx context.Context, w bot.Wanted, limit int) (bot.Offers, error) {
	tickets, more, err := c.tickets.ForSale(ctx, api.Money(w.Max), limit)
	offers := bot.Offers{More: more}
	for _, t := range tickets {
		offers.Tickets = append(offers.Tickets, bot.Ticket{ID: uuid.MustParse(t.ID), Title: t.Title, Price: domain.Money(t.Price)})
	}
	return offers, away(err)
}

// away tells a process that a list cannot be read just now, so that it waits: whatever
// the cause is, but for a question that is wrong, it is not the conversation's.
func away(err error) error {
	if err == nil {
		return nil
	}
	for _, as := range []error{eventstore.ErrUnavailable, readstore.ErrInvalid, readstore.ErrBadCursor} {
		if errors.Is(err, as) {
			return err
		}
	}
	return fmt.Errorf("%w: %w", eventstore.ErrUnavailable, err)
}

// openBot prepares the process that answers users, and with it all that it looks up.
func (a *app) openBot(ctx context.Context) error {
	process, err := bot.Define(bot.English{}, a.log)
	if err != nil {
		return err
	}
	return a.react(ctx, roleBot, processes.Config{
		Targets: bot.Targets(a.conversationHandler, a.orderHandler), IsRefusal: bot.IsRefusal,
		Lookups: bot.Lookups(a.conversationHandler, a.orderHandler, a.sealing, catalog{a.orderQueries, a.ticketQueries, a.orders}),
	}, process)
}
