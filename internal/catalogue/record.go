package catalogue

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/admitone/admitone/api"
)

// Record is the catalogue to be kept, after the one that was kept before: types of
// before that are written no more stay, since logs hold them. readable lists all types
// that can be read. The error names each type that has another shape than it had, or
// that nothing can read any more.
func Record(before, now api.EventCatalogue, readable []string) (api.EventCatalogue, error) {
	kept := api.EventCatalogue{Items: slices.Clone(now.Items)}
	var faults []error
	for _, old := range before.Items {
		i := slices.IndexFunc(now.Items, func(t api.EventType) bool { return t.Type == old.Type })
		switch {
		case i >= 0:
			faults = append(faults, compare(old, now.Items[i]))
		case !slices.Contains(readable, old.Type):
			faults = append(faults, fmt.Errorf("%s can be read no more, and logs hold it: register an upcaster from it to its next revision", old.Type))
		default:
			old.WrittenBy = []api.EventWriter{} // its readers get the newest revision
			old.ReadBy = []string{}
			kept.Items = append(kept.Items, old)
		}
	}
	return kept, errors.Join(faults...)
}

// compare is nil where a type has the shape that it had.
func compare(old, now api.EventType) error {
	var changes []string
	for _, f := range old.Fields {
		i := slices.IndexFunc(now.Fields, func(g api.EventField) bool { return g.Name == f.Name })
		switch {
		case i < 0:
			changes = append(changes, f.Name+" is gone")
		case now.Fields[i] != f:
			changes = append(changes, fmt.Sprintf("%s is %s, it was %s", f.Name, shape(now.Fields[i]), shape(f)))
		}
	}
	for _, f := range now.Fields {
		if !slices.ContainsFunc(old.Fields, func(g api.EventField) bool { return g.Name == f.Name }) {
			changes = append(changes, f.Name+" is new")
		}
	}
	if changes == nil {
		return nil
	}
	next := fmt.Sprintf("%sv%d", strings.TrimSuffix(old.Type, fmt.Sprintf("v%d", old.Revision)), old.Revision+1)
	return fmt.Errorf("%s has changed: %s. Logs hold the old shape: undo it, or make a new revision %s, with an upcaster from this one",
		old.Type, strings.Join(changes, "; "), next)
}

func shape(f api.EventField) string {
	if f.Optional {
		return "optional " + f.Type
	}
	return f.Type
}
