package api

import (
	"errors"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Token is a Consistency-Token: a version of an aggregate that its writer has
// seen, and that a query must not fall behind.
type Token struct {
	Stream    string // in lower case: "tickets"
	Aggregate uuid.UUID
	Version   uint64
}

// String is the token on the wire: "tickets/0190…@3".
func (t Token) String() string {
	return t.Stream + "/" + t.Aggregate.String() + "@" + strconv.FormatUint(t.Version, 10)
}

const maxTokens = 20

var streamForm = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,47}$`)

// ParseTokens reads a Consistency-Token header, several tokens separated by
// commas; an empty header holds none. The error is a *MalformedError.
func ParseTokens(header string) ([]Token, error) {
	var tokens []Token
	for part := range strings.SplitSeq(header, ",") {
		part = strings.Trim(part, " \t")
		if part == "" {
			continue
		}
		token, ok := parseToken(part)
		if !ok {
			return nil, Malformed("a consistency token is not of the form stream/id@version; send it exactly as it was received")
		}
		if tokens = append(tokens, token); len(tokens) > maxTokens {
			return nil, Malformed("more than %d consistency tokens", maxTokens)
		}
	}
	return tokens, nil
}

func parseToken(s string) (Token, bool) {
	stream, rest, _ := strings.Cut(s, "/")
	id, number, _ := strings.Cut(rest, "@")
	aggregate, err := uuid.Parse(id)
	version, err2 := strconv.ParseUint(number, 10, 63)
	ok := streamForm.MatchString(stream) && err == nil && len(id) == 36 && err2 == nil && version > 0 && number[0] != '0'
	return Token{Stream: stream, Aggregate: aggregate, Version: version}, ok
}

// Limits of `Prefer: wait=N`.
const (
	DefaultWait = 2 * time.Second
	MaxWait     = 10 * time.Second
)

// ParseWait reads the `wait` of a Prefer header (RFC 7240): DefaultWait when it
// names none. Other preferences are ignored. The error is a *MalformedError, or an
// *InvalidError for a wait beyond MaxWait.
func ParseWait(header string) (time.Duration, error) {
	wait, named, err := ParsePreferredWait(header)
	if err == nil && !named {
		wait = DefaultWait
	}
	return wait, err
}

// ParsePreferredWait is as ParseWait for those to whom it matters whether the
// header names a wait at all.
func ParsePreferredWait(header string) (wait time.Duration, named bool, err error) {
	for preference := range strings.SplitSeq(header, ",") {
		preference, _, _ = strings.Cut(preference, ";")
		name, value, _ := strings.Cut(preference, "=")
		if !strings.EqualFold(strings.Trim(name, " \t"), "wait") {
			continue
		}
		seconds, err := strconv.ParseInt(strings.Trim(value, " \t\""), 10, 32)
		if err != nil && !errors.Is(err, strconv.ErrRange) {
			return 0, true, Malformed("the wait of Prefer must be a whole number of seconds, such as wait=5")
		}
		if wait := time.Duration(seconds) * time.Second; wait >= 0 && wait <= MaxWait {
			return wait, true, nil
		}
		return 0, true, Invalid("Prefer", "wait must be from 0 to %d seconds", int(MaxWait.Seconds()))
	}
	return 0, false, nil
}
