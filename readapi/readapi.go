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
// streams that the projection does not read are ignored. To whom mayKnow says no, a
// version is one that never comes.
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

// mayKnow says whether the caller may know of an aggregate. Where nobody can tell,
// the answer is no.
type mayKnow func(ctx context.Context, view readstore.View, id uuid.UUID) (bool, error)

// everybody may know of what is public.
func everybody(context.Context, readstore.View, uuid.UUID) (bool, error) { return true, nil }

// ownerOr lets callers know of the aggregates whose home row names them in a column,
// and those whom all accepts of any.
func ownerOr(all func(api.Caller) bool, store readstore.Store, table, column string) mayKnow {
	return func(ctx context.Context, view readstore.View, id uuid.UUID) (bool, error) {
		caller := api.CallerFrom(ctx)
		if all(caller) {
			return true, nil
		}
		home := view.Table(table)
		rows, err := store.Get(ctx, home, readstore.Key{id.String()})
		if err != nil || rows[0] == nil {
			return false, err
		}
		return caller.Account != uuid.Nil && columnsOf(home).text(rows[0], column) == caller.Account.String(), nil
	}
}

// awaitKnown is awaitUntil for a token. To whom may not know of the aggregate, that
// it is at the version, or parked, looks as one that does not exist: not there at the
// end of the wait.
func awaitKnown(ctx context.Context, end time.Time, view readstore.View, t api.Token, know mayKnow) error {
	err := awaitUntil(ctx, end, view, t.Aggregate, t.Version)
	if err != nil && !errors.Is(err, readstore.ErrParked) {
		return err
	}
	known, failed := know(ctx, view, t.Aggregate)
	if failed != nil || known {
		return errors.Join(err, failed)
	}
	waiting, cancel := context.WithDeadline(ctx, end)
	defer cancel()
	<-waiting.Done()
	return errors.Join(readstore.ErrNotYet, ctx.Err())
}

// knownTags reads an If-None-Match; none where the header is absent.
func knownTags(header *string) (api.ETags, error) {
	if header == nil {
		return api.ETags{}, nil
	}
	return api.ParseETags(*header)
}
