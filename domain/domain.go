// Package domain is the vocabulary that the deciders of all aggregates share:
// money and refusals. The aggregates live below it, each in its own package.
//
// Every room of the marketplace imports it. It imports the standard library and
// uuid only, and is pure: no context, clock, randomness or logger.
package domain

// Kind is what a refusal means to whoever sent the command.
type Kind uint8

const (
	// Invalid: a field of the command is out of range, whatever the state (422).
	Invalid Kind = iota + 1
	// NotFound: there is no such aggregate (404).
	NotFound
	// Forbidden: the aggregate belongs to somebody else (403).
	Forbidden
	// Conflict: a rule forbids it in the present state (409).
	Conflict
)

// Refusal is a decider's no. Each rule has a sentinel of its own to branch on
// with errors.Is; a refusal given in a particular case may carry another Detail
// or Field, and still matches the sentinel by its Code.
type Refusal struct {
	Kind   Kind
	Code   string // stable and unique over all rules, in snake_case: "ticket_not_available"
	Detail string // a sentence for the one who sent the command
	Field  string // Invalid only: JSON pointer (RFC 6901) into the command, "/price/amount"
}

func (r *Refusal) Error() string {
	if r.Field != "" {
		return r.Field + ": " + r.Detail
	}
	return r.Detail
}

// Is makes errors.Is true between refusals by the same rule.
func (r *Refusal) Is(target error) bool {
	t, ok := target.(*Refusal)
	return ok && t.Code == r.Code
}

// Because returns a copy of r that explains this very case.
func (r *Refusal) Because(detail string) *Refusal {
	c := *r
	c.Detail = detail
	return &c
}

// At returns a copy of r that names the field at fault.
func (r *Refusal) At(field string) *Refusal {
	c := *r
	c.Field = field
	return &c
}
