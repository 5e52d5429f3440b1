package bot

import (
	"slices"

	"github.com/admitone/admitone/domain/order"
)

func anyOrder(Order) bool { return true }

func cannotBeRead(o Order) bool { return o.Unreadable }

func canBeRead(o Order) bool { return !o.Unreadable }

func notEnded(o Order) bool { return !o.Unreadable && !o.Status.Ended() }

func refusedOrGone(o Order) bool { return o.Status.Ended() && o.Status != order.StatusCompleted }

// chosen is the order that is spoken of: the one that was asked for, or the newest that
// is wanted, or the newest of those that may be, or the newest.
func chosen(q Question, wanted func(Order) bool) *Order {
	if q.Order != nil {
		return q.Order
	}
	for _, fits := range []func(Order) bool{wanted, cannotBeRead, anyOrder} {
		if i := slices.IndexFunc(q.Orders, fits); i >= 0 {
			return &q.Orders[i]
		}
	}
	return nil
}

// foundOf tells an agent of the order that is spoken of; and of the newest that can be
// read, where that one cannot.
func foundOf(q Question) string {
	o := chosen(q, anyOrder)
	if o == nil {
		return "No order of theirs was found."
	}
	if canBeRead(*o) {
		return "Order " + o.ID.String() + " of theirs is " + string(o.Status) + "."
	}
	text := "Order " + o.ID.String() + " of theirs cannot be read."
	if i := slices.IndexFunc(q.Orders, canBeRead); i >= 0 {
		text += " Order " + q.Orders[i].ID.String() + " of theirs is " + string(q.Orders[i].Status) + "."
	}
	return text
}
