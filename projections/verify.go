package projections

import (
	"context"
	"fmt"
	"runtime"
	"sort"
	"sync"
	"sync/atomic"

	"github.com/admitone/admitone/eventstore"
	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"
)

// Severities of a Finding.
const (
	SeverityError   = "error"   // an invariant is broken
	SeverityWarning = "warning" // the log is unusual, or an aggregate is parked
)

// Finding is something that a verification found.
type Finding struct {
	Severity   string `json:"severity"`
	Stream     string `json:"stream"`
	Projection string `json:"projection,omitempty"`
	Aggregate  string `json:"aggregate_id,omitempty"`
	Text       string `json:"text"`
}

// Verification sums a verification up.
type Verification struct {
	Events     uint64    `json:"events"`
	Aggregates uint64    `json:"aggregates"`
	Rows       uint64    `json:"rows"`
	Errors     int       `json:"errors"`
	Warnings   int       `json:"warnings"`
	Findings   []Finding `json:"findings"` // the first 1,000 errors and the first 1,000 warnings
}

// maxFindings of a severity are kept of a very broken log.
const maxFindings = 1000

// verifyAtOnce is how many aggregates are held in memory; a larger log is read
// more than once.
const verifyAtOnce = 250_000

// Verify reads the whole log and every row of every live generation, and checks
// that versions are 1..n without a hole and that each table equals a fold of the
// log, without a row too many. It may run while the service serves: what changes
// meanwhile is looked at again. progress is called now and then, from many
// goroutines, with the events read and their total.
func (p *Projector) Verify(ctx context.Context, progress func(done, total uint64)) (Verification, error) {
	report := &report{}
	byStream := map[*eventstore.Stream][]*generation{}
	for _, name := range p.order {
		k := p.keepers[name]
		rec, err := p.records.read(ctx, name, k.def.revision)
		if err != nil {
			return report.sum(), err
		}
		if rec.Live == 0 {
			report.add(Finding{Severity: SeverityWarning, Stream: k.stream.Name(), Projection: name, Text: "it has no rows yet: no generation of it is live"})
			continue
		}
		g := k.generation(rec.Live)
		byStream[k.stream] = append(byStream[k.stream], g)
		if err := g.reportParked(ctx, report); err != nil {
			return report.sum(), err
		}
	}
	for stream, generations := range byStream {
		if err := verifyStream(ctx, stream, generations, report, progress); err != nil {
			return report.sum(), err
		}
	}
	return report.sum(), nil
}

func (g *generation) reportParked(ctx context.Context, r *report) error {
	parked, err := g.marks.Current(ctx, g.projection.name, g.number)
	for _, mark := range parked {
		r.add(Finding{
			Severity: SeverityWarning, Stream: g.stream.Name(), Projection: g.projection.name, Aggregate: mark.Aggregate.String(),
			Text: fmt.Sprintf("parked at version %d: %s", mark.Version, mark.Cause),
		})
	}
	return err
}

// report collects findings from many goroutines.
type report struct {
	events, aggregates, rows atomic.Uint64
	mu                       sync.Mutex
	errors, warnings         int
	findings                 []Finding
}

func (r *report) add(f Finding) {
	r.mu.Lock()
	defer r.mu.Unlock()
	count := &r.warnings
	if f.Severity == SeverityError {
		count = &r.errors
	}
	if *count++; *count <= maxFindings {
		r.findings = append(r.findings, f)
	}
}

func (r *report) sum() Verification {
	r.mu.Lock()
	defer r.mu.Unlock()
	sort.Slice(r.findings, func(i, j int) bool { return r.findings[i].Severity < r.findings[j].Severity })
	return Verification{
		Events: r.events.Load(), Aggregates: r.aggregates.Load(), Rows: r.rows.Load(),
		Errors: r.errors, Warnings: r.warnings, Findings: r.findings,
	}
}

func verifyStream(ctx context.Context, stream *eventstore.Stream, generations []*generation, r *report, progress func(done, total uint64)) error {
	state, err := stream.State(ctx)
	if err != nil {
		return err
	}
	passes := int(state.Subjects/verifyAtOnce) + 1
	for pass := range passes {
		v := &verifier{stream: stream, generations: generations, report: r, pass: pass, passes: passes, last: state.LastSequence}
		v.progress = func(done uint64) {
			if progress != nil {
				progress(uint64(pass)*state.Messages+done, uint64(passes)*state.Messages)
			}
		}
		if err := v.run(ctx); err != nil {
			return err
		}
	}
	return nil
}

// verifier checks a share of the aggregates of one stream.
type verifier struct {
	stream       *eventstore.Stream
	generations  []*generation
	report       *report
	pass, passes int
	last         uint64
	progress     func(done uint64)
	done         atomic.Uint64
	lanes        []*verifyLane
}

func (v *verifier) run(ctx context.Context) error {
	group, scanning := errgroup.WithContext(ctx)
	d := dealer{scan: v.stream.Scan, chunk: 256}
	for range max(2, runtime.GOMAXPROCS(0)) {
		l := &verifyLane{v: v, known: map[uuid.UUID]*logged{}}
		for _, g := range v.generations {
			l.scratch = append(l.scratch, g.projection.empty())
		}
		in := d.lane()
		v.lanes = append(v.lanes, l)
		group.Go(func() error { return l.run(scanning, in) })
	}
	if v.last > 0 {
		group.Go(func() error { return d.deal(scanning, 1, v.last) })
	} else {
		d.close()
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for i, g := range v.generations {
		if err := v.rows(ctx, i, g); err != nil {
			return err
		}
	}
	return nil
}
