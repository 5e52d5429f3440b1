package cql

import (
	"context"
	"fmt"
	"sync"

	"github.com/admitone/admitone/readstore"
)

// workers are the goroutines that all calls share to send statements: the bound
// on what is under way at once.
type workers struct {
	tasks   chan task
	closing chan struct{}
	once    sync.Once
	all     sync.WaitGroup
}

type task struct {
	run *run
	i   int
}

// run is one call's tasks.
type run struct {
	do      func(i int) error
	pending sync.WaitGroup

	mu  sync.Mutex
	err error // the first one
}

func newWorkers(n int) *workers {
	w := &workers{tasks: make(chan task), closing: make(chan struct{})}
	for range n {
		w.all.Go(w.work)
	}
	return w
}

func (w *workers) work() {
	for {
		select {
		case t := <-w.tasks:
			t.run.fail(t.run.do(t.i))
			t.run.pending.Done()
		case <-w.closing:
			return
		}
	}
}

// each does do(0) to do(n-1), in no order, and returns when all that began have
// ended. After the first error, which it returns, no further one begins.
func (w *workers) each(ctx context.Context, n int, do func(i int) error) error {
	r := &run{do: do}
	for i := 0; i < n && r.first() == nil; i++ {
		r.pending.Add(1)
		select {
		case w.tasks <- task{r, i}:
			continue
		case <-ctx.Done():
			r.fail(ctx.Err())
		case <-w.closing:
			r.fail(fmt.Errorf("%w: it is closed", readstore.ErrUnavailable))
		}
		r.pending.Done()
	}
	r.pending.Wait()
	return r.first()
}

func (r *run) fail(err error) {
	if err == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil {
		r.err = err
	}
}

func (r *run) first() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// close ends the workers; tasks under way finish.
func (w *workers) close() {
	w.once.Do(func() { close(w.closing) })
}
