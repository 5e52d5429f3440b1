package commands

import (
	"context"
	"errors"
	"math"

	"github.com/google/uuid"
)

// Current is the aggregate as the stream's leader has it now; at Version 0, in its
// initial state, where there is none. It appends nothing. Errors are those of
// Handle that are not a refusal; ErrContention where a replica lags too far behind.
func (h *Handler[S, C]) Current(ctx context.Context, id uuid.UUID) (Result[S], error) {
	return h.At(ctx, id, math.MaxUint64)
}

// At is the aggregate as it was at a version, or as Current has it where it has not
// come so far; which of the two, the result's Version tells. What it answers for a
// version that is reached never changes.
func (h *Handler[S, C]) At(ctx context.Context, id uuid.UUID, version uint64) (Result[S], error) {
	if id == uuid.Nil {
		return Result[S]{}, errors.New("commands: an aggregate needs an id")
	}
	res, err := h.inTurn(ctx, id, func(e *entry[S]) (Result[S], error) { return h.look(ctx, e, id, version) })
	if err != nil || !res.past {
		return res, err
	}
	return h.past(ctx, id, res)
}

// look answers with what is known now when that is enough. Where overtaken(err), it
// may be tried again once more is known.
func (h *Handler[S, C]) look(ctx context.Context, e *entry[S], id uuid.UUID, version uint64) (Result[S], error) {
	if e.agg == nil || e.agg.version < version {
		if err := h.prepare(ctx, e, id, false); err != nil {
			return Result[S]{}, err
		}
	}
	if e.agg.version > version {
		return Result[S]{Version: version, past: true}, nil
	}
	if e.agg.version == version {
		return e.agg.result(), nil
	}
	res := e.agg.result()
	return res, h.confirm(ctx, e, id, nil)
}
