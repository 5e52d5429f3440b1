package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/admitone/admitone/projections"
	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// progressInfo is how far a long operation is.
type progressInfo struct {
	Done  uint64 `json:"done"`
	Total uint64 `json:"total"`
}

func verifyCommand() *cobra.Command {
	var r remote
	cmd := &cobra.Command{
		Use: "verify", Short: "Compare every row with a fold of the whole log", Args: cobra.NoArgs,
		Long: `Read the whole log and every row, and check that versions have no hole and that each
projection equals a fold of the log, without a row too many. The service goes on
meanwhile. Exits 0 when no invariant is broken; warnings (a log out of order, a parked
aggregate) do not change that.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			bar := newBar("verify", cmd.ErrOrStderr())
			var v projections.Verification
			err := r.call(cmd, opVerify, nil, &v, func(body json.RawMessage) {
				var p progressInfo
				if json.Unmarshal(body, &p) == nil {
					bar.show(p.Done, p.Total, "")
				}
			})
			bar.finish()
			if err != nil {
				return err
			}
			return reportVerification(cmd.OutOrStdout(), r.json, v)
		},
	}
	r.flags(cmd)
	return cmd
}

func reportVerification(out io.Writer, asJSON bool, v projections.Verification) error {
	if asJSON {
		if err := printJSON(out, v); err != nil {
			return err
		}
	} else {
		for _, f := range v.Findings {
			_, _ = fmt.Fprintf(out, "%s: %s %s %s: %s\n", f.Severity, f.Stream, f.Projection, f.Aggregate, f.Text)
		}
		_, _ = fmt.Fprintf(out, "%d events of %d aggregates, %d rows: %d errors, %d warnings\n", v.Events, v.Aggregates, v.Rows, v.Errors, v.Warnings)
	}
	if v.Errors > 0 {
		return fmt.Errorf("%d invariants are broken", v.Errors)
	}
	return nil
}

// bar shows progress on a terminal, and nothing elsewhere.
type bar struct{ bar *progressbar.ProgressBar }

func newBar(what string, out io.Writer) *bar {
	f, ok := out.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return &bar{}
	}
	return &bar{progressbar.NewOptions64(-1, progressbar.OptionSetWriter(out), progressbar.OptionSetDescription(what),
		progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionSetItsString("events"),
		progressbar.OptionSetPredictTime(true), progressbar.OptionClearOnFinish())}
}

func (b *bar) show(done, total uint64, note string) {
	if b.bar == nil {
		return
	}
	b.bar.ChangeMax64(int64(max(total, 1)))
	if note != "" {
		b.bar.Describe(note)
	}
	_ = b.bar.Set64(int64(min(done, total)))
}

func (b *bar) finish() {
	if b.bar != nil {
		_ = b.bar.Finish()
	}
}
