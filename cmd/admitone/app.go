package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/admitone/admitone/commands"
	"github.com/admitone/admitone/commands/httpapi"
	"github.com/admitone/admitone/domain/order"
	"github.com/admitone/admitone/domain/ticket"
	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/eventstore/sealed"
	"github.com/admitone/admitone/eventstore/subscription"
	"github.com/admitone/admitone/internal/control"
	"github.com/admitone/admitone/internal/httpx"
	"github.com/admitone/admitone/internal/keys"
	"github.com/admitone/admitone/internal/natsapi"
	"github.com/admitone/admitone/processes/bot"
	"github.com/admitone/admitone/projections"
	"github.com/admitone/admitone/projections/market"
	"github.com/admitone/admitone/readapi"
	"github.com/admitone/admitone/readstore"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/sdk/trace"
	"golang.org/x/sync/errgroup"
)

// How long requests under way may take when the program is told to stop, and what is
// sent at the end: together less than the 10 s within which it has to be gone. What
// waits for a decision has it sooner, since the rest goes on meanwhile.
const (
	requestGrace = 6 * time.Second
	grace        = 3 * time.Second
)

// app is the whole program, put together in the order of its fields. Tests start
// it as main does.
type app struct {
	cfg serveConfig
	log *slog.Logger

	lock          *os.File
	keys          *keys.Keys
	broker        *broker
	store         readstore.Store
	records       *eventstore.Records
	streams       map[string]*eventstore.Stream // by name
	tickets       *eventstore.Stream
	orders        *eventstore.Stream
	conversations *eventstore.Stream
	sealing       *sealed.Keys
	work          workforce
	decisions     *subscription.Watch // of ORDERS
	messages      *subscription.Watch // of CONVERSATIONS
	ticketQueries *readapi.TicketQueries
	orderQueries  *readapi.OrderQueries
	updates       *readapi.ConversationUpdates
	metrics       *prometheus.Registry
	listener      net.Listener
	http          http.Handler
	control       *control.Server
	services      *natsapi.Server
	self          presence              // what this copy says of itself
	copies        jetstream.KeyValue    // where it says so; nil in the embedded form
	traces        *trace.TracerProvider // nil: none
	observed      *appendMetrics
	wasReady      atomic.Bool // a readiness probe has found nothing wrong once

	ticketHandler       *commands.Handler[ticket.State, ticket.Command]
	conversationHandler *bot.Conversations
	orderHandler        *commands.Handler[order.State, order.Command]
}

// run serves until ctx ends or something fails for good.
func run(ctx context.Context, cfg serveConfig, log *slog.Logger, out io.Writer) error {
	a := &app{cfg: cfg, log: log}
	defer a.close()
	if err := a.open(ctx); err != nil {
		return err
	}
	a.announce(out)
	group, running := errgroup.WithContext(ctx)
	// Requests under way wait for what the rest does, so that ends after them.
	working, stopWork := context.WithCancel(context.WithoutCancel(ctx))
	group.Go(func() error {
		defer stopWork()
		return a.answer(running)
	})
	a.background(working, group)
	err := group.Wait()
	if errors.Is(err, context.Canceled) {
		err = nil
	}
	return err
}

// answer serves requests, over HTTP and NATS, until ctx ends and those under way are
// answered.
func (a *app) answer(ctx context.Context) error {
	a.work.awaitStart(ctx, &a.cfg)
	ctx, stop := context.WithCancel(ctx)
	var services sync.WaitGroup
	services.Go(func() {
		<-ctx.Done()
		a.forgetAddress() // who looks for it there asks another copy
		a.updates.EndWaits()
		a.services.Close(requestGrace)
	})
	services.Go(func() { a.stayPresent(ctx) })
	err := httpx.Serve(ctx, a.listener, a.http, a.log, requestGrace)
	stop()
	services.Wait()
	return err
}

// background starts all but what serves requests, until ctx ends.
func (a *app) background(ctx context.Context, group *errgroup.Group) {
	a.work.start(ctx, &a.cfg, group)
	group.Go(func() error { return a.sealing.Run(ctx) })
	if a.cfg.has(roleAPI) {
		group.Go(func() error { return a.decisions.Run(ctx) })
		group.Go(func() error { return a.messages.Run(ctx) })
	}
	group.Go(func() error { return a.keepRecord(ctx) })
}

func (a *app) open(ctx context.Context) error {
	steps := []func(context.Context) error{
		a.openTraces, a.openData, a.openBroker, a.sharesReadStore, a.openStore, a.openStreams, a.openKeys, a.openProjections, a.openCommands, a.openQueries, a.openProcesses, a.openBot, a.openHTTP, a.openControl, a.openServices, a.openPresence,
	}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) path(name string) string { return filepath.Join(a.cfg.Data, name) }

func (a *app) openData(context.Context) (err error) {
	if a.lock, err = lockData(a.cfg.Data); err != nil {
		return err
	}
	// A killed process leaves its address behind, where another may listen by now.
	if err := os.Remove(a.path("http.url")); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("data directory: %w", err)
	}
	a.keys, err = keys.LoadOrCreate(keysPath(a.cfg.Data, a.cfg.Keys))
	return err
}

func (a *app) openBroker(ctx context.Context) (err error) {
	a.broker, err = openBroker(ctx, a.cfg, a.log)
	return err
}

func (a *app) openStore(context.Context) (err error) {
	a.store, err = openStore(a.cfg, a.log)
	return err
}

func (a *app) openProjections(ctx context.Context) error {
	list, err := market.All()
	if err != nil {
		return err
	}
	if err := a.project(ctx, roleProjector, list); err != nil {
		return err
	}
	if list, err = market.Auditor(); err != nil {
		return err
	}
	return a.project(ctx, roleAuditor, list)
}

// project prepares what a role projects.
func (a *app) project(ctx context.Context, role string, list []*projections.Projection) error {
	shares, err := a.join(ctx, role)
	if err != nil {
		return err
	}
	projector, err := projections.New(ctx, a.store, a.streams, projections.Config{
		Replicas: a.broker.replicas, Shares: shares, RebuildOnLogChange: a.cfg.OnLogChange == "rebuild", Logger: a.log,
	}, list...)
	a.work.projecting = append(a.work.projecting, projecting{projector, role, shares})
	return err
}

func (a *app) openCommands(ctx context.Context) error {
	snapshots, err := eventstore.OpenSnapshots(ctx, a.tickets.JetStream(), a.broker.replicas)
	if err != nil {
		return err
	}
	if a.ticketHandler, err = commands.New(a.tickets, snapshots, httpapi.TicketDecider(), commands.Config{Logger: a.log}); err != nil {
		return err
	}
	if a.orderHandler, err = commands.New(a.orders, snapshots, httpapi.OrderDecider(), commands.Config{Logger: a.log}); err != nil {
		return err
	}
	a.conversationHandler, err = commands.New(a.conversations, snapshots, httpapi.ConversationDecider(a.sealing), commands.Config{Logger: a.log})
	return err
}

func (a *app) openControl(context.Context) (err error) {
	operations := a.work.operations()
	operations[opReadStore] = a.answerReadStore
	operations[opImport] = importOperation(a.ticketHandler)
	operations[opDoctor] = a.answerDoctor
	operations[opErase] = a.answerErase
	a.control, err = control.Serve(a.broker.nc, a.log, operations)
	return err
}

// announce says where everything is, and how durable it is.
func (a *app) announce(out io.Writer) {
	_, _ = fmt.Fprintf(out, "AdmitOne %s\n  http        http://%s\n  nats        %s\n  read models %s\n  data        %s\n  durability  %s\n",
		currentVersion().Version, a.listener.Addr(), a.broker.where, storeName(a.cfg), a.cfg.Data, a.broker.durability)
}

func (a *app) forgetAddress() { _ = os.Remove(a.path("http.url")) }

// close undoes open, backwards.
func (a *app) close() {
	if a.services != nil {
		a.services.Close(0)
	}
	if a.control != nil {
		a.control.Close()
	}
	a.closeHandlers()
	if a.listener != nil {
		_ = a.listener.Close()
		a.forgetAddress()
	}
	if a.store != nil {
		if err := a.store.Close(); err != nil {
			a.log.Warn("read store did not close", "cause", err)
		}
	}
	if a.broker != nil {
		a.broker.close()
	}
	if a.lock != nil {
		_ = a.lock.Close()
	}
	a.closeTraces()
}

// closeHandlers lets the snapshots on their way be saved.
func (a *app) closeHandlers() {
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	var err error
	if a.ticketHandler != nil {
		err = a.ticketHandler.Close(ctx)
	}
	if a.orderHandler != nil {
		err = errors.Join(err, a.orderHandler.Close(ctx))
	}
	if a.conversationHandler != nil {
		err = errors.Join(err, a.conversationHandler.Close(ctx))
	}
	if err != nil {
		a.log.Warn("snapshots were not all kept", "cause", err)
	}
}

// writeFile replaces a file as a whole.
func writeFile(path, text string) error {
	temporary := path + ".new"
	if err := os.WriteFile(temporary, []byte(text), 0o600); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.Rename(temporary, path); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
