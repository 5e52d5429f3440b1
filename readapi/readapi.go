// Package readapi answers the queries of the HTTP interface from the read models:
// the GET endpoints, and the admin's view of projections, parked aggregates and
// events. Each request reads one generation of one projection from its beginning
// to its end.
//
// cmd wires it into internal/httpx. It imports readstore, domain and api; it knows
// no echo and no projection's code: what it needs of them are small ports.
package readapi

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/admitone/admitone/api"
	"github.com/admitone/admitone/readstore"
	"github.com/google/uuid"
)

// mayKeep lets a client keep an answer if it asks each time whether it still holds.
const mayKeep = "no-cache"

// oneLook is how long a query that does not want to wait may look whether its
// versions are there.
const oneLook = 100 * time.Millisecond

// open returns the view for one request, once it holds the versions that the
// request's consistency tokens name and prefer allows to wait for. Tokens of
// streams that the projection does not read are ignored. know is nil where the caller
// may know of everything; a token of what he may not know of is met as soon as that
// can be told.
func open(ctx context.Context, r readstore.Reader, header, prefer string, know mayKnow) (readstore.View, error) {
	tokens, err := api.ParseTokens(header)
	if err != nil {
		return nil, err
	}
	wait, err := api.ParseWait(prefer)
	if err != nil {
		return nil, err
	}
	return openUntil(ctx, endOf(wait), r, tokens, know)
}

// endOf is when a wait that begins now is over.
func endOf(wait time.Duration) time.Time { return time.Now().Add(max(wait, oneLook)) }

// openUntil is open with what it reads from the headers given.
func openUntil(ctx context.Context, end time.Time, r readstore.Reader, tokens []api.Token, know mayKnow) (readstore.View, error) {
	view, err := r.View(ctx)
	if err != nil {
		return nil, err
	}
	for _, t := range tokens {
		if t.Stream != strings.ToLower(r.Stream()) {
			continue
		}
		if err := awaitKnown(ctx, end, view, t, know); err != nil {
			return nil, err
		}
	}
	return view, nil
}

// awaitUntil returns once a version is there: readstore.ErrNotYet at the end of the
// wait, and the request's own end tells itself.
func awaitUntil(ctx context.Context, end time.Time, view readstore.View, id uuid.UUID, version uint64) error {
	waiting, cancel := context.WithDeadline(ctx, end)
	defer cancel()
	if err := view.Wait(waiting, id, version); err != nil {
		return errors.Join(err, ctx.Err())
	}
	return nil
}

// mayKnow says whether the caller may know of an aggregate that has a home row.
type mayKnow func(ctx context.Context, view readstore.View, id uuid.UUID) (bool, error)

// ownIn lets callers know of the aggregates whose home row names them in a column.
func ownIn(store readstore.Store, table, column string) mayKnow {
	return func(ctx context.Context, view readstore.View, id uuid.UUID) (bool, error) {
		home := view.Table(table)
		rows, err := store.Get(ctx, home, readstore.Key{id.String()})
		if err != nil {
			return false, err
		}
		if rows[0] == nil {
			return false, readstore.ErrNotYet // it was there: the read store is lost, and is filled again
		}
		return isOwn(api.CallerFrom(ctx), columnsOf(home).text(rows[0], column)), nil
	}
}

// isOwn says whether the caller is the owner that a row names.
func isOwn(c api.Caller, owner string) bool {
	return c.Account != uuid.Nil && c.Account.String() == owner
}

// awaitKnown is awaitUntil for a token. Whose the aggregate is, its home row tells, of
// whatever version; until there is one, everybody waits. Who may not know of it has
// nothing to wait for then, and the answer tells him nothing of its version, and not
// whether it is parked: the query says that there is none, or leaves it out.
func awaitKnown(ctx context.Context, end time.Time, view readstore.View, t api.Token, know mayKnow) error {
	if know != nil {
		if err := awaitUntil(ctx, end, view, t.Aggregate, 1); err != nil {
			return err
		}
		if known, err := know(ctx, view, t.Aggregate); err != nil || !known {
			return err
		}
	}
	return awaitUntil(ctx, end, view, t.Aggregate, t.Version)
}

// knownTags reads an If-None-Match; none where the header is absent.
func knownTags(header *string) (api.ETags, error) {
	if header == nil {
		return api.ETags{}, nil
	}
	return api.ParseETags(*header)
}
