package api

import "fmt"

// MalformedError is a request that does not have the form the contract gives it (400).
type MalformedError struct {
	Code   string // stable; empty: "malformed"
	Detail string
}

func (e *MalformedError) Error() string { return e.Detail }

// Malformed returns a *MalformedError of the common code.
func Malformed(format string, args ...any) error {
	return &MalformedError{Detail: fmt.Sprintf(format, args...)}
}

// WrittenError is a refusal by which something was written all the same: what became of
// it can be read at Location, by a query that carries Token.
type WrittenError struct {
	Err      error
	Location string
	Token    string // as on the wire
}

func (e *WrittenError) Error() string { return e.Err.Error() }

// Unwrap gives the refusal.
func (e *WrittenError) Unwrap() error { return e.Err }

// InvalidError lists all fields and parameters of a request that are out of
// range, unknown or missing (422).
type InvalidError struct{ Errors []FieldError }

func (e *InvalidError) Error() string {
	text := "the request is not valid"
	for i, f := range e.Errors {
		sep := ": "
		if i > 0 {
			sep = "; "
		}
		text += sep + f.subject() + " " + f.Detail
	}
	return text
}

// subject is what the detail speaks of; the empty pointer is the whole body (RFC 6901).
func (f FieldError) subject() string {
	if f.Pointer == "" {
		return "the body"
	}
	return f.Pointer
}

// Invalid returns an *InvalidError for one field or parameter.
func Invalid(pointer, format string, args ...any) error {
	return &InvalidError{Errors: []FieldError{{Pointer: pointer, Detail: fmt.Sprintf(format, args...)}}}
}
