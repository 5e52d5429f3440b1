package readapi

import (
	"strconv"
	"strings"

	"github.com/admitone/admitone/readstore"
)

// searchPlace is how far a search is: all conversations up to and with one are done,
// but for its messages before a version, where that is above 1.
type searchPlace struct {
	conversation readstore.Position
	before       int64
	missed       bool // on the way there something could not be looked through
}

// missedMark begins the text of a place behind something missed; a number does not.
const missedMark = "!"

func (p searchPlace) String() string {
	mark := ""
	if p.missed {
		mark = missedMark
	}
	return mark + strconv.FormatInt(p.before, 10) + ":" + p.conversation.String()
}

// parseSearchPlace reads what String gave; nil for an empty one.
func parseSearchPlace(s string) (*searchPlace, error) {
	if s == "" {
		return nil, nil
	}
	s, missed := strings.CutPrefix(s, missedMark)
	before, position, _ := strings.Cut(s, ":")
	version, err := strconv.ParseInt(before, 10, 64)
	if err != nil || version < 0 {
		return nil, errNoPlace
	}
	p, err := readstore.ParsePosition(position)
	if err != nil {
		return nil, errNoPlace
	}
	return &searchPlace{conversation: p, before: version, missed: missed}, nil
}
