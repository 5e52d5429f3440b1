package bot

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/admitone/admitone/domain"
	"github.com/admitone/admitone/domain/conversation"
	"github.com/admitone/admitone/domain/order"
	"github.com/admitone/admitone/domain/ticket"
	"github.com/google/uuid"
)

func say(format string, parts ...any) Answer { return Answer{Text: fmt.Sprintf(format, parts...)} }

// propose asks whether to cancel an order.
func propose(before string, id uuid.UUID) Answer {
	a := say("%s Shall I cancel order %s? Please answer yes or no.", before, id)
	a.Text = strings.TrimSpace(a.Text)
	a.Proposes = conversation.Proposal{Action: conversation.ActionCancelOrder, OrderID: id}
	return a
}

// aboutOrder answers what is asked about one order.
func (r reading) aboutOrder(q Question) Answer {
	o := r.chosen(q)
	switch {
	case o == nil && r.order != uuid.Nil:
		return say("I find no order %s among yours.", r.order)
	case o == nil:
		return say("I find no order of yours.")
	case o.Unreadable:
		return r.cannotRead(o, q.Orders)
	}
	switch r.intent {
	case wantsReason:
		return o.why(r.endAsked(), r.At)
	case wantsExpiry:
		return o.expiry(r.At)
	case wantsCancel:
		return o.cancel(r.At)
	}
	return say("%s", r.whereAre(o, q))
}

// whereAre says where an order is; or where all are that may not have ended, if it is
// one of several.
func (r reading) whereAre(o *Order, q Question) string {
	of := r.spokenOf(q)
	if !notEnded(*o) || len(only(of, notEnded)) < 2 {
		return o.status(r.At)
	}
	open := only(of, mayBeOpen)
	text := list("These orders of yours have not ended:", open, r.At)
	switch {
	case len(open) > maxSaid:
		text += " Ask for one by its title or its id."
	case len(q.Orders) >= maxOrders:
		text += "\nThere may be older ones: ask for one by its id."
	}
	return text
}

// list says where each of some orders is.
func list(what string, orders []Order, now time.Time) string {
	for _, o := range orders[:min(len(orders), maxSaid)] {
		what += "\n- " + o.status(now)
	}
	if len(orders) > maxSaid {
		what += "\nThere are more of them."
	}
	return what
}

// label names an order in a sentence.
func (o *Order) label() string { return fmt.Sprintf("Your order for %s (%s)", quoted(o.Title), o.ID) }

// status says where an order is.
func (o *Order) status(now time.Time) string {
	if o.Unreadable {
		return "I cannot read order " + o.ID.String() + "; ask for a person, who can look into it."
	}
	switch o.Status {
	case order.StatusPlaced:
		return o.label() + " is placed; its ticket is being reserved for you."
	case order.StatusAwaitingPayment:
		return fmt.Sprintf("%s has its ticket reserved and waits for your payment of %s, %s.", o.label(), amount(o.Price), o.deadline(now))
	case order.StatusCompleted:
		return o.label() + " is paid, and the ticket is yours."
	case order.StatusRejected:
		return fmt.Sprintf("%s was refused: %s.", o.label(), reason(o.Reason))
	case order.StatusCancelled:
		return o.label() + " is cancelled."
	case order.StatusExpired:
		return fmt.Sprintf("%s expired: it was not paid by %s.", o.label(), moment(o.ExpiresAt))
	}
	return o.label() + " is " + string(o.Status) + "."
}

func (o *Order) deadline(now time.Time) string {
	if left := o.ExpiresAt.Sub(now); left > 0 {
		return fmt.Sprintf("until %s (%s from now)", moment(o.ExpiresAt), span(left))
	}
	return "and its time was up at " + moment(o.ExpiresAt)
}

// why says why an order did not get its ticket. asked is the end that the question
// takes for granted; empty: none.
func (o *Order) why(asked order.Status, now time.Time) Answer {
	text := o.status(now)
	if cancelled(*o) {
		text = o.label() + " was cancelled by you, or by us because you asked for it." + o.givenReason()
	}
	switch {
	case o.Status == asked, asked == "" && refusedOrGone(*o):
		return say("%s", text)
	case asked == order.StatusCancelled:
		return say("It was not cancelled. %s", text)
	case asked == order.StatusExpired:
		return say("It has not expired. %s", text)
	}
	return say("It was not refused. %s", text)
}

// givenReason is the reason that an order was cancelled for. It is its buyer's own, who may
// read it wherever the order is shown.
func (o *Order) givenReason() string {
	if strings.TrimSpace(o.Reason) == "" {
		return ""
	}
	return " The reason given was " + quoted(o.Reason) + "."
}

// expiry says when an order that is not paid ends.
func (o *Order) expiry(now time.Time) Answer {
	if o.Status.Ended() {
		return say("It does not expire any more. %s", o.status(now))
	}
	return say("%s has to be paid in time: %s. Otherwise it expires by itself.", o.label(), o.deadline(now))
}

// cancel asks for a yes first, where there is something to cancel.
func (o *Order) cancel(now time.Time) Answer {
	if !o.Status.Ended() {
		return propose(o.status(now), o.ID)
	}
	return say("I cannot cancel that any more. %s", o.status(now))
}

// wanted is which tickets are asked for, and in which order.
type wanted struct {
	prices
	cheapest bool
}

// offers lists what is for sale: the newest first, or the cheapest, where that can be
// told.
func offers(w wanted, found Offers) Answer {
	tickets := slices.DeleteFunc(slices.Clone(found.Tickets), func(t Ticket) bool { return !w.includes(t.Price) })
	var note string
	if w.unread {
		note = "I did not understand the price, so this is for any price. "
	}
	switch none := len(tickets) == 0; {
	case none && found.More:
		return say("%sAmong the newest tickets I find none for sale%s.", note, w)
	case none:
		return say("%sI find no tickets for sale%s right now.", note, w)
	}
	head, tail := w.sorted(tickets, found.More)
	text := note + head
	for _, t := range tickets[:min(len(tickets), maxSaid)] {
		text += fmt.Sprintf("\n- %s, %s (%s)", quoted(t.Title), amount(t.Price), t.ID)
	}
	if tail == "" && (found.More || len(tickets) > maxSaid) {
		tail = "\nThere are more of them."
	}
	return Answer{Text: text + tail}
}

// sorted puts tickets in the order that is wanted, and says in words which it is, and
// what it leaves open.
func (w wanted) sorted(tickets []Ticket, more bool) (head, tail string) {
	these := "These tickets are for sale" + w.String()
	switch {
	case !w.cheapest:
		return these + ":", ""
	case !oneCurrency(tickets):
		return these + ", the newest first:", "\nTheir prices are in several currencies, so I cannot say which is the cheapest."
	}
	slices.SortStableFunc(tickets, func(a, b Ticket) int { return cmp.Compare(a.Price.Amount, b.Price.Amount) })
	if more {
		return "Of the newest tickets for sale" + w.String() + ", the cheapest first:", "\nThere may be older ones that are cheaper: I have not looked at all."
	}
	return these + ", the cheapest first:", ""
}

// reasons are the codes that an order is rejected with, in plain words.
var reasons = map[string]string{
	ticket.ErrNotAvailable.Code: "somebody else was faster, or the seller has taken the ticket back",
	ticket.ErrPriceChanged.Code: "the seller changed the price at the same moment, so you would have paid another one than you saw",
	ticket.ErrNotFound.Code:     "there is no such ticket",
}

func reason(code string) string {
	if words := reasons[code]; words != "" {
		return words
	}
	return "the ticket could not be reserved for you"
}

// detail is what a rule says to the one whom it refuses.
func detail(err error) string {
	var refusal *domain.Refusal
	if errors.As(err, &refusal) {
		return refusal.Detail
	}
	return "it is not possible now"
}

// quoted is what somebody else wrote, a title or a reason, without what could pass for
// more than that.
func quoted(text string) string {
	return `"` + strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsGraphic(r) {
			return r
		}
		return -1
	}, text)) + `"`
}

func moment(t time.Time) string { return t.UTC().Format("15:04 UTC on 2 January 2006") }

// span is how long, in words, rounded down.
func span(d time.Duration) string {
	for _, unit := range []struct {
		of   time.Duration
		name string
	}{{24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}} {
		switch n := int(d / unit.of); {
		case n == 1:
			return "1 " + unit.name
		case n > 1:
			return fmt.Sprintf("%d %ss", n, unit.name)
		}
	}
	return "less than a minute"
}
