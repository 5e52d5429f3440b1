// Command bench measures AdmitOne beside the raw parts that it is made of, in the
// same run on the same machine, and keeps the rows in a file. It uses the engine
// through its public packages alone, as a program of another team would.
//
// Run it with make bench; see bench/README.md.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"syscall"
	"time"

	"github.com/admitone/admitone/bench/lab"
	"github.com/admitone/admitone/bench/report"
)

// options of a run.
type options struct {
	filter   *regexp.Regexp
	rounds   int
	smoke    bool
	long     bool
	out      string // the file of results
	profiles string // a folder; empty: none
	cql      string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := start(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func start(ctx context.Context, args []string) error {
	if len(args) == 2 && args[0] == lab.ServeCommand {
		return lab.Serve(ctx, args[1], os.Stdin, os.Stdout)
	}
	o, err := parse(args)
	if err != nil {
		return err
	}
	return run(ctx, o, os.Stdout)
}

func parse(args []string) (options, error) {
	o := options{cql: os.Getenv("ADMITONE_TEST_CQL")}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	filter := flags.String("filter", "", "measure rows alone whose name has a match of this regular expression")
	flags.IntVar(&o.rounds, "rounds", 5, "how often each side is measured")
	flags.BoolVar(&o.smoke, "smoke", false, "see in seconds that every row can be measured; keeps no results")
	flags.BoolVar(&o.long, "long", false, "also the rows that take a quarter of an hour")
	flags.StringVar(&o.out, "out", "bench/results/latest.json", "the file that keeps the results")
	flags.StringVar(&o.profiles, "profiles", "", "a folder, made if it is missing, for a CPU profile of our side of each measurement")
	err := flags.Parse(args)
	if err == nil {
		o.filter, err = regexp.Compile(*filter)
	}
	if err == nil && o.rounds < 1 {
		err = fmt.Errorf("%d rounds: at least 1 is needed", o.rounds)
	}
	if o.smoke {
		o.rounds, o.long = 1, true
	}
	return o, err
}

// run measures what is asked for. A row that fails is told of, and the others go on.
func run(ctx context.Context, o options, w io.Writer) error {
	if o.profiles != "" {
		if err := os.MkdirAll(o.profiles, 0o755); err != nil {
			return fmt.Errorf("folder for profiles: %w", err)
		}
	}
	l := &lab.Lab{CQL: o.cql, Smoke: o.smoke}
	servers, err := serversOf(ctx, l)
	if err != nil {
		return err
	}
	if o.smoke {
		fmt.Fprintln(w, "A smoke run: it shows that each row can be measured, and its figures mean nothing.")
	}
	failed := 0
	report.Head(w)
	for _, m := range plan() {
		if !m.matches(o.filter) {
			continue
		}
		if why := o.leftOut(m); why != "" {
			fmt.Fprintf(w, "%s: left out: %s\n", m.rows[0].name, why)
			continue
		}
		rows, err := measure(ctx, m, l, o, servers.of(m))
		if err == nil {
			err = o.keep(w, m, rows)
		}
		if ctx.Err() != nil {
			return errors.New("interrupted; what was measured until now is kept")
		}
		if err != nil {
			failed++
			fmt.Fprintf(w, "%s: FAILED: %v\n", m.rows[0].name, err)
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d measurements failed; see above", failed)
	}
	return nil
}

func (o options) leftOut(m measurement) string {
	switch {
	case m.cql && o.cql == "":
		return "there is no CQL server; run make bench, or set ADMITONE_TEST_CQL to HOST:PORT"
	case m.long && !o.long:
		return "it takes a quarter of an hour; ask for it with LONG=1"
	}
	return ""
}

// keep prints rows and puts them into the file, where the others stay.
func (o options) keep(w io.Writer, m measurement, rows []report.Row) error {
	for i, r := range rows {
		r.Print(w, m.rows[i].against)
	}
	if o.smoke {
		return nil
	}
	file, err := report.Read(o.out)
	if err != nil {
		return err
	}
	return file.Merge(rows, names(plan()), time.Now(), report.ThisMachine()).Write(o.out)
}

// servers is what is measured against.
type servers struct{ nats, cql string }

func serversOf(ctx context.Context, l *lab.Lab) (servers, error) {
	l = l.Sub()
	defer l.Close()
	b, err := l.Broker(ctx, lab.Relaxed)
	if err != nil {
		return servers{}, err
	}
	s := servers{nats: "nats-server " + b.NC.ConnectedServerVersion()}
	if l.CQL != "" {
		s.cql, err = l.CQLServer()
	}
	return s, err
}

func (s servers) of(m measurement) string {
	if m.cql {
		return s.nats + ", " + s.cql
	}
	return s.nats
}
