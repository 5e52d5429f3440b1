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
	text := strconv.Itoa(revision) + "|" + query + "|" + p.String()
	return encoding.EncodeToString(append(c.sign(text), text...))
}

// open reads a cursor of the same query; nil for an empty one, which is the first
// page. The error is a *api.MalformedError.
func (c cursors) open(cursor string, revision int, query string) (*readstore.Position, error) {
	if cursor == "" {
		return nil, nil
	}
	raw, err := encoding.DecodeString(cursor)
	// The decoder passes over line breaks.
	if err != nil || strings.ContainsAny(cursor, "\r\n") || len(raw) < sha256.Size || !hmac.Equal(raw[:sha256.Size], c.sign(string(raw[sha256.Size:]))) {
		return nil, badCursor("the cursor was not given out by this service; send next_cursor exactly as it was received")
	}
	ofRevision, rest, _ := strings.Cut(string(raw[sha256.Size:]), "|")
	ofQuery, position, _ := strings.Cut(rest, "|")
	if ofQuery != query {
		return nil, badCursor("the cursor belongs to another query; send it with the parameters it was given out for")
	}
	if ofRevision != strconv.Itoa(revision) {
		return nil, badCursor("the list has been rebuilt in another form since; begin with its first page")
	}
	p, err := readstore.ParsePosition(position)
	if err != nil {
		return nil, badCursor("the cursor holds no position; begin with the first page")
	}
	return &p, nil
}

func (c cursors) sign(text string) []byte {
	mac := hmac.New(sha256.New, c.key)
	mac.Write([]byte(text))
	return mac.Sum(nil)
}

func badCursor(detail string) error {
	return &api.MalformedError{Code: "invalid_cursor", Detail: detail}
}
