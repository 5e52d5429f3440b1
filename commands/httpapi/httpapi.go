// Package httpapi is the POST and PUT endpoints: it turns a request into a
// command with its id, hash and precondition, and the aggregate after it into an
// answer.
//
// cmd wires it into internal/httpx. It imports commands, domain and api, and
// knows no echo.
package httpapi

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/admitone/admitone/api"
	"github.com/admitone/admitone/commands"
	"github.com/google/uuid"
)

// envelope is what all commands have in common: who sends which, and how a repeat is known.
type envelope struct {
	caller    api.Caller
	operation string
	target    string // the aggregate's id; empty for a new one
	key       *string
}

// command builds the command for an existing aggregate; body is what the caller
// asked for beside its target.
func command[C any](e envelope, aggregate uuid.UUID, asked any, body C) (commands.Command[C], error) {
	id, err := e.id()
	if err != nil {
		return commands.Command[C]{}, err
	}
	hash, err := e.hash(asked)
	return commands.Command[C]{
		ID: id, Hash: hash, Aggregate: aggregate, Actor: e.caller.Account.String(),
		CorrelationID: e.caller.RequestID, TraceParent: e.caller.TraceParent, Body: body,
	}, err
}

// creation builds the command for a new aggregate, whose id a repeat finds again
// where the caller gave a key.
func creation[C any](e envelope, kind string, asked any, body C) (commands.Command[C], error) {
	cmd, err := command(e, uuid.Nil, asked, body)
	if err != nil {
		return cmd, err
	}
	if e.key != nil {
		cmd.Aggregate = commands.NewAggregateID(kind, cmd.ID)
		return cmd, nil
	}
	cmd.Fresh = true
	cmd.Aggregate, err = uuid.NewV7()
	return cmd, err
}

// hash is what a repeat of the request must have too.
func (e envelope) hash(asked any) (string, error) {
	return commands.Hash(struct {
		Operation string `json:"operation"`
		Target    string `json:"target"`
		Body      any    `json:"body"`
	}{e.operation, e.target, asked})
}

func (e envelope) id() (uuid.UUID, error) {
	if e.key == nil {
		return uuid.NewV7()
	}
	unprintable := func(r rune) bool { return r < ' ' || r > '~' }
	if k := *e.key; len(k) < 1 || len(k) > 255 || strings.ContainsFunc(k, unprintable) {
		return uuid.Nil, api.Invalid("Idempotency-Key", "must have 1 to 255 printable ASCII characters")
	}
	return commands.CommandID(e.caller.Account.String(), e.operation, e.target, *e.key), nil
}

// conditional handles a command under the caller's If-Match. The handler takes one
// version; where the caller named several, the lowest is tried first, and then the
// one that the aggregate turns out to be at, if it is among them. Versions only
// rise, so this ends.
func conditional[C, R any](ctx context.Context, ifMatch *string, cmd commands.Command[C], handle func(context.Context, commands.Command[C]) (R, error)) (R, error) {
	if ifMatch == nil {
		return handle(ctx, cmd)
	}
	tags, err := api.ParseETags(*ifMatch)
	if err != nil {
		var none R
		return none, err
	}
	versions, anyVersion := tags.Versions()
	if anyVersion {
		return handle(ctx, cmd)
	}
	var wanted uint64 // nothing is at version 0: where no tag names a version, none matches
	if len(versions) > 0 {
		wanted = slices.Min(versions)
	}
	for {
		cmd.IfVersion = &wanted
		result, err := handle(ctx, cmd)
		var mismatch *commands.VersionMismatchError
		if !errors.As(err, &mismatch) || mismatch.Actual <= wanted || !slices.Contains(versions, mismatch.Actual) {
			return result, err
		}
		wanted = mismatch.Actual
	}
}
