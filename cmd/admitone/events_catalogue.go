package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/admitone/admitone/api"
	"github.com/admitone/admitone/domain/conversation"
	"github.com/admitone/admitone/domain/order"
	"github.com/admitone/admitone/domain/ticket"
	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/internal/catalogue"
	engine "github.com/admitone/admitone/processes"
	"github.com/admitone/admitone/processes/bot"
	processes "github.com/admitone/admitone/processes/market"
	projections "github.com/admitone/admitone/projections/market"
	"github.com/spf13/cobra"
)

//go:generate go run . events catalogue --record ../../docs

// eventCatalogue is every event of the marketplace, who writes and who reads it.
func eventCatalogue() (api.EventCatalogue, error) {
	var from catalogue.Sources
	for _, c := range contexts() {
		from.Streams = append(from.Streams, catalogue.Stream{Name: c.stream, Events: c.events})
	}
	senders, err := senders()
	if err != nil {
		return api.EventCatalogue{}, err
	}
	from.Writers = slices.Concat(writers(ticket.Written(), senders), writers(order.Written(), senders), writers(conversation.Written(), senders))
	from.Readers, err = readers()
	return catalogue.Make(from), err
}

// senders says for each operation who sends it: requests first.
func senders() (map[string][]string, error) {
	requests, err := api.Commands()
	if err != nil {
		return nil, err
	}
	senders := map[string][]string{}
	for _, r := range requests {
		senders[r.Name] = append(senders[r.Name], r.Method+" "+r.Path)
	}
	all, err := allProcesses()
	if err != nil {
		return nil, err
	}
	sends := processes.Sends()
	maps.Copy(sends, bot.Sends())
	for _, p := range all {
		for _, operation := range sends[p.Name()] {
			senders[operation] = append(senders[operation], "process "+p.Name())
		}
	}
	return senders, nil
}

// allProcesses is those of all roles.
func allProcesses() ([]*engine.Process, error) {
	all, err := processes.All()
	if err != nil {
		return nil, err
	}
	answering, err := bot.Define(bot.English{}, nil)
	return append(all, answering), err
}

func writers[E eventstore.Payload](written map[string][]E, senders map[string][]string) (list []catalogue.Writer) {
	for operation, events := range written {
		list = append(list, catalogue.Writer{Operation: operation, Events: payloads(events), Senders: senders[operation]})
	}
	return list
}

func readers() (list []catalogue.Reader, err error) {
	folds, err := projections.All()
	if err != nil {
		return nil, err
	}
	kept, err := projections.Auditor()
	if err != nil {
		return nil, err
	}
	for _, p := range append(folds, kept...) {
		list = append(list, catalogue.Reader{Name: "projection " + p.Name(), Stream: p.Stream(), Reads: p.Folds})
	}
	reactions, err := allProcesses()
	for _, p := range reactions {
		list = append(list, catalogue.Reader{Name: "process " + p.Name(), Stream: p.Stream(), Reads: func(e eventstore.Payload) bool {
			return p.Reacts(e.EventType())
		}})
	}
	return list, err
}

func eventsCatalogue() *cobra.Command {
	var asJSON bool
	var record string
	cmd := &cobra.Command{
		Use: "catalogue", Short: "List every event type, its fields, who writes and who reads it", Args: cobra.NoArgs,
		Long: `List every event type of this program, its fields, which command writes it, who sends
that, and who reads it. It asks no server; one shows its own at /events.json.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			list, err := eventCatalogue()
			switch {
			case err != nil:
				return err
			case record != "":
				return recordCatalogue(record, list)
			case asJSON:
				return printJSON(cmd.OutOrStdout(), list)
			}
			return printCatalogue(cmd.OutOrStdout(), list)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().StringVar(&record, "record", "", "write events.json and events.md in this folder")
	_ = cmd.Flags().MarkHidden("record") // for make generate
	return cmd
}

func printCatalogue(out io.Writer, list api.EventCatalogue) error {
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "TYPE\tFIELDS\tWRITTEN BY\tREAD BY")
	for _, t := range list.Items {
		var fields, writers []string
		for _, f := range t.Fields {
			fields = append(fields, f.Name)
		}
		for _, written := range t.WrittenBy {
			writers = append(writers, written.Command)
		}
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", t.Type, orDash(strings.Join(fields, ", ")), orDash(strings.Join(writers, ", ")), orDash(strings.Join(t.ReadBy, ", ")))
	}
	return w.Flush()
}

// recordCatalogue writes the catalogue beside the types that were written before, and
// refuses where one of these has changed.
func recordCatalogue(dir string, now api.EventCatalogue) error {
	files, err := catalogueFiles(dir, now)
	if err != nil {
		return err
	}
	for path, text := range files {
		if err := os.WriteFile(path, text, 0o644); err != nil { //nolint:gosec // a page for everybody
			return err
		}
	}
	return nil
}

// catalogueFiles is what stands in the folder once now is recorded.
func catalogueFiles(dir string, now api.EventCatalogue) (map[string][]byte, error) {
	var before api.EventCatalogue
	path := filepath.Join(dir, "events.json")
	raw, err := os.ReadFile(path) //nolint:gosec // the folder is the caller's choice
	if err == nil {
		err = json.Unmarshal(raw, &before)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("read what was recorded of the events: %w", err)
	}
	kept, err := catalogue.Record(before, now, readableTypes())
	if err != nil {
		return nil, err
	}
	text, err := json.MarshalIndent(kept, "", "  ")
	return map[string][]byte{path: append(text, '\n'), filepath.Join(dir, "events.md"): []byte(catalogue.Markdown(kept))}, err
}

// readableTypes is all that the registries read, old revisions too.
func readableTypes() (types []string) {
	for _, c := range contexts() {
		types = append(types, c.registry().Types()...)
	}
	slices.Sort(types)
	return types
}
