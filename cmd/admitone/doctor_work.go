package main

import (
	"context"
	"fmt"
	"time"

	"github.com/admitone/admitone/eventstore/parked"
	"github.com/admitone/admitone/internal/control"
	"github.com/admitone/admitone/projections"
	"github.com/nats-io/nats.go"
)

// lagWarn is how far behind a projection or process is before it is said, in seconds.
const lagWarn = 10

// parkedShown is how many parked aggregates get a line of their own.
const parkedShown = 5

// examineWork asks how far projections and processes are.
func examineWork(ctx context.Context, nc *nats.Conn) []finding {
	return together(
		func() []finding {
			return examineList(ctx, nc, "projections", opProjections, "see the findings about the broker and the read store", judgeProjection)
		},
		func() []finding {
			return examineList(ctx, nc, "processes", opProcesses, "see the findings about the broker", judgeProcess)
		},
		func() []finding {
			var marks []parked.Mark
			if err := control.Call(ctx, nc, opParked, nil, &marks, nil); err != nil {
				return []finding{fail("parked", "see the findings about the broker", "%v", err)}
			}
			return judgeParked(marks)
		},
	)
}

// examineList asks a running server for a list, and judges each of it.
func examineList[T any](ctx context.Context, nc *nats.Conn, check, operation, advice string, judge func(T) finding) (findings []finding) {
	var list []T
	if err := control.Call(ctx, nc, operation, nil, &list, nil); err != nil {
		return []finding{fail(check, advice, "%v", err)}
	}
	for _, one := range list {
		findings = append(findings, judge(one))
	}
	return findings
}

func judgeProjection(p projectionInfo) finding {
	check := "projection " + p.Name
	state := fmt.Sprintf("%s, generation %d, %d events behind (%s)", p.Status, p.Generation, p.LagEvents, seconds(p.LagSeconds))
	switch {
	case p.Status == projections.StatusStalled:
		return fail(check, "it goes on by itself once that is mended", "%s: %s", state, p.Problem)
	case p.Rebuild != nil && p.Rebuild.Blocked:
		return warn(check, "see \"admitone parked list\", mend the cause, and run \"admitone rebuild "+p.Name+"\"",
			"%s; generation %d is built, and not switched to since it has parked aggregates that this one has not", state, p.Rebuild.Generation)
	case p.Status == projections.StatusBuilding:
		return warn(check, "wait, queries of it are refused until then; it needs a copy in the role "+p.Role, "%s: its first generation is being built", state)
	case p.LagSeconds >= lagWarn:
		return warn(check, "see whether the read store is slow, or start more copies with --roles "+p.Role, "%s", state)
	}
	return ok(check, "%s", state)
}

func judgeProcess(p processInfo) finding {
	check := "process " + p.Name
	state := fmt.Sprintf("%d events behind (%s)", p.LagEvents, seconds(p.LagSeconds))
	switch {
	case p.Problem != "":
		return fail(check, "it goes on by itself once that is mended", "%s: %s", state, p.Problem)
	case p.LagSeconds >= lagWarn:
		return warn(check, "see whether the broker is slow, or start more copies with --roles "+p.Role, "%s", state)
	}
	return ok(check, "%s", state)
}

func judgeParked(marks []parked.Mark) []finding {
	if len(marks) == 0 {
		return []finding{ok("parked", "nothing is parked")}
	}
	var findings []finding
	for _, m := range marks[:min(len(marks), parkedShown)] {
		findings = append(findings, warn("parked", fmt.Sprintf("mend the cause and run \"admitone parked retry %s %s\"", m.Projection, m.Aggregate),
			"%s has stopped at %s, version %d, since %s (%s)", m.Projection, m.Aggregate, m.Version, m.Since.UTC().Format(time.RFC3339), m.Cause))
	}
	if more := len(marks) - parkedShown; more > 0 {
		findings = append(findings, warn("parked", "see \"admitone parked list\"", "%d more aggregates are parked", more))
	}
	return findings
}

func seconds(s float64) time.Duration { return rounded(time.Duration(s * float64(time.Second))) }

// rounded keeps three digits or so.
func rounded(d time.Duration) time.Duration {
	switch {
	case d > time.Minute:
		return d.Round(time.Second)
	case d > time.Second:
		return d.Round(10 * time.Millisecond)
	case d > time.Millisecond:
		return d.Round(10 * time.Microsecond)
	}
	return d.Round(time.Microsecond)
}
