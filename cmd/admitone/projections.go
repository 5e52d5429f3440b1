package main

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/admitone/admitone/projections"
	"github.com/spf13/cobra"
)

// projectionInfo is a projection as the admin interface shows it.
type projectionInfo struct {
	Name           string       `json:"name"`
	Stream         string       `json:"stream"`
	Role           string       `json:"role"` // that keeps it up to date
	Revision       int          `json:"revision"`
	Generation     int          `json:"generation"`
	Status         string       `json:"status"`
	Problem        string       `json:"problem,omitempty"`
	Admitted       uint64       `json:"admitted"`
	LagEvents      uint64       `json:"lag_events"`
	LagSeconds     float64      `json:"lag_seconds"`
	Parked         int          `json:"parked"`
	LastAdmittedAt *time.Time   `json:"last_admitted_at"`
	Rebuild        *rebuildInfo `json:"rebuild"`
}

type rebuildInfo struct {
	Generation int     `json:"generation"`
	Events     uint64  `json:"events"`
	Total      uint64  `json:"total"`
	Rate       float64 `json:"rate"`
	Errors     uint64  `json:"errors"`
	LastError  string  `json:"last_error"`
	Blocked    bool    `json:"blocked"`
}

func (w *workforce) projectionInfos(ctx context.Context) ([]projectionInfo, error) {
	return gathered(w.projecting, func(p projecting) ([]projectionInfo, error) {
		list, err := p.Status(ctx)
		infos := make([]projectionInfo, len(list))
		for i, s := range list {
			infos[i] = infoOf(s)
			infos[i].Role = p.role
		}
		return infos, err
	})
}

func infoOf(s projections.Status) projectionInfo {
	info := projectionInfo{
		Name: s.Name, Stream: s.Stream, Revision: s.Revision, Generation: s.Generation, Status: s.Status, Problem: s.Problem,
		Admitted: s.Counters.Admitted, LagEvents: s.LagEvents, LagSeconds: s.Lag.Seconds(), Parked: s.Parked,
	}
	if !s.LastAdmittedAt.IsZero() {
		info.LastAdmittedAt = &s.LastAdmittedAt
	}
	if b := s.Building; b != nil {
		info.Rebuild = &rebuildInfo{Generation: b.Generation, Events: b.Events, Total: b.Total, Rate: b.Rate,
			Errors: b.Errors, LastError: b.LastError, Blocked: b.Blocked}
	}
	return info
}

func projectionsCommand() *cobra.Command {
	var r remote
	cmd := &cobra.Command{
		Use: "projections", Short: "Show how far each projection is", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var list []projectionInfo
			if err := r.call(cmd, opProjections, nil, &list, nil); err != nil {
				return err
			}
			if r.json {
				return printJSON(cmd.OutOrStdout(), list)
			}
			return printProjections(cmd.OutOrStdout(), list)
		},
	}
	r.flags(cmd)
	return cmd
}

func printProjections(out io.Writer, list []projectionInfo) error {
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "NAME\tREVISION\tGENERATION\tSTATUS\tADMITTED\tLAG\tBEHIND\tPARKED\tREBUILD")
	for _, p := range list {
		rebuild := "-"
		if b := p.Rebuild; b != nil {
			rebuild = fmt.Sprintf("generation %d: %d of %d", b.Generation, b.Events, b.Total)
		}
		_, _ = fmt.Fprintf(w, "%s\t%d\t%d\t%s\t%d\t%d\t%.1fs\t%d\t%s\n", p.Name, p.Revision, p.Generation, p.Status, p.Admitted, p.LagEvents, p.LagSeconds, p.Parked, rebuild)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, p := range list {
		if p.Problem != "" {
			_, _ = fmt.Fprintf(out, "%s: %s\n", p.Name, p.Problem)
		}
		if p.Rebuild != nil && p.Rebuild.LastError != "" {
			_, _ = fmt.Fprintf(out, "%s, generation %d: %s\n", p.Name, p.Rebuild.Generation, p.Rebuild.LastError)
		}
	}
	return nil
}
