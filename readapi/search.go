package readapi

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/admitone/admitone/api"
	"github.com/admitone/admitone/readstore"
	"github.com/google/uuid"
)

// Bounds of one page of a search: what it costs, however little it finds.
const (
	maxSearched      = 2000 // messages opened
	maxConversations = 100  // conversations looked into
	searchedAtOnce   = 200  // messages read and opened together
)

// maxSearchText is the longest text to look for, in characters.
const maxSearchText = 200

// SearchMessages is GET /v1/messages: what one account's conversations say, the
// newest conversation first, and of each the newest message first.
func (q *ConversationQueries) SearchMessages(ctx context.Context, r api.SearchMessagesRequestObject) (api.SearchMessagesResponseObject, error) {
	want, err := searchOf(r.Params)
	if err != nil {
		return nil, err
	}
	talks, messages, err := q.openBoth(ctx, r.Params.ConsistencyToken, r.Params.Prefer)
	if err != nil {
		return nil, err
	}
	cursor, err := q.cursors.openPlace(r.Params.Cursor, talks.Revision(), want.name())
	if err != nil {
		return nil, err
	}
	from, err := parseSearchPlace(cursor)
	if err != nil {
		return nil, err
	}
	s := search{queries: q, want: want, messages: messages, list: talks.List(conversationsByAccount), left: maxSearched, items: []api.Message{}}
	next, err := s.run(ctx, from)
	if err != nil {
		return nil, err
	}
	page := api.MessageSearch{Items: s.items, Partial: next != nil || s.missed}
	if next != nil {
		next.missed = s.missed
		page.NextCursor = q.cursors.sealPlace(talks.Revision(), want.name(), next.String())
	}
	return api.SearchMessages200JSONResponse{Body: page, Headers: api.SearchMessages200ResponseHeaders{CacheControl: mayKeep}}, nil
}

// openBoth opens conversations and messages, within one wait.
func (q *ConversationQueries) openBoth(ctx context.Context, header, prefer string) (conversations, messages readstore.View, err error) {
	tokens, err := api.ParseTokens(header)
	if err != nil {
		return nil, nil, err
	}
	wait, err := api.ParseWait(prefer)
	if err != nil {
		return nil, nil, err
	}
	end := endOf(wait)
	if conversations, err = openUntil(ctx, end, q.conversations, tokens, q.mayKnow(ctx, conversationsTable)); err != nil {
		return nil, nil, err
	}
	messages, err = openUntil(ctx, end, q.messages, tokens, q.mayKnow(ctx, messagesTable))
	return conversations, messages, err
}

// searchQuery is what is looked for, and in whose conversations.
type searchQuery struct {
	account, text string // text is folded
	span          span
	limit         int
}

func searchOf(p api.SearchMessagesParams) (searchQuery, error) {
	q := searchQuery{account: p.AccountID.String(), text: folded(p.Text), span: spanOf(p.Since, p.Until)}
	var faults []api.FieldError
	if n := utf8.RuneCountInString(p.Text); n < 1 || n > maxSearchText {
		faults = append(faults, api.FieldError{Pointer: "text", Detail: fmt.Sprintf("must have 1 to %d characters", maxSearchText)})
	}
	q.limit, faults = limitOf(p.Limit, faults)
	if faults != nil {
		return searchQuery{}, &api.InvalidError{Errors: faults}
	}
	return q, nil
}

// name tells queries apart in cursors, which show nothing of the text.
func (q searchQuery) name() string {
	sum := sha256.Sum256([]byte(q.text))
	return "search/" + q.account + "/" + hex.EncodeToString(sum[:]) + "/" + q.span.name()
}

// folded is a text in which upper and lower case are the same, and everything that
// Unicode's simple folding holds for the same letter.
func folded(text string) string {
	return strings.Map(func(r rune) rune {
		least := r
		for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
			least = min(least, other)
		}
		return least
	}, text)
}

// search is one page in the making.
type search struct {
	queries  *ConversationQueries
	want     searchQuery
	list     *readstore.Bucketed
	messages readstore.View
	left     int // messages that may still be opened
	items    []api.Message
	bytes    int  // of their texts
	missed   bool // something is not there yet to be looked through
}

// run goes on behind a place, and says where the next page does; nil at the end.
func (s *search) run(ctx context.Context, from *searchPlace) (*searchPlace, error) {
	after := openedBefore(s.want.span.until)
	if from != nil {
		after, s.missed = &from.conversation, from.missed
	}
	if from != nil && from.before > 1 {
		next, err := s.conversations(ctx, []searched{{place: from.conversation, version: from.before - 1}}, from.before)
		if next != nil || err != nil {
			return next, err
		}
	}
	rows, more, err := s.list.Page(ctx, s.queries.store, readstore.Key{s.want.account}, maxConversations, after)
	if err != nil {
		return nil, err
	}
	talks, in := make([]searched, len(rows)), columnsOf(s.list.Table)
	for i, row := range rows {
		talks[i] = searched{place: s.list.PositionOf(row), version: in.number(row, "version"), updated: in.moment(row, "updated_at")}
	}
	next, err := s.conversations(ctx, talks, 0)
	if next == nil && more != nil && err == nil {
		next = &searchPlace{conversation: *more}
	}
	return next, err
}

// searched is a conversation as the list of them tells it.
type searched struct {
	place   readstore.Position
	version int64
	updated time.Time // when it came to its version; zero where that is not known
}

// conversations looks through conversations, the first of them before a version if
// that is not 0. It stops where the page is full, and says where.
func (s *search) conversations(ctx context.Context, talks []searched, before int64) (*searchPlace, error) {
	ids := make([]uuid.UUID, len(talks))
	for i, k := range talks {
		var err error
		if ids[i], err = uuid.Parse(k.place.ID); err != nil {
			return nil, fmt.Errorf("readapi: a conversation of account %s: %w", s.want.account, err)
		}
	}
	all, err := s.queries.chronicles(ctx, s.messages, ids)
	if err != nil {
		return nil, err
	}
	for i, c := range all {
		// Their messages are another projection's, which may be behind.
		if s.missed = s.missed || c == nil || c.version < talks[i].version; c == nil {
			continue
		}
		if err := s.narrow(ctx, c, talks[i]); err != nil {
			return nil, err
		}
		behind := c.version + 1
		if i == 0 && before > 0 {
			behind = before
		}
		if behind, err = s.messagesOf(ctx, c, behind); err != nil {
			return nil, err
		}
		if s.full() {
			return &searchPlace{conversation: talks[i].place, before: behind}, nil
		}
	}
	return nil, nil
}

// narrow leaves what was sent in the span that is asked for, with no look at messages
// where the list tells that all or none of them were.
func (s *search) narrow(ctx context.Context, c *chronicle, k searched) error {
	span := s.want.span
	if !k.place.At.Before(span.since) {
		span.since = time.Time{}
	}
	if !k.updated.IsZero() && c.version == k.version {
		if k.updated.Before(span.since) {
			c.version = 0
			return nil
		}
		if k.updated.Before(span.until) {
			span.until = time.Time{}
		}
	}
	return c.narrow(ctx, span)
}

// messagesOf looks through one conversation before a version, and says before which
// one it stopped; 1 at its end.
func (s *search) messagesOf(ctx context.Context, c *chronicle, before int64) (int64, error) {
	for before > 1 && !s.full() {
		rows, err := c.read(ctx, before, true, min(searchedAtOnce, s.left))
		if err != nil || len(rows) == 0 {
			return 1, err
		}
		found, err := c.open(ctx, s.queries.texts, rows)
		if err != nil {
			return 0, err
		}
		for _, m := range found {
			before = m.Version
			s.left--
			if strings.Contains(folded(m.Text), s.want.text) {
				m.ConversationID = c.id.String()
				s.items = append(s.items, m)
				s.bytes += messageBytes(m)
			}
			if s.full() {
				break
			}
		}
	}
	return before, nil
}

func (s *search) full() bool {
	return len(s.items) == s.want.limit || s.left <= 0 || s.bytes >= pageBytes
}
