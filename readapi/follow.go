package readapi

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/admitone/admitone/api"
	"github.com/admitone/admitone/domain/conversation"
	"github.com/google/uuid"
)

// ConversationLog is the stream of conversations. Safe for concurrent use.
type ConversationLog interface {
	// Current is whose conversation it is and at which version, as the stream's leader
	// has it; version 0 where there is none.
	Current(ctx context.Context, id uuid.UUID) (owner uuid.UUID, version uint64, err error)
	// Behind reads what follows a version, limit events at most. sequence is what an
	// earlier answer gave with that version, or 0, which is right for any version but
	// slower. It may lag, and give less.
	Behind(ctx context.Context, id uuid.UUID, version, sequence uint64, limit int) (ConversationEvents, error)
	// Wait returns a channel that is closed when the version is stored after the call,
	// or may have been. Call forget at the end.
	Wait(id uuid.UUID, version uint64) (reached <-chan struct{}, forget func())
}

// ConversationEvents is events of one conversation in order of version, without a gap.
type ConversationEvents struct {
	Items []ConversationEvent
	// Sequence is what to go on with behind the last item.
	Sequence uint64
}

// cutTo leaves the first n of them.
func (e *ConversationEvents) cutTo(n int) {
	for _, later := range e.Items[n:] {
		e.Sequence = min(e.Sequence, later.Sequence-1)
	}
	e.Items = e.Items[:n]
}

// ConversationEvent is one of them, its text still sealed.
type ConversationEvent struct {
	Version  uint64
	Sequence uint64 // where it stands in the stream
	At       time.Time
	Event    conversation.Event
}

// ConversationUpdates is GET /v1/conversations/{id}/updates. Safe for concurrent use.
type ConversationUpdates struct {
	log     ConversationLog
	texts   Texts
	cursors cursors
	ended   chan struct{}
	ending  sync.Once
}

// NewConversationUpdates reads log; cursorKey signs cursors and must be the same in all
// copies of the service.
func NewConversationUpdates(log ConversationLog, texts Texts, cursorKey []byte) (*ConversationUpdates, error) {
	if len(cursorKey) < 16 {
		return nil, errors.New("readapi: the key for cursors is shorter than 16 bytes")
	}
	return &ConversationUpdates{log: log, texts: texts, cursors: cursors{key: cursorKey}, ended: make(chan struct{})}, nil
}

// EndWaits lets all who wait for something to happen have their answers now, and none
// wait any more: a program that is about to end would be kept by them.
func (u *ConversationUpdates) EndWaits() { u.ending.Do(func() { close(u.ended) }) }

const (
	// followRevision is that of the cursors' form.
	followRevision = 1
	// How long what the leader has and cannot be read is waited for at a time: at first
	// as long as a replica may lag, and in the end as for a log with a hole.
	firstLagPause = 50 * time.Millisecond
	lastLagPause  = time.Second
)

// FollowConversation is GET /v1/conversations/{id}/updates.
func (u *ConversationUpdates) FollowConversation(ctx context.Context, r api.FollowConversationRequestObject) (api.FollowConversationResponseObject, error) {
	from, err := u.placeOf(r)
	if err != nil {
		return nil, err
	}
	limit, err := updatesIn(r.Params.Limit)
	if err != nil {
		return nil, err
	}
	wait, _, err := api.ParsePreferredWait(r.Params.Prefer)
	if err != nil {
		return nil, err
	}
	owner, events, err := u.behind(ctx, r.ID, from, limit, wait)
	if err != nil {
		return nil, err
	}
	page := api.UpdateList{}
	if page.Items, err = u.updatesOf(ctx, owner, r.ID, events.Items); err != nil {
		return nil, err
	}
	page.Items = firstOf(page.Items, updateBytes)
	events.cutTo(len(page.Items))
	if n := len(events.Items); n > 0 {
		from = followPlace{version: events.Items[n-1].Version, sequence: events.Sequence}
	}
	page.NextCursor = u.cursors.sealPlace(followRevision, followQuery(r.ID), from.String())
	return api.FollowConversation200JSONResponse{Body: page, Headers: api.FollowConversation200ResponseHeaders{CacheControl: "no-store"}}, nil
}

// behind reads what follows a place, and waits for it where there is nothing yet.
func (u *ConversationUpdates) behind(ctx context.Context, id uuid.UUID, from followPlace, limit int, wait time.Duration) (uuid.UUID, ConversationEvents, error) {
	over := time.NewTimer(wait)
	defer over.Stop()
	for pause := firstLagPause; ; pause = min(2*pause, lastLagPause) {
		// Before the look, so that no signal is missed.
		reached, forget := u.log.Wait(id, from.version+1)
		owner, events, lags, err := u.look(ctx, id, from, limit)
		if err != nil || len(events.Items) > 0 {
			forget()
			return owner, events, err
		}
		var soon <-chan time.Time
		if lags {
			soon = time.After(pause)
		}
		more := u.await(ctx, reached, soon, over.C)
		forget()
		if !more {
			return owner, events, ctx.Err()
		}
	}
}

// look reads once, for those who may. lags says that the leader has more than was read.
func (u *ConversationUpdates) look(ctx context.Context, id uuid.UUID, from followPlace, limit int) (owner uuid.UUID, events ConversationEvents, lags bool, err error) {
	owner, version, err := u.log.Current(ctx, id)
	switch {
	case err != nil:
		return owner, events, false, err
	case version == 0, !mayFollow(api.CallerFrom(ctx), owner):
		return owner, events, false, conversation.ErrNotFound
	case version <= from.version:
		return owner, events, false, nil
	}
	events, err = u.log.Behind(ctx, id, from.version, from.sequence, limit)
	return owner, events, true, err
}

// mayFollow: the user whose conversation it is, and those who answer.
func mayFollow(c api.Caller, owner uuid.UUID) bool {
	return owner == c.Account || c.Role == api.RoleAgent || c.Role == api.RoleAdmin || c.Role == api.RoleBot
}

// await says whether to look again.
func (u *ConversationUpdates) await(ctx context.Context, reached <-chan struct{}, soon, over <-chan time.Time) bool {
	select {
	case <-reached:
		return true
	case <-soon:
		return true
	case <-over:
	case <-u.ended:
	case <-ctx.Done():
	}
	return false
}

func (u *ConversationUpdates) updatesOf(ctx context.Context, owner, id uuid.UUID, events []ConversationEvent) ([]api.Update, error) {
	items := make([]api.Update, len(events))
	sealed := make([]string, len(events))
	for i, e := range events {
		items[i], sealed[i] = updateOf(e)
	}
	opened, err := openTexts(ctx, u.texts, owner, id, sealed)
	if err != nil {
		return nil, err
	}
	for i, text := range opened {
		if items[i].Message != nil {
			items[i].Message.Text, items[i].Message.Erased = text.Text, text.Erased
		}
	}
	return items, nil
}

func updateBytes(u api.Update) int {
	n := written(u.Reason)
	if u.Message != nil {
		n += messageBytes(*u.Message)
	}
	return n
}

// updateOf tells an event as what happened, and the text that is still sealed.
func updateOf(e ConversationEvent) (u api.Update, sealed string) {
	u = api.Update{Version: int64(e.Version), At: e.At.UTC().Truncate(time.Millisecond)}
	switch happened := e.Event.(type) {
	case conversation.Opened:
		u.Type = "opened"
	case conversation.MessageSent:
		u.Type = "message_sent"
		sealed, _ = happened.Text.Sealed()
		u.Message = &api.Message{
			MessageID: happened.MessageID.String(), Version: u.Version, Author: api.MessageAuthor(happened.Author),
			AuthorID: happened.AuthorID.String(), SentAt: u.At,
		}
		if happened.InReplyTo != uuid.Nil {
			u.Message.InReplyTo = happened.InReplyTo.String()
		}
	case conversation.HandedOver:
		u.Type, u.Reason = "handed_over", happened.Reason
	case conversation.Taken:
		u.Type, u.AgentID = "taken", happened.AgentID.String()
	case conversation.Closed:
		u.Type, u.Reason = "closed", happened.Reason
	}
	return u, sealed
}

// followPlace is where a follower is: the last version that he has, and where in the
// stream to look for the next one.
type followPlace struct{ version, sequence uint64 }

func (p followPlace) String() string {
	return strconv.FormatUint(p.version, 10) + "." + strconv.FormatUint(p.sequence, 10)
}

func followQuery(id uuid.UUID) string { return "updates/" + id.String() }

// updatesIn is how many updates a page has at most.
func updatesIn(asked *int) (int, error) {
	if asked == nil {
		return maxLimit, nil
	}
	limit, faults := limitOf(asked, nil)
	if faults != nil {
		return 0, &api.InvalidError{Errors: faults}
	}
	return limit, nil
}

func (u *ConversationUpdates) placeOf(r api.FollowConversationRequestObject) (p followPlace, err error) {
	if r.Params.After != nil {
		if *r.Params.After < 0 {
			return p, api.Invalid("after", "must not be negative")
		}
		p.version = uint64(*r.Params.After)
	}
	place, err := u.cursors.openPlace(r.Params.Cursor, followRevision, followQuery(r.ID))
	if err != nil || place == "" {
		return p, err
	}
	version, sequence, _ := strings.Cut(place, ".")
	p.version, err = strconv.ParseUint(version, 10, 64)
	if err == nil {
		p.sequence, err = strconv.ParseUint(sequence, 10, 64)
	}
	if err != nil {
		return p, errNoPlace
	}
	return p, nil
}
