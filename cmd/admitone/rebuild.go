package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/admitone/admitone/internal/control"
	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"
)

// rebuildRequest names a projection to rebuild.
type rebuildRequest struct {
	Projection string `json:"projection"`
}

// rebuildReply is the generation that is being filled.
type rebuildReply struct {
	Generation int `json:"generation"`
}

func rebuildCommand() *cobra.Command {
	var r remote
	var all bool
	cmd := &cobra.Command{
		Use: "rebuild [PROJECTION…]", Short: "Fill projections anew from the log, and switch to them",
		Long: `Fill a fresh generation of each named projection beside the live one, and switch
readers to it once it is caught up and verified. The service goes on meanwhile. The
running server does the work, so it goes on when this command is interrupted, and after
a restart of the server. Exits 0 only when readers read the new generation.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if all == (len(args) > 0) {
				return errors.New("name the projections to rebuild, or give --all")
			}
			nc, err := r.connect()
			if err != nil {
				return err
			}
			defer nc.Close()
			b := &rebuilder{cmd: cmd, nc: nc}
			return b.run(args, r.json)
		},
	}
	r.flags(cmd)
	cmd.Flags().BoolVar(&all, "all", false, "rebuild every projection, one after the other")
	return cmd
}

// rebuilder drives rebuilds one after the other.
type rebuilder struct {
	cmd *cobra.Command
	nc  *nats.Conn
}

func (b *rebuilder) run(names []string, asJSON bool) error {
	if len(names) == 0 {
		list, err := b.list(b.cmd.Context())
		if err != nil {
			return err
		}
		for _, p := range list {
			names = append(names, p.Name)
		}
	}
	for _, name := range names {
		began := time.Now()
		var reply rebuildReply
		if err := control.Call(b.cmd.Context(), b.nc, opRebuild, rebuildRequest{Projection: name}, &reply, nil); err != nil {
			return err
		}
		if err := b.follow(name, reply.Generation); err != nil {
			return err
		}
		if !asJSON {
			_, _ = fmt.Fprintf(b.cmd.OutOrStdout(), "%s: generation %d is live after %s\n", name, reply.Generation, time.Since(began).Round(time.Millisecond))
		}
	}
	if !asJSON {
		return nil
	}
	list, err := b.list(b.cmd.Context())
	if err != nil {
		return err
	}
	return printJSON(b.cmd.OutOrStdout(), list)
}

func (b *rebuilder) list(ctx context.Context) ([]projectionInfo, error) {
	var list []projectionInfo
	err := control.Call(ctx, b.nc, opProjections, nil, &list, nil)
	return list, err
}

// patience is how long the server may be away while a rebuild is followed: it goes
// on by itself after a restart.
const patience = 60 * time.Second

// follow waits until a generation is live.
func (b *rebuilder) follow(name string, generation int) error {
	bar := newBar(name, b.cmd.ErrOrStderr())
	defer bar.finish()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	heard := time.Now()
	for {
		list, err := b.list(b.cmd.Context())
		switch {
		case err == nil:
			heard = time.Now()
			if done, err := progressOf(list, name, generation, bar); done || err != nil {
				return err
			}
		case b.cmd.Context().Err() != nil:
			return errors.New("interrupted: the rebuild goes on in the server, see \"admitone projections\"")
		case time.Since(heard) > patience:
			return fmt.Errorf("the server has been away for %s (%w): the rebuild goes on when it is back", patience, err)
		}
		select {
		case <-b.cmd.Context().Done():
		case <-tick.C:
		}
	}
}

func progressOf(list []projectionInfo, name string, generation int, bar *bar) (bool, error) {
	for _, p := range list {
		switch {
		case p.Name != name:
		case p.Generation >= generation:
			return true, nil
		case p.Rebuild == nil:
			return false, fmt.Errorf("generation %d of %s is not being built any more", generation, name)
		case p.Rebuild.Blocked:
			return false, errors.New(p.Rebuild.LastError)
		default:
			note := name
			if p.Rebuild.LastError != "" {
				note = fmt.Sprintf("%s (%d errors, the last: %s)", name, p.Rebuild.Errors, p.Rebuild.LastError)
			}
			bar.show(p.Rebuild.Events, p.Rebuild.Total, note)
		}
	}
	return false, nil
}
