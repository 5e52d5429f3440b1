package eventstore

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"reflect"
	"regexp"
	"strconv"
	"strings"
)

var (
	typeName  = regexp.MustCompile(`^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+\.v[1-9][0-9]*$`)
	fieldName = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
)

// Validate reports every fault at once: a name twice, a malformed name, a hole
// or a dead end in the upcasters, a type whose zero value does not survive a
// round trip through JSON, a field that JSON would drop or name otherwise than
// in snake_case.
func (r *Registry) Validate() error {
	faults := append([]error(nil), r.faults...)
	for _, name := range r.Types() {
		if !typeName.MatchString(name) {
			faults = append(faults, fmt.Errorf("%q is no type name; want something like account.opened.v1", name))
			continue
		}
		if t, ok := r.types[name]; ok {
			faults = append(faults, r.checkType(name, t)...)
		}
		if _, ok := r.steps[name]; ok {
			faults = append(faults, r.checkSteps(name)...)
		}
	}
	if err := errors.Join(faults...); err != nil {
		return fmt.Errorf("eventstore: event registry: %w: %w", ErrMisconfigured, err)
	}
	return nil
}

func (r *Registry) checkType(name string, t reflect.Type) (faults []error) {
	if _, old := r.steps[name]; old {
		faults = append(faults, fmt.Errorf("%q has an upcaster; register the newest revision only", name))
	}
	base, revision := splitRevision(name)
	for n := 1; n < revision; n++ {
		if from := revisionName(base, n); !r.hasStep(from) {
			faults = append(faults, fmt.Errorf("no upcaster from %q, which may be in the log; add Upcast(%q, %q, …)", from, from, revisionName(base, n+1)))
		}
	}
	for i := range t.NumField() {
		f := t.Field(i)
		tag, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !f.IsExported() || !fieldName.MatchString(tag) {
			faults = append(faults, fmt.Errorf("%q: field %s of %s needs a json tag in snake_case, or it is lost", name, f.Name, t))
		}
	}
	if err := roundTrip(name, t); err != nil {
		faults = append(faults, fmt.Errorf("%q does not survive JSON: %w", name, err))
	}
	return faults
}

func (r *Registry) hasStep(from string) bool { _, ok := r.steps[from]; return ok }

// checkSteps follows an old revision to a registered type.
func (r *Registry) checkSteps(from string) []error {
	base, revision := splitRevision(from)
	to := r.steps[from].to
	if toBase, n := splitRevision(to); toBase == base && n != revision+1 {
		return []error{fmt.Errorf("upcaster from %q goes to %q, not to the next revision", from, to)}
	}
	seen := map[string]bool{from: true}
	for name := to; ; {
		if _, ok := r.types[name]; ok {
			return nil
		}
		next, ok := r.steps[name]
		if !ok || seen[name] {
			return []error{fmt.Errorf("upcasters from %q end at %q, which is not registered", from, name)}
		}
		seen[name] = true
		name = next.to
	}
}

func roundTrip(name string, t reflect.Type) error {
	zero := reflect.Zero(t).Interface()
	body, err := json.Marshal(zero)
	if err != nil {
		return err
	}
	back, err := decodeAs(t, name, body)
	if err != nil {
		return err
	}
	if !reflect.DeepEqual(zero, any(back)) {
		return fmt.Errorf("%s reads back as %+v", body, back)
	}
	return nil
}

func splitRevision(name string) (base string, revision int) {
	i := strings.LastIndex(name, ".v")
	if i < 0 {
		return name, 0
	}
	revision, err := strconv.Atoi(name[i+2:])
	if err != nil {
		return name, 0
	}
	return name[:i], revision
}

func revisionName(base string, revision int) string { return base + ".v" + strconv.Itoa(revision) }

// CheckGolden proves that every type name that can be read is still readable as
// it was written: dir must hold <type>.json for each of Types, and each must
// decode; a current revision must also encode to the same JSON. Keep the file of
// a revision for ever, and call this from a test of the domain. All faults at once.
func (r *Registry) CheckGolden(dir fs.FS) error {
	var faults []error
	for _, name := range r.Types() {
		if err := r.checkGolden(dir, name); err != nil {
			faults = append(faults, fmt.Errorf("%s.json: %w", name, err))
		}
	}
	return errors.Join(faults...)
}

func (r *Registry) checkGolden(dir fs.FS, name string) error {
	golden, err := fs.ReadFile(dir, name+".json")
	if err != nil {
		return err
	}
	p, err := r.Decode(name, golden)
	if err != nil || r.hasStep(name) {
		return err
	}
	body, err := r.Encode(p)
	if err != nil {
		return err
	}
	var want, have any
	if err := errors.Join(json.Unmarshal(golden, &want), json.Unmarshal(body, &have)); err != nil {
		return err
	}
	if !reflect.DeepEqual(want, have) {
		return fmt.Errorf("is written as %s now; a changed payload needs a new revision and an upcaster", body)
	}
	return nil
}
