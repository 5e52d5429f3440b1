package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"text/tabwriter"
	"time"

	"github.com/admitone/admitone/eventstore/subscription"
	"github.com/admitone/admitone/processes"
	"github.com/admitone/admitone/processes/market"
	"github.com/admitone/admitone/processes/timers"
	"github.com/google/uuid"
	"github.com/spf13/cobra"
)

// join lets the copies of a role divide the partitions among them. The embedded form
// is one process, which holds them all.
func (a *app) join(ctx context.Context, role string) (*subscription.Shares, error) {
	if a.broker.server != nil {
		return nil, nil
	}
	member, err := memberName(a.path("member"))
	if err != nil {
		return nil, err
	}
	return subscription.JoinShares(ctx, a.tickets.JetStream(), subscription.SharesConfig{
		Group: role, Member: member, Replicas: a.broker.replicas, Off: !a.cfg.Sharing, Logger: a.log,
	})
}

// memberName is the same whenever a copy starts on the same data directory, which only
// one does at a time: so it takes up at once what it held before it was killed.
func memberName(file string) (string, error) {
	text, err := os.ReadFile(file)
	if id, malformed := uuid.ParseBytes(bytes.TrimSpace(text)); err == nil && malformed == nil {
		return id.String(), nil
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("name of this copy: %w", err)
	}
	id := uuid.NewString()
	return id, writeFile(file, id+"\n")
}

func (a *app) openProcesses(ctx context.Context) error {
	set, err := timers.Open(ctx, a.orders.JetStream(), timers.Config{Replicas: a.broker.replicas, Logger: a.log})
	if err != nil {
		return err
	}
	all, err := market.All()
	if err != nil {
		return err
	}
	return a.react(ctx, roleProcesses, processes.Config{
		Targets: market.Targets(a.ticketHandler, a.orderHandler), IsRefusal: market.IsRefusal, Timers: set,
	}, all...)
}

// react prepares what a role reacts to.
func (a *app) react(ctx context.Context, role string, cfg processes.Config, list ...*processes.Process) (err error) {
	if cfg.Shares, err = a.join(ctx, role); err != nil {
		return err
	}
	cfg.Streams, cfg.Replicas, cfg.Logger = a.streams, a.broker.replicas, a.log
	runner, err := processes.New(ctx, cfg, list...)
	a.work.reacting = append(a.work.reacting, reacting{runner, role, cfg.Shares})
	return err
}

// processInfo is a process as operators see it.
type processInfo struct {
	Name       string  `json:"name"`
	Stream     string  `json:"stream"`
	Role       string  `json:"role"` // that runs it
	LagEvents  uint64  `json:"lag_events"`
	LagSeconds float64 `json:"lag_seconds"`
	Parked     int     `json:"parked"`
	Problem    string  `json:"problem"`
}

func (w *workforce) processInfos(ctx context.Context) ([]processInfo, error) {
	return gathered(w.reacting, func(r reacting) ([]processInfo, error) {
		list, err := r.Status(ctx)
		infos := make([]processInfo, len(list))
		for i, s := range list {
			infos[i] = processInfo{Name: s.Name, Stream: s.Stream, Role: r.role, LagEvents: s.LagEvents, LagSeconds: s.Lag.Seconds(), Parked: s.Parked, Problem: s.Problem}
		}
		return infos, err
	})
}

func processesCommand() *cobra.Command {
	var r remote
	cmd := &cobra.Command{
		Use: "processes", Short: "Show how far each process is", Args: cobra.NoArgs,
		Long: `Show how far each process is: reservation, expiration and the bot react to events by
sending commands. What one has stopped at is in "admitone parked list".`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			list := []processInfo{}
			if err := r.call(cmd, opProcesses, nil, &list, nil); err != nil {
				return err
			}
			if r.json {
				return printJSON(cmd.OutOrStdout(), list)
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 4, 2, ' ', 0)
			_, _ = fmt.Fprintln(w, "NAME\tREADS\tLAG\tBEHIND\tPARKED\tPROBLEM")
			for _, s := range list {
				if s.Problem == "" {
					s.Problem = "-"
				}
				behind := time.Duration(s.LagSeconds * float64(time.Second)).Round(100 * time.Millisecond)
				_, _ = fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%d\t%s\n", s.Name, s.Stream, s.LagEvents, behind, s.Parked, s.Problem)
			}
			return w.Flush()
		},
	}
	r.flags(cmd)
	return cmd
}
