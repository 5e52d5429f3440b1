package readapi

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/admitone/admitone/api"
	"github.com/admitone/admitone/domain"
	"github.com/admitone/admitone/domain/conversation"
	"github.com/admitone/admitone/readstore"
)

// Lists of the projection that conversations are read from.
const (
	conversationsAll       = "conversations_all"
	conversationsByAccount = "conversations_by_account"
	conversationsByOrder   = "conversations_by_order"
	conversationsByStatus  = "conversations_by_status"
)

// errOthersAccount refuses a user who asks for another's conversations.
var errOthersAccount = &domain.Refusal{
	Kind: domain.Forbidden, Code: "not_own_account", Detail: "the conversations of another account are not yours to list; leave account_id out",
}

// GetConversations is GET /v1/conversations. Users see their own, whatever they ask.
func (q *ConversationQueries) GetConversations(ctx context.Context, r api.GetConversationsRequestObject) (api.GetConversationsResponseObject, error) {
	want, err := conversationQueryOf(api.CallerFrom(ctx), r.Params)
	if err != nil {
		return nil, err
	}
	view, err := open(ctx, q.conversations, r.Params.ConsistencyToken, r.Params.Prefer, q.mayKnow(ctx, conversationsTable))
	if err != nil {
		return nil, err
	}
	after, err := q.cursors.open(r.Params.Cursor, view.Revision(), want.name())
	if err != nil {
		return nil, err
	}
	if after == nil {
		after = want.begin()
	}
	list, prefix := want.list()
	items, next, err := readList(ctx, q.store, view.List(list), prefix, want.limit, after, conversationOf, want.keeps)
	if err != nil {
		return nil, err
	}
	page := api.ConversationList{Items: items}
	if next != nil && !want.endsBefore(*next) {
		page.NextCursor = q.cursors.seal(view.Revision(), want.name(), *next)
	}
	return api.GetConversations200JSONResponse{Body: page, Headers: api.GetConversations200ResponseHeaders{CacheControl: mayKeep}}, nil
}

// conversationQuery is which conversations a list is of; what is empty does not
// restrict it.
type conversationQuery struct {
	account, order, status, topic string
	since, until                  time.Time
	own                           bool // of a user, who sees no other's
	limit                         int
}

var (
	conversationStatuses = []string{
		string(conversation.StatusOpen), string(conversation.StatusWaiting), string(conversation.StatusTaken), string(conversation.StatusClosed),
	}
	conversationTopics = []string{
		string(conversation.TopicOrder), string(conversation.TopicTicket), string(conversation.TopicPayment),
		string(conversation.TopicAccount), string(conversation.TopicOther),
	}
)

func conversationQueryOf(c api.Caller, p api.GetConversationsParams) (conversationQuery, error) {
	q := conversationQuery{status: string(p.Status), topic: string(p.Topic)}
	var faults []api.FieldError
	if q.status != "" && !slices.Contains(conversationStatuses, q.status) {
		faults = append(faults, api.FieldError{Pointer: "status", Detail: "must be one of " + strings.Join(conversationStatuses, ", ")})
	}
	if q.topic != "" && !slices.Contains(conversationTopics, q.topic) {
		faults = append(faults, api.FieldError{Pointer: "topic", Detail: "must be one of " + strings.Join(conversationTopics, ", ")})
	}
	q.limit, faults = limitOf(p.Limit, faults)
	if faults != nil {
		return conversationQuery{}, &api.InvalidError{Errors: faults}
	}
	q.restrict(p)
	if answersForTheHouse(c) {
		return q, nil
	}
	if q.account != "" && q.account != c.Account.String() {
		return conversationQuery{}, errOthersAccount
	}
	q.account, q.own = c.Account.String(), true
	return q, nil
}

func (q *conversationQuery) restrict(p api.GetConversationsParams) {
	if p.AccountID != nil {
		q.account = p.AccountID.String()
	}
	if p.OrderID != nil {
		q.order = p.OrderID.String()
	}
	if p.Since != nil {
		q.since = p.Since.UTC()
	}
	if p.Until != nil {
		q.until = p.Until.UTC()
	}
}

// name tells queries apart in cursors.
func (q conversationQuery) name() string {
	return strings.Join([]string{"conversations", q.account, q.order, q.status, q.topic, timeName(q.since), timeName(q.until)}, "/")
}

func timeName(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.RFC3339Nano)
}

// list is the shortest list that has all that are asked for. A user's is always his
// own: a cursor tells where in a list it stands.
func (q conversationQuery) list() (table string, prefix readstore.Key) {
	switch {
	case q.order != "" && !q.own:
		return conversationsByOrder, readstore.Key{q.order}
	case q.account != "":
		return conversationsByAccount, readstore.Key{q.account}
	case q.status != "" && !q.endedInSpan():
		return conversationsByStatus, readstore.Key{q.status}
	}
	return conversationsAll, readstore.Key{"all"}
}

// endedInSpan asks for those of a span that have ended: nearly all that were opened
// in it have, and the list by opening finds it.
func (q conversationQuery) endedInSpan() bool {
	return q.status == string(conversation.StatusClosed) && (!q.since.IsZero() || !q.until.IsZero())
}

// byWaiting: the list is in the order of waiting, not of opening.
func (q conversationQuery) byWaiting() bool {
	table, _ := q.list()
	return table == conversationsByStatus
}

// lastYear is one that a position cannot go beyond.
const lastYear = 9999

// begin is where a list by the time of opening can begin because of until; nil for
// its beginning.
func (q conversationQuery) begin() *readstore.Position {
	if q.byWaiting() {
		return nil
	}
	return openedBefore(q.until)
}

// openedBefore is where what was opened before a time begins; nil for the beginning.
func openedBefore(until time.Time) *readstore.Position {
	if until.IsZero() || until.Year() >= lastYear {
		return nil
	}
	// Rows keep milliseconds, and every id comes behind an empty one.
	return &readstore.Position{At: until.Add(-1).Truncate(time.Millisecond)}
}

// endsBefore says that behind a row's position nothing is left because of since.
func (q conversationQuery) endsBefore(p readstore.Position) bool {
	return !q.since.IsZero() && !q.byWaiting() && p.Bucket == "" && p.At.Before(q.since)
}

func (q conversationQuery) keeps(c api.Conversation) bool {
	return (q.account == "" || c.AccountID == q.account) && (q.order == "" || c.OrderID == q.order) &&
		(q.status == "" || string(c.Status) == q.status) && (q.topic == "" || string(c.Topic) == q.topic) &&
		(q.since.IsZero() || !c.OpenedAt.Before(q.since)) && (q.until.IsZero() || c.OpenedAt.Before(q.until))
}
