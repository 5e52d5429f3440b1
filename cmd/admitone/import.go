package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/google/uuid"
	"github.com/spf13/cobra"
)

// importSummary is what became of a file.
type importSummary struct {
	Lines    int       `json:"lines"`    // that hold a ticket, or should
	Listed   int       `json:"listed"`   // by this run
	Repeated int       `json:"repeated"` // were listed by an earlier run
	Bad      []badLine `json:"bad"`      // in order
}

// badLine is a line that holds no ticket that can be listed.
type badLine struct {
	Line   int    `json:"line"`
	Reason string `json:"reason"`
}

func importCommand() *cobra.Command {
	var r remote
	var seller string
	cmd := &cobra.Command{
		Use: "import FILE", Short: "List the tickets of a file", Args: cobra.ExactArgs(1),
		Long: `List the tickets of a file, one ticket for each line. FILE is "-" for standard input.

It is either CSV, whose first line names the columns title, amount, currency and, where
there is one, seller_id, or NDJSON, one object for each line:
{"title": "Row 7", "price": {"amount": 2500, "currency": "EUR"}, "seller_id": "…"}.
Amounts are whole minor units: 2500 is 25.00 EUR. Text is UTF-8, a line has at most 64 KB,
and quoted fields end on their line.

Each line has an idempotency key, made of the file's content and the line's number. So
when it was interrupted run it again: it goes on, and the same file lists nothing twice,
today and in a year. Lines that are bad are named on standard error, the good ones are
kept; mended lines belong into a file of their own, since a changed file is another file.

Exits with 1 when a line was bad.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			account, err := sellerOf(seller)
			if err != nil {
				return err
			}
			file, err := openImport(args[0], cmd.InOrStdin())
			if err != nil {
				return err
			}
			defer file.close()
			return r.importFile(cmd, file, account)
		},
	}
	r.flags(cmd)
	cmd.Flags().StringVar(&seller, "seller", "", "account UUID that lists the lines without a seller_id")
	return cmd
}

func sellerOf(text string) (uuid.UUID, error) {
	if text == "" {
		return uuid.Nil, nil
	}
	id, err := accountID(text)
	if err != nil {
		return id, fmt.Errorf("--seller: %w", err)
	}
	return id, nil
}

func accountID(text string) (uuid.UUID, error) {
	id, err := uuid.Parse(text)
	if err != nil || len(text) != 36 || id == uuid.Nil {
		return uuid.Nil, fmt.Errorf("%q is not the UUID of an account", text)
	}
	return id, nil
}

// importFile lists what the file holds and tells what became of it, also when it
// could not be finished.
func (r *remote) importFile(cmd *cobra.Command, file *importSource, seller uuid.UUID) error {
	nc, err := r.connect()
	if err != nil {
		return err
	}
	defer nc.Close()
	bar := newBar("import", cmd.ErrOrStderr())
	run := &importRun{nc: nc, key: file.key, show: func(done int) { bar.show(uint64(done), uint64(file.count), "") }}
	err = run.send(cmd.Context(), func(ctx context.Context, lines chan<- importLine) error {
		return file.tickets(ctx, seller, lines, run.bad)
	})
	bar.finish()
	if reportErr := reportImport(cmd.OutOrStdout(), cmd.ErrOrStderr(), r.json, &run.summary); reportErr != nil {
		return reportErr
	}
	switch {
	case errors.Is(err, context.Canceled):
		return errors.New("interrupted: run it again, it goes on where it stopped")
	case err != nil:
		return err
	case len(run.summary.Bad) > 0:
		return fmt.Errorf("%d of %d lines are bad", len(run.summary.Bad), run.summary.Lines)
	}
	return nil
}

func reportImport(out, errOut io.Writer, asJSON bool, s *importSummary) error {
	slices.SortFunc(s.Bad, func(a, b badLine) int { return cmp.Compare(a.Line, b.Line) })
	for _, b := range s.Bad {
		_, _ = fmt.Fprintf(errOut, "line %d: %s\n", b.Line, printable(b.Reason))
	}
	if len(s.Bad) > 0 {
		_, _ = fmt.Fprintln(errOut, "The other lines are kept. Mend the bad ones in a file of their own, below the same header, and import that: this file, once changed, is another one, and all its lines would be listed again.")
	}
	if asJSON {
		if s.Bad == nil {
			s.Bad = []badLine{}
		}
		return printJSON(out, s)
	}
	_, err := fmt.Fprintf(out, "%d lines: %d listed, %d listed before, %d bad\n", s.Lines, s.Listed, s.Repeated, len(s.Bad))
	return err
}
