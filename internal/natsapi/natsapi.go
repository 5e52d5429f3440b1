// Package natsapi answers the API's commands, and some of its queries, over NATS
// request-reply, so that another service needs no address: cmd.<operation> and
// query.<operation>, with the same JSON, errors, access tokens and idempotency as over
// HTTP, since each request goes through the HTTP handler itself. Copies share the requests. It also announces what runs in
// this process with the NATS micro framework.
//
// cmd wires it. It imports api and nats.go.
package natsapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/admitone/admitone/api"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
)

// Config of a Server. All of it is required, but Requests where the copy answers none.
type Config struct {
	Conn    *nats.Conn
	Version string // semantic
	Roles   []string
	// Metadata describes the process to operators.
	Metadata map[string]string
	// Health answers for the process; it must keep to its context.
	Health func(context.Context) []api.Check
	// Requests is the HTTP handler that commands and queries go through; nil: none are
	// answered.
	Requests http.Handler
	Logger   *slog.Logger
}

// How many commands, and how many queries of one name, a copy answers at once. More
// commands wait in the broker's client until there is room; more queries, which may stay
// for long, are answered with a 503.
const (
	CommandsInFlight = 256
	QueriesInFlight  = 1024
)

// Server is the services of this process until it is closed.
type Server struct {
	cfg      Config
	services []micro.Service
	wg       sync.WaitGroup
	ctx      context.Context
	cancel   context.CancelFunc
}

// ServiceName is what a role is registered as.
func ServiceName(role string) string { return "admitone-" + role }

// Serve registers each role as a service, and returns when the broker knows of all.
// Close it.
func Serve(cfg Config) (*Server, error) {
	s := &Server{cfg: cfg}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	for i, role := range cfg.Roles {
		if err := s.register(role, i == 0); err != nil {
			s.Close(0)
			return nil, fmt.Errorf("natsapi: register %s: %w", role, err)
		}
	}
	// Else the broker may not know of it yet, and tell an early caller that nobody answers.
	if err := cfg.Conn.FlushTimeout(knownWithin); err != nil {
		s.Close(0)
		return nil, fmt.Errorf("natsapi: make the broker know of the services: %w", err)
	}
	return s, nil
}

// register adds a role; the first one also answers requests.
func (s *Server) register(role string, first bool) error {
	service, err := micro.AddService(s.cfg.Conn, micro.Config{
		Name: ServiceName(role), Version: s.cfg.Version, Description: "AdmitOne in the role " + role, Metadata: s.cfg.Metadata,
		ErrorHandler: func(_ micro.Service, err *micro.NATSError) {
			s.cfg.Logger.Warn("request over NATS failed", "subject", err.Subject, "cause", err.Description)
		},
	})
	if err != nil {
		return err
	}
	s.services = append(s.services, service)
	err = service.AddEndpoint("health", micro.HandlerFunc(s.health),
		micro.WithEndpointSubject("health."+service.Info().ID), micro.WithEndpointQueueGroupDisabled())
	if err != nil || !first || s.cfg.Requests == nil {
		return err
	}
	list, err := inquiries()
	if err != nil {
		return err
	}
	for _, q := range list {
		if err := service.AddEndpoint(q.endpointName(), s.serve(q), micro.WithEndpointSubject(q.subject)); err != nil {
			return err
		}
	}
	return nil
}

func inquiries() (list []inquiry, err error) {
	commands, err := api.Commands()
	if err != nil {
		return nil, err
	}
	queries, err := api.Queries()
	if err != nil {
		return nil, err
	}
	room := make(chan struct{}, CommandsInFlight)
	for _, c := range commands {
		list = append(list, inquiry{Operation: c, subject: api.CommandSubject + c.Name, room: room})
	}
	for _, q := range queries {
		list = append(list, inquiry{Operation: q, subject: api.QuerySubject + q.Name, query: true, room: make(chan struct{}, QueriesInFlight)})
	}
	return list, nil
}

// knownWithin is how long the broker may take to know of what was registered.
const knownWithin = 10 * time.Second

// How long a closing server waits for what is on its way to it.
const (
	flushWithin = time.Second
	handOut     = 50 * time.Millisecond
)

// Close takes no more requests, and lets those under way finish for at most grace.
// What comes later is no error: it does nothing.
func (s *Server) Close(grace time.Duration) {
	late := time.AfterFunc(grace, s.cancel)
	for _, service := range s.services {
		if err := service.Stop(); err != nil && !errors.Is(err, nats.ErrConnectionClosed) {
			s.cfg.Logger.Warn("service did not stop in order", "service", service.Info().Name, "cause", err)
		}
	}
	// What the broker has passed on until it knows of the end is here after a flush,
	// and handed out a moment later.
	if len(s.services) > 0 && s.cfg.Conn.FlushTimeout(flushWithin) == nil {
		<-time.After(handOut)
	}
	s.services = nil
	s.wg.Wait()
	late.Stop()
	s.cancel()
}

func (s *Server) health(r micro.Request) {
	s.wg.Go(func() {
		body, err := json.Marshal(s.cfg.Health(s.ctx))
		if err == nil {
			err = s.cfg.Conn.Publish(r.Reply(), body) // see send
		}
		if err != nil {
			s.cfg.Logger.Debug("health not sent", "cause", err)
		}
	})
}
