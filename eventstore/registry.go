package eventstore

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"

	jsonv1 "github.com/go-json-experiment/json/v1"
)

// Upcaster turns a payload of an old schema revision into the next one.
type Upcaster func(old json.RawMessage) (json.RawMessage, error)

// Registry knows every event type by its chosen name. Fill it at start, call
// Validate once, then it is safe for concurrent use.
type Registry struct {
	types  map[string]reflect.Type
	steps  map[string]step
	faults []error
}

type step struct {
	to   string
	cast Upcaster
}

// NewRegistry returns an empty registry.
func NewRegistry() *Registry {
	return &Registry{types: map[string]reflect.Type{}, steps: map[string]step{}}
}

// Register adds payload types by a zero value each; the newest revision of a
// name only. Faults are collected and reported by Validate.
func (r *Registry) Register(prototypes ...Payload) {
	for _, p := range prototypes {
		name, t := p.EventType(), reflect.TypeOf(p)
		if _, taken := r.types[name]; taken {
			r.fault("%q is registered twice", name)
			continue
		}
		if t.Kind() != reflect.Struct {
			r.fault("%q: %s is not a struct; register a plain struct by value", name, t)
			continue
		}
		r.types[name] = t
	}
}

// Upcast adds a step from one recorded type name to the next revision's.
func (r *Registry) Upcast(from, to string, cast Upcaster) {
	if _, taken := r.steps[from]; taken {
		r.fault("two upcasters from %q", from)
		return
	}
	r.steps[from] = step{to: to, cast: cast}
}

func (r *Registry) fault(format string, args ...any) {
	r.faults = append(r.faults, fmt.Errorf(format, args...))
}

// Encode returns the body of a payload; ErrUnknownType when not registered.
func (r *Registry) Encode(p Payload) ([]byte, error) {
	if p == nil {
		return nil, fmt.Errorf("%w: no payload", ErrUnknownType)
	}
	name := p.EventType()
	if t, ok := r.types[name]; !ok || t != reflect.TypeOf(p) {
		return nil, fmt.Errorf("%w: %q as %T is not registered", ErrUnknownType, name, p)
	}
	body, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("%w: encode %q: %w", ErrMalformed, name, err)
	}
	return body, nil
}

// Decode reads a body recorded under a type name, upcasting an old revision. The
// result has the registered type, by value. ErrUnknownType, or ErrMalformed.
func (r *Registry) Decode(typ string, body []byte) (Payload, error) {
	name := typ
	for {
		next, old := r.steps[name]
		if !old {
			break
		}
		raw, err := next.cast(body)
		if err != nil {
			return nil, fmt.Errorf("%w: upcast %q to %q: %w", ErrMalformed, name, next.to, err)
		}
		name, body = next.to, raw
	}
	t, ok := r.types[name]
	if !ok {
		return nil, fmt.Errorf("%w: %q", ErrUnknownType, typ)
	}
	return decodeAs(t, name, body)
}

var errNoObject = errors.New("the body is not a JSON object")

func decodeAs(t reflect.Type, name string, body []byte) (Payload, error) {
	// null would decode into a zero value without a word.
	if trimmed := bytes.TrimLeft(body, " \t\r\n"); len(trimmed) == 0 || trimmed[0] != '{' {
		return nil, fmt.Errorf("%w: %q: %w", ErrMalformed, name, errNoObject)
	}
	v := reflect.New(t)
	if err := jsonv1.Unmarshal(body, v.Interface()); err != nil {
		return nil, fmt.Errorf("%w: %q: %w", ErrMalformed, name, err)
	}
	return v.Elem().Interface().(Payload), nil
}

// Types lists the names that Decode accepts, sorted.
func (r *Registry) Types() []string {
	names := slices.Collect(maps.Keys(r.types))
	for from := range r.steps {
		names = append(names, from)
	}
	slices.Sort(names)
	return names
}
