package httpx

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	// leaveAfter is how long a server that was told to end still takes connections, so
	// that nobody meets a closed door who was on his way.
	leaveAfter = 250 * time.Millisecond
	// askWithin is how long those may take for their first request.
	askWithin = 2 * time.Second
)

// Serve answers requests until ctx ends. Then it closes each connection with its next
// answer, takes no new ones after a moment, and lets the requests under way finish for
// at most grace; at its half they are told to come to an end, so that what waits for
// something is answered and not cut off. It closes the listener.
func Serve(ctx context.Context, l net.Listener, h http.Handler, log *slog.Logger, grace time.Duration) error {
	requests, endRequests := context.WithCancel(context.WithoutCancel(ctx))
	defer endRequests()
	fresh := newcomers{served: make(chan struct{}, 1), conns: map[net.Conn]bool{}}
	srv := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fresh.leave(r.Context().Value(connKey{}).(net.Conn))
			if ctx.Err() != nil {
				w.Header().Set("Connection", "close")
			}
			h.ServeHTTP(w, r)
		}),
		BaseContext:       func(net.Listener) context.Context { return requests },
		ConnContext:       func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, connKey{}, c) },
		ConnState:         fresh.note,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       DefaultTimeout,
		WriteTimeout:      2 * DefaultTimeout,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(l) }()
	select {
	case err := <-failed:
		return fmt.Errorf("httpx: serve %s: %w", l.Addr(), err)
	case <-ctx.Done():
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	defer time.AfterFunc(grace/2, endRequests).Stop()
	// Shutdown would close what has connected and not been read yet, without an answer.
	select {
	case <-end.Done():
	case <-time.After(leaveAfter):
	}
	_ = l.Close()
	ended := <-failed
	fresh.await(end)
	err := srv.Shutdown(end)
	if err != nil {
		err = errors.Join(fmt.Errorf("httpx: requests were cut off after %s: %w", grace, err), srv.Close())
	}
	if !errors.Is(ended, net.ErrClosed) {
		err = errors.Join(err, ended)
	}
	return err
}

type connKey struct{}

// newcomers are the connections of which no request has come to the handler. Safe for
// concurrent use.
type newcomers struct {
	served chan struct{} // a hint that one has left
	mu     sync.Mutex
	conns  map[net.Conn]bool
}

func (n *newcomers) note(c net.Conn, s http.ConnState) {
	switch s {
	case http.StateNew:
		n.mu.Lock()
		defer n.mu.Unlock()
		n.conns[c] = true
	case http.StateClosed, http.StateHijacked:
		n.leave(c)
	case http.StateActive, http.StateIdle:
	}
}

func (n *newcomers) leave(c net.Conn) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.conns, c)
	select {
	case n.served <- struct{}{}:
	default:
	}
}

// await waits until there are none, for at most askWithin.
func (n *newcomers) await(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	for n.some() {
		select {
		case <-n.served:
		case <-ctx.Done():
			return
		}
	}
}

func (n *newcomers) some() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.conns) > 0
}
