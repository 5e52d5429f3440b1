// Package lab gives a benchmark its surroundings: scratch folders, an embedded
// broker in this process or in one of its own, read stores, and writers that
// load them. What a lab gave is gone when it is closed.
package lab

import (
	"fmt"
	"os"
	"slices"
	"time"
)

// Lab hands out what one benchmark, or one side of one round, needs. For use by
// one goroutine.
type Lab struct {
	// CQL is the address of a CQL server, host:port; empty: there is none.
	CQL string
	// Smoke shrinks everything, to see in seconds that it works.
	Smoke bool

	cleanups []func()
}

// Sub is a lab of the same kind that is closed by itself.
func (l *Lab) Sub() *Lab { return &Lab{CQL: l.CQL, Smoke: l.Smoke} }

// Later runs do when the lab is closed, the newest first.
func (l *Lab) Later(do func()) { l.cleanups = append(l.cleanups, do) }

// Close gives everything back.
func (l *Lab) Close() {
	for _, do := range slices.Backward(l.cleanups) {
		do()
	}
	l.cleanups = nil
}

// Dir makes a folder that is removed with the lab.
func (l *Lab) Dir() (string, error) {
	dir, err := os.MkdirTemp("", "admitone-bench-")
	if err != nil {
		return "", fmt.Errorf("scratch folder: %w", err)
	}
	l.Later(func() { _ = os.RemoveAll(dir) })
	return dir, nil
}

// Count is n, or in a smoke run some hundredth of it.
func (l *Lab) Count(n int) int {
	if l.Smoke {
		return max(n/200, 20)
	}
	return n
}

// Span is how long a load lasts.
func (l *Lab) Span() time.Duration {
	if l.Smoke {
		return 50 * time.Millisecond
	}
	return time.Second
}
