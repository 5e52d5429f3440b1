package bot

import (
	"regexp"
	"slices"
	"strings"

	"github.com/admitone/admitone/domain/order"
	"github.com/google/uuid"
)

func anyOrder(Order) bool { return true }

func cannotBeRead(o Order) bool { return o.Unreadable }

func canBeRead(o Order) bool { return !o.Unreadable }

func notEnded(o Order) bool { return !o.Unreadable && !o.Status.Ended() }

func mayBeOpen(o Order) bool { return o.Unreadable || !o.Status.Ended() }

func cancelled(o Order) bool { return o.Status == order.StatusCancelled }

func refusedOrGone(o Order) bool { return o.Status.Ended() && o.Status != order.StatusCompleted }

// only are the orders that fit.
func only(orders []Order, fits func(Order) bool) []Order {
	return slices.DeleteFunc(slices.Clone(orders), func(o Order) bool { return !fits(o) })
}

// maxSaid is how many orders or tickets one answer names.
const maxSaid = 5

// preferred is which order is spoken of where it may be one of several, best first.
var preferred = map[intent][]func(Order) bool{
	wantsReason: {refusedOrGone, cannotBeRead, anyOrder},
	wantsExpiry: {notEnded, cannotBeRead, anyOrder},
	wantsCancel: {notEnded, cannotBeRead, anyOrder},
}

// chosen is the order that is spoken of; nil: there is none.
func (r reading) chosen(q Question) *Order {
	of := r.spokenOf(q)
	prefer := preferred[r.intent]
	switch {
	case r.intent == wantsReason:
		asked := r.endAsked()
		prefer = append([]func(Order) bool{func(o Order) bool { return o.Status.Ended() && o.Status == asked }}, prefer...)
	case prefer != nil:
	case len(of) > 0 && of[0].Unreadable:
		return &of[0] // most likely it is this one
	default:
		prefer = []func(Order) bool{notEnded, anyOrder}
	}
	for _, fits := range prefer {
		if i := slices.IndexFunc(of, fits); i >= 0 {
			return &of[i]
		}
	}
	return nil
}

// endAsked is the end of an order that a question names; empty: none.
func (r reading) endAsked() order.Status {
	switch {
	case refusal.MatchString(r.words):
		return order.StatusRejected
	case strings.Contains(r.words, "cancel"):
		return order.StatusCancelled
	case strings.Contains(r.words, "expire"):
		return order.StatusExpired
	}
	return ""
}

var refusal = regexp.MustCompile(`\b` + refused)

// spokenOf are the orders that a message may be about, newest first: the one whose id
// it names; else those whose title it has in it; else the one that was asked about, or
// its conversation's; else all.
func (r reading) spokenOf(q Question) []Order {
	if named(r.Text) == uuid.Nil {
		if titled := titledIn(r.words, q.Orders); len(titled) > 0 {
			return titled
		}
		if r.order == uuid.Nil || manyOrders.MatchString(r.words) {
			return q.Orders
		}
	}
	if q.Order == nil {
		return nil
	}
	return []Order{*q.Order}
}

var (
	manyOrders = regexp.MustCompile(`\bmy (?:\w+ )?(?:orders|purchases|bookings|reservations)\b`)
	// A title of such words alone would be found in any question.
	common = regexp.MustCompile(`^(?:(?:an?|the|my|this|that|it|is|are|has|was|where|when|what|why|how|for|of|to|me|you|i|please|hello|hi|` +
		`orders?|tickets?|purchases?|bookings?|reservations?|status|cancel|expire)(?: |$))+$`)
)

// titledIn are the orders whose title is in a text, in whole words. Where titles are
// part of one another, and so on, the longest is meant.
func titledIn(text string, orders []Order) (found []Order) {
	longest := 0
	for _, o := range orders {
		title := words(o.Title)
		if len(title) < max(longest, 1) || common.MatchString(title) || !strings.Contains(" "+text+" ", " "+title+" ") {
			continue
		}
		if len(title) > longest {
			found, longest = nil, len(title)
		}
		found = append(found, o)
	}
	return found
}

// foundOf tells an agent of the order that is spoken of, and of the others that may not
// have ended; and of the newest that can be read, where there is none of these.
func foundOf(spoken *Order, orders []Order) string {
	var found []Order
	if spoken != nil {
		found = append(found, *spoken)
	}
	for _, o := range only(orders, mayBeOpen) {
		if spoken == nil || o.ID != spoken.ID {
			found = append(found, o)
		}
	}
	if !slices.ContainsFunc(found, canBeRead) {
		if i := slices.IndexFunc(orders, canBeRead); i >= 0 {
			found = append(found, orders[i])
		}
	}
	if len(found) == 0 {
		return "No order of theirs was found."
	}
	var text []string
	for _, o := range found[:min(len(found), maxSaid)] {
		text = append(text, o.toAgent())
	}
	if len(found) > maxSaid {
		text = append(text, "There are more.")
	}
	return strings.Join(text, " ")
}

func (o *Order) toAgent() string {
	if o.Unreadable {
		return "Order " + o.ID.String() + " of theirs cannot be read."
	}
	return "Order " + o.ID.String() + " of theirs is " + string(o.Status) + "."
}
