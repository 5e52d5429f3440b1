package processes

import (
	"sync"
	"sync/atomic"
)

// stats is what one process did in this program.
type stats struct {
	handled, retries, parkings atomic.Uint64

	mu       sync.Mutex
	problems map[string]string // what is tried again just now, by what it is about
}

func (s *stats) retrying(what string, err error) {
	s.retries.Add(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.problems == nil {
		s.problems = map[string]string{}
	}
	s.problems[what] = err.Error()
}

func (s *stats) goesOn(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.problems, what)
}

// problem is one of them, empty when there is none.
func (s *stats) problem() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.problems {
		return p
	}
	return ""
}
