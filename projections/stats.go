package projections

import "sync/atomic"

// stats counts what one generation did in this process.
type stats struct {
	admitted, duplicates, gaps, nacks, healed, parkings atomic.Uint64
	flushes, flushed                                    atomic.Uint64
	lastAdmitted                                        atomic.Int64 // Unix milliseconds
	problem                                             atomic.Pointer[string]
}

// Counters is what one projection did in this process since it started.
type Counters struct {
	Admitted   uint64 // events let through the gate
	Duplicates uint64 // deliveries of what was written already
	Gaps       uint64 // deliveries beyond the next version
	Nacks      uint64 // deliveries given back
	Healed     uint64 // events admitted by reading the stream
	Parkings   uint64 // times an aggregate was parked
	Flushes    uint64 // writes to the read store
	Flushed    uint64 // events in them
}

func (s *stats) counters() Counters {
	return Counters{
		Admitted: s.admitted.Load(), Duplicates: s.duplicates.Load(), Gaps: s.gaps.Load(), Nacks: s.nacks.Load(),
		Healed: s.healed.Load(), Parkings: s.parkings.Load(), Flushes: s.flushes.Load(), Flushed: s.flushed.Load(),
	}
}

func (s *stats) setProblem(err error) {
	if err == nil {
		s.problem.Store(nil)
		return
	}
	text := err.Error()
	s.problem.Store(&text)
}

func (s *stats) lastProblem() string {
	if p := s.problem.Load(); p != nil {
		return *p
	}
	return ""
}
