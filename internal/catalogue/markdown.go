package catalogue

import (
	"fmt"
	"strings"

	"github.com/admitone/admitone/api"
)

// Markdown is the catalogue as a page.
func Markdown(list api.EventCatalogue) string {
	var b strings.Builder
	b.WriteString(`# The events

Every event type: its fields, which command writes it and who sends that, and who reads it.
` + "`make generate`" + ` makes this page and [events.json](events.json) from the code; a server shows the same at
` + "`/events.json`" + `, and ` + "`admitone events catalogue`" + ` without one.

A type's shape never changes, since logs hold it: ` + "`make generate`" + ` and the tests refuse another one.
[CONTRIBUTING](../CONTRIBUTING.md#an-event) tells how a new revision is made.
`)
	stream := ""
	for _, t := range list.Items {
		if t.Stream != stream {
			stream = t.Stream
			fmt.Fprintf(&b, "\n## %s\n", stream)
		}
		fmt.Fprintf(&b, "\n### %s\n\n", t.Type)
		writeFields(&b, t.Fields)
		writeUsers(&b, t)
	}
	return b.String()
}

func writeFields(b *strings.Builder, fields []api.EventField) {
	if len(fields) == 0 {
		b.WriteString("No fields.\n")
		return
	}
	b.WriteString("| field | JSON |\n| --- | --- |\n")
	for _, f := range fields {
		fmt.Fprintf(b, "| `%s` | %s |\n", f.Name, shape(f))
	}
}

func writeUsers(b *strings.Builder, t api.EventType) {
	b.WriteString("\n")
	for _, w := range t.WrittenBy {
		fmt.Fprintf(b, "- written by `%s`", w.Command)
		if len(w.SentBy) > 0 {
			fmt.Fprintf(b, ": %s", strings.Join(w.SentBy, ", "))
		}
		b.WriteString("\n")
	}
	if len(t.WrittenBy) == 0 {
		b.WriteString("- an old revision, written no more; it is read as the newest one\n")
	}
	if len(t.ReadBy) > 0 {
		fmt.Fprintf(b, "- read by %s\n", strings.Join(t.ReadBy, ", "))
	}
}
