package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"text/tabwriter"

	"github.com/admitone/admitone/internal/control"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"
)

// level is how bad a finding is.
type level string

const (
	levelOK   level = "OK"
	levelWarn level = "WARN" // it works, and should be looked at
	levelFail level = "FAIL" // something does not work, or will soon not
)

// finding is one thing that was looked at.
type finding struct {
	Check  string `json:"check"`
	Level  level  `json:"level"`
	Detail string `json:"detail"`
	Advice string `json:"advice,omitempty"` // what to do next; empty where it is OK
}

func ok(check, format string, args ...any) finding {
	return finding{Check: check, Level: levelOK, Detail: fmt.Sprintf(format, args...)}
}

func warn(check, advice, format string, args ...any) finding {
	return finding{Check: check, Level: levelWarn, Detail: fmt.Sprintf(format, args...), Advice: advice}
}

func fail(check, advice, format string, args ...any) finding {
	return finding{Check: check, Level: levelFail, Detail: fmt.Sprintf(format, args...), Advice: advice}
}

// diagnosis is all findings, and the worst of their levels.
type diagnosis struct {
	Level  level     `json:"level"`
	Checks []finding `json:"checks"`
}

func diagnose(findings []finding) diagnosis {
	d := diagnosis{Level: levelOK, Checks: findings}
	for _, f := range findings {
		if f.Level == levelFail || f.Level == levelWarn && d.Level == levelOK {
			d.Level = f.Level
		}
	}
	return d
}

// err has the exit code of a diagnosis.
func (d diagnosis) err() error {
	switch d.Level {
	case levelOK:
		return nil
	case levelWarn:
		return &exitError{1, errors.New("some checks warn")}
	}
	return &exitError{2, errors.New("some checks fail")}
}

func doctorCommand() *cobra.Command {
	var r remote
	cmd := &cobra.Command{
		Use: "doctor", Short: "Check the whole installation, and say what to do", Args: cobra.NoArgs,
		Long: `Check the broker, the streams and their limits, the running copies and their versions,
durability and how long it takes, clocks, the read store, disk space, and how far the
projections and processes are. Each line is OK, WARN or FAIL, and says what to do.

Exits with 0 when all is OK, with 1 when something warns, with 2 when something fails.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			d := diagnose(r.examine(cmd.Context()))
			if err := cmd.Context().Err(); err != nil {
				return err
			}
			var err error
			if r.json {
				err = printJSON(cmd.OutOrStdout(), d)
			} else {
				err = printDiagnosis(cmd.OutOrStdout(), d)
			}
			if err != nil {
				return err
			}
			return d.err()
		},
	}
	r.flags(cmd)
	return cmd
}

func printDiagnosis(out io.Writer, d diagnosis) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, f := range d.Checks {
		text := f.Detail
		if f.Advice != "" {
			text += ": " + f.Advice
		}
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\n", f.Level, f.Check, printable(text))
	}
	return w.Flush()
}

// examine looks at the broker from here, and has a running server look at the rest.
func (r *remote) examine(ctx context.Context) []finding {
	nc, err := r.connect()
	if err != nil {
		return []finding{fail("broker", err.Error(), "no server can be reached"), diskFinding(r.data)}
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return []finding{fail("broker", "see the error", "%v", err)}
	}
	return together(
		func() []finding { return examineBroker(ctx, nc, js) },
		func() []finding { return examineCopies(ctx, nc) },
		func() []finding { return examineServer(ctx, nc) },
	)
}

// together looks at everything at the same time, so that what is away is waited for once.
func together(looks ...func() []finding) []finding {
	found := make([][]finding, len(looks))
	var wg sync.WaitGroup
	for i, look := range looks {
		wg.Go(func() { found[i] = look() })
	}
	wg.Wait()
	return slices.Concat(found...)
}

// examineServer asks a running server for its findings, and for those about the
// projections and processes.
func examineServer(ctx context.Context, nc *nats.Conn) []finding {
	var findings []finding
	err := control.Call(ctx, nc, opDoctor, nil, &findings, nil)
	if errors.Is(err, control.ErrNoServer) {
		return []finding{fail("server", "start one with \"admitone serve\"", "the broker is there, but no admitone server answers")}
	}
	if err != nil {
		return []finding{fail("server", "see the server's log", "%v", err)}
	}
	return append(findings, examineWork(ctx, nc)...)
}
