package main

import (
	"errors"
	"fmt"
	"text/tabwriter"

	"github.com/admitone/admitone/eventstore/parked"
	"github.com/google/uuid"
	"github.com/spf13/cobra"
)

// retryRequest names a parked aggregate.
type retryRequest struct {
	Projection string    `json:"projection"`
	Aggregate  uuid.UUID `json:"aggregate_id"`
}

func parkedCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "parked", Short: "Show and retry aggregates that a projection or process has stopped at"}
	cmd.AddCommand(parkedList(), parkedShow(), parkedRetry())
	return cmd
}

func parkedList() *cobra.Command {
	var r remote
	cmd := &cobra.Command{
		Use: "list", Short: "List parked aggregates, oldest first", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			list := []parked.Mark{}
			if err := r.call(cmd, opParked, nil, &list, nil); err != nil {
				return err
			}
			if r.json {
				return printJSON(cmd.OutOrStdout(), list)
			}
			if len(list) == 0 {
				_, err := fmt.Fprintln(cmd.OutOrStdout(), "nothing is parked")
				return err
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 4, 2, ' ', 0)
			_, _ = fmt.Fprintln(w, "PROJECTION\tAGGREGATE\tVERSION\tKIND\tATTEMPTS\tSINCE\tCAUSE")
			for _, p := range list {
				_, _ = fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%d\t%s\t%s\n", p.Projection, p.Aggregate, p.Version, p.Kind, p.Attempts,
					p.Since.Format("2006-01-02 15:04:05"), beginning(printable(p.Cause)))
			}
			return w.Flush()
		},
	}
	r.flags(cmd)
	return cmd
}

// beginning is as much of a cause as fits into a list; "parked show" has all of it.
func beginning(text string) string {
	const most = 80
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return text
}

func parkedShow() *cobra.Command {
	var r remote
	cmd := &cobra.Command{
		Use: "show PROJECTION ID", Short: "Show why an aggregate is parked", Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := uuid.Parse(args[1])
			if err != nil {
				return fmt.Errorf("%q is not a UUID", args[1])
			}
			list := []parked.Mark{}
			if err := r.call(cmd, opParked, nil, &list, nil); err != nil {
				return err
			}
			for _, p := range list {
				if p.Projection == args[0] && p.Aggregate == id {
					return showParked(cmd, r.json, p)
				}
			}
			return fmt.Errorf("%s is not parked in %s", id, args[0])
		},
	}
	r.flags(cmd)
	return cmd
}

func showParked(cmd *cobra.Command, asJSON bool, p parked.Mark) error {
	if asJSON {
		return printJSON(cmd.OutOrStdout(), p)
	}
	_, err := fmt.Fprintf(cmd.OutOrStdout(), "projection  %s, generation %d\nstream      %s\naggregate   %s\nversion     %d\nkind        %s\ncause       %s\nattempts    %d\nsince       %s\n",
		p.Projection, p.Generation, p.Stream, p.Aggregate, p.Version, p.Kind, printable(p.Cause), p.Attempts, p.Since.Format("2006-01-02 15:04:05 MST"))
	return err
}

func parkedRetry() *cobra.Command {
	var r remote
	cmd := &cobra.Command{
		Use: "retry PROJECTION ID", Short: "Try a parked aggregate again; exits 1 while it is still parked", Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := uuid.Parse(args[1])
			if err != nil {
				return fmt.Errorf("%q is not a UUID", args[1])
			}
			left := []parked.Mark{}
			if err := r.call(cmd, opRetry, retryRequest{Projection: args[0], Aggregate: id}, &left, nil); err != nil {
				return err
			}
			if r.json {
				if err := printJSON(cmd.OutOrStdout(), left); err != nil {
					return err
				}
			}
			if len(left) > 0 {
				return errors.New("still parked: " + left[0].Cause)
			}
			if r.json {
				return nil
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s is not parked in %s\n", id, args[0])
			return err
		},
	}
	r.flags(cmd)
	return cmd
}
