package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/admitone/admitone/internal/control"
	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/retrypolicy"
	"github.com/nats-io/nats.go"
	"golang.org/x/sync/errgroup"
)

// What is in flight: enough for a group commit, little enough to wait for.
const (
	importBatch   = 64 // lines of a request
	importFlights = 4  // requests
)

// Patience with a server that is away, as while it restarts.
const (
	importFirstPause = 50 * time.Millisecond
	importLastPause  = time.Second
	importPatience   = 2 * time.Minute
)

// importRequest is lines of the file whose content has the key.
type importRequest struct {
	Key   string       `json:"key"`
	Lines []importLine `json:"lines"`
}

// importReply has an outcome for each line that the server could decide on.
type importReply struct {
	Outcomes []importOutcome `json:"outcomes"`
	// Later is why the other lines are to be sent again.
	Later string `json:"later,omitempty"`
	// Stop is why there is no use in going on.
	Stop string `json:"stop,omitempty"`
}

// importOutcome is what became of a line.
type importOutcome struct {
	Line     int    `json:"line"`
	Repeated bool   `json:"repeated,omitempty"`
	Refused  string `json:"refused,omitempty"`
}

// importRun sends lines to the server and counts what became of them.
type importRun struct {
	nc   *nats.Conn
	key  string
	show func(done int)

	mu      sync.Mutex
	summary importSummary
}

// errLater: lines are left to be sent again.
var errLater = errors.New("the server cannot take them now")

// send sends all that read puts into its channel, and returns when everything is
// decided, or with the first error.
func (r *importRun) send(ctx context.Context, read func(context.Context, chan<- importLine) error) error {
	if err := r.ask(ctx, nil, &importReply{}); errors.Is(err, control.ErrNoServer) {
		return errNoServer
	}
	lines := make(chan importLine, importBatch)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer close(lines)
		return read(ctx, lines)
	})
	for range importFlights {
		group.Go(func() error {
			for batch := nextBatch(lines); len(batch) > 0; batch = nextBatch(lines) {
				if err := r.deliver(ctx, batch); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}

// nextBatch is empty at the end.
func nextBatch(lines <-chan importLine) []importLine {
	var batch []importLine
	for line := range lines {
		if batch = append(batch, line); len(batch) == importBatch {
			break
		}
	}
	return batch
}

// deliver sends a batch until each of its lines is decided. That is safe: each line
// has its key.
func (r *importRun) deliver(ctx context.Context, batch []importLine) error {
	var stop, last error
	policy := retrypolicy.NewBuilder[any]().HandleErrors(errLater).ReturnLastFailure().
		WithBackoff(importFirstPause, importLastPause).WithJitterFactor(0.25).WithMaxRetries(-1).WithMaxDuration(importPatience).Build()
	err := failsafe.With[any](policy).WithContext(ctx).Run(func() error {
		var reply importReply
		if last = r.ask(ctx, batch, &reply); last != nil {
			return errors.Join(errLater, last)
		}
		batch = r.count(batch, reply.Outcomes)
		if reply.Stop != "" {
			stop = fmt.Errorf("%s: run it again then, it goes on where it stopped", reply.Stop)
			return stop
		}
		if len(batch) > 0 {
			last = errors.New(reply.Later)
			return errLater
		}
		return nil
	})
	switch {
	case stop != nil:
		return stop
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return fmt.Errorf("the server takes no lines for %s (%w): run it again when it does, it goes on where it stopped", importPatience, last)
	}
	return nil
}

// ask does not wait for an answer once the connection was lost: it would not come.
func (r *importRun) ask(ctx context.Context, lines []importLine, reply *importReply) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	lost := r.nc.StatusChanged(nats.RECONNECTING)
	defer r.nc.RemoveStatusListener(lost)
	go func() {
		select {
		case <-lost:
			cancel()
		case <-ctx.Done():
		}
	}()
	return control.Call(ctx, r.nc, opImport, importRequest{Key: r.key, Lines: lines}, reply, func(json.RawMessage) {})
}

// count takes what is decided out of a batch.
func (r *importRun) count(batch []importLine, outcomes []importOutcome) (left []importLine) {
	decided := make(map[int]importOutcome, len(outcomes))
	for _, o := range outcomes {
		decided[o.Line] = o
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range batch {
		o, ok := decided[l.Line]
		switch {
		case !ok:
			left = append(left, l)
			continue
		case o.Refused != "":
			r.summary.Bad = append(r.summary.Bad, badLine{Line: l.Line, Reason: o.Refused})
		case o.Repeated:
			r.summary.Repeated++
		default:
			r.summary.Listed++
		}
		r.summary.Lines++
	}
	r.show(r.summary.Lines)
	return left
}

// bad counts a line that is not worth sending.
func (r *importRun) bad(line int, reason string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.summary.Lines++
	r.summary.Bad = append(r.summary.Bad, badLine{Line: line, Reason: reason})
	r.show(r.summary.Lines)
}
