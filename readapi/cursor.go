package readapi

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"strings"

	"github.com/admitone/admitone/api"
	"github.com/admitone/admitone/readstore"
)

// cursors makes and reads page cursors: a position within one list as one revision
// of the code ordered it, signed, in base64url without padding.
type cursors struct{ key []byte }

var encoding = base64.RawURLEncoding.Strict()

func (c cursors) seal(revision int, query string, p readstore.Position) string {
	return c.sealPlace(revision, query, p.String())
}

// open reads a cursor of the same query; nil for an empty one, which is the first
// page. The error is a *api.MalformedError.
func (c cursors) open(cursor string, revision int, query string) (*readstore.Position, error) {
	place, err := c.openPlace(cursor, revision, query)
	if err != nil || place == "" {
		return nil, err
	}
	p, err := readstore.ParsePosition(place)
	if err != nil {
		return nil, errNoPlace
	}
	return &p, nil
}

// sealPlace is seal for a list whose places are no positions of a readstore.Bucketed.
// A place is not empty.
func (c cursors) sealPlace(revision int, query, place string) string {
	text := strconv.Itoa(revision) + "|" + query + "|" + place
	return encoding.EncodeToString(append(c.sign(text), text...))
}

// openPlace is the place that sealPlace was given for the same query; empty for an
// empty cursor. The error is a *api.MalformedError.
func (c cursors) openPlace(cursor string, revision int, query string) (place string, err error) {
	if cursor == "" {
		return "", nil
	}
	raw, err := encoding.DecodeString(cursor)
	// The decoder passes over line breaks.
	if err != nil || strings.ContainsAny(cursor, "\r\n") || len(raw) < sha256.Size || !hmac.Equal(raw[:sha256.Size], c.sign(string(raw[sha256.Size:]))) {
		return "", badCursor("the cursor was not given out by this service; send next_cursor exactly as it was received")
	}
	ofRevision, rest, _ := strings.Cut(string(raw[sha256.Size:]), "|")
	ofQuery, place, _ := strings.Cut(rest, "|")
	if ofQuery != query {
		return "", badCursor("the cursor belongs to another query; send it with the parameters it was given out for")
	}
	if ofRevision != strconv.Itoa(revision) {
		return "", badCursor("the list has been rebuilt in another form since; begin with its first page")
	}
	if place == "" {
		return "", errNoPlace
	}
	return place, nil
}

// errNoPlace is a cursor of ours that holds none.
var errNoPlace = badCursor("the cursor holds no position; begin with the first page")

func (c cursors) sign(text string) []byte {
	mac := hmac.New(sha256.New, c.key)
	mac.Write([]byte(text))
	return mac.Sum(nil)
}

func badCursor(detail string) error {
	return &api.MalformedError{Code: "invalid_cursor", Detail: detail}
}
