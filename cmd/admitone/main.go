// Command admitone runs the ticket marketplace and talks to a running one. It is
// the only place that knows every adapter.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func main() {
	ends := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // as under nohup
		ends = append(ends, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), ends...)
	err := command().ExecuteContext(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "admitone: "+err.Error())
		os.Exit(exitCode(err))
	}
}

// exitError carries an exit code other than 1.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

func exitCode(err error) int {
	var e *exitError
	if errors.As(err, &e) {
		return e.code
	}
	return 1
}

func command() *cobra.Command {
	root := &cobra.Command{
		Use:   "admitone",
		Short: "An event-sourced ticket marketplace on NATS JetStream",
		Long: `AdmitOne is an event-sourced ticket marketplace.

"admitone serve" runs it: with no flag everything is in one process, JetStream and
SQLite under ./data, HTTP on 127.0.0.1:8080. Every other subcommand asks the running
server over NATS, found through --data or --nats.

Each flag is also an environment variable: --sync-interval is ADMITONE_SYNC_INTERVAL.`,
		SilenceUsage:  true,
		SilenceErrors: true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			return fromEnvironment(cmd.Flags())
		},
	}
	root.AddCommand(serveCommand(), tokenCommand(), versionCommand(),
		readyCommand(), servicesCommand(), projectionsCommand(), processesCommand(), rebuildCommand(), parkedCommand(), verifyCommand(),
		importCommand(), eventsCommand(), eraseCommand(), doctorCommand(), chatCommand())
	return root
}

// fromEnvironment sets each flag that was not given from its variable.
func fromEnvironment(flags *pflag.FlagSet) error {
	var faults []error
	flags.VisitAll(func(f *pflag.Flag) {
		name := "ADMITONE_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		value, ok := os.LookupEnv(name)
		if !ok || f.Changed || f.Name == "help" {
			return
		}
		if err := flags.Set(f.Name, value); err != nil {
			faults = append(faults, fmt.Errorf("%s=%q: %w", name, value, err))
		}
	})
	return errors.Join(faults...)
}
