package blackbox

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// tally is what came of a load so far. Safe for concurrent use.
type tally struct {
	commands, reads, away atomic.Uint64
	mu                    sync.Mutex
	faults                []string
}

// Commands is how many were acknowledged.
func (l *tally) Commands() uint64 { return l.commands.Load() }

// Reads is how many queries with a token were answered.
func (l *tally) Reads() uint64 { return l.reads.Load() }

// Away is how many requests failed while the server, or a store, was away.
func (l *tally) Away() uint64 { return l.away.Load() }

// maxFaults bounds what is kept of a server that does everything wrong.
const maxFaults = 20

func (l *tally) fault(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.faults) < maxFaults {
		l.faults = append(l.faults, time.Now().Format("15:04:05.000 ")+fmt.Sprintf(format, args...))
	}
}

// Faults is what answers were wrong so far.
func (l *tally) Faults() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string(nil), l.faults...)
}

// limiter lets so many commands a second through; 0: as many as there can be.
func limiter(perSecond float64, burst int) *rate.Limiter {
	if perSecond == 0 {
		return rate.NewLimiter(rate.Inf, 1)
	}
	return rate.NewLimiter(rate.Limit(perSecond), burst)
}
