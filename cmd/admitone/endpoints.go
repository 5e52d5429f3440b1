package main

import (
	"context"
	"fmt"
	"net"

	"github.com/admitone/admitone/commands/httpapi"
	"github.com/admitone/admitone/eventstore/subscription"
	"github.com/admitone/admitone/internal/httpx"
	"github.com/admitone/admitone/readapi"
	"github.com/admitone/admitone/readstore"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// endpoints is every operation of the API, each from its own room.
type endpoints struct {
	*httpapi.TicketCommands
	*readapi.TicketQueries
	*httpapi.OrderCommands
	*readapi.OrderQueries
	*httpapi.ConversationCommands
	*readapi.ConversationQueries
	*readapi.ConversationUpdates
	*readapi.AdminEndpoints
	*httpx.Operations
}

func (a *app) openHTTP(context.Context) error {
	a.metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		&projectionMetrics{&a.work}, &processMetrics{&a.work})
	endpoints, err := a.endpoints()
	if err != nil {
		return err
	}
	if a.listener, err = net.Listen("tcp", a.cfg.HTTP); err != nil {
		return fmt.Errorf("serve HTTP on %s: %w: choose another address with --http", a.cfg.HTTP, err)
	}
	a.http, err = httpx.New(endpoints, httpx.Config{
		Keys: a.keys, Logger: a.log, Metrics: a.metrics, Rate: a.cfg.RateLimit, TrustedProxies: a.cfg.Proxies, Loopback: onLoopback(a.listener), ProbesOnly: !a.cfg.has(roleAPI),
	})
	if err != nil {
		return err
	}
	return writeFile(a.path("http.url"), "http://"+a.listener.Addr().String()+"\n")
}

// openQueries prepares the queries that the endpoints and the Bot share.
func (a *app) openQueries(context.Context) error {
	readers, err := a.readers("tickets", "orders")
	if err != nil {
		return err
	}
	if a.ticketQueries, err = readapi.NewTicketQueries(a.store, readers["tickets"], a.keys.Cursor()); err != nil {
		return err
	}
	a.orderQueries, err = readapi.NewOrderQueries(a.store, readers["orders"], a.keys.Cursor())
	return err
}

func (a *app) endpoints() (*endpoints, error) {
	readers, err := a.readers("orders_tickets", "conversations", "messages")
	if err != nil {
		return nil, err
	}
	a.decisions, a.messages = subscription.NewWatch(a.orders, a.log), subscription.NewWatch(a.conversations, a.log)
	e := &endpoints{
		TicketCommands: httpapi.NewTicketCommands(a.ticketHandler), TicketQueries: a.ticketQueries,
		OrderCommands: httpapi.NewOrderCommands(a.orderHandler, readapi.NewOffers(a.store, readers["orders_tickets"]),
			a.decisions, a.cfg.OrderExpiry), OrderQueries: a.orderQueries,
		ConversationCommands: httpapi.NewConversationCommands(a.conversationHandler, a.sealing),
		AdminEndpoints:       readapi.NewAdminEndpoints(&admin{workforce: &a.work, streams: a.allStreams()}),
	}
	texts := openTexts{keys: a.sealing, log: a.log}
	e.ConversationQueries, err = readapi.NewConversationQueries(a.store, readers["conversations"], readers["messages"], texts, a.keys.Cursor())
	if err != nil {
		return nil, err
	}
	a.updates, err = readapi.NewConversationUpdates(conversationLog{a.messages, a.conversations, a.conversationHandler}, texts, a.keys.Cursor())
	if err != nil {
		return nil, err
	}
	e.ConversationUpdates = a.updates
	events, err := eventCatalogue()
	if err != nil {
		return nil, err
	}
	e.Operations, err = httpx.NewOperations(a.ready, a.metrics, events)
	return e, err
}

func (a *app) readers(projections ...string) (map[string]readstore.Reader, error) {
	readers := map[string]readstore.Reader{}
	for _, name := range projections {
		r, err := a.work.reader(name)
		if err != nil {
			return nil, err
		}
		readers[name] = r
	}
	return readers, nil
}

func onLoopback(l net.Listener) bool {
	addr, ok := l.Addr().(*net.TCPAddr)
	return ok && addr.IP.IsLoopback()
}
