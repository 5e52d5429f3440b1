package market

import (
	"fmt"
	"time"

	"github.com/admitone/admitone/domain/order"
	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/projections"
	"github.com/admitone/admitone/readstore"
)

// buyerShards share a month of a buyer's orders: 400,000 of them.
const buyerShards = 4

// orderRow is what is kept of an order.
type orderRow struct {
	status, ticket, buyer, seller, title string
	amount                               int64
	currency                             string
	expiresAt, placedAt, updatedAt       time.Time
	reason, payment                      string
}

// Orders is the projection of ORDERS that buyers look at: one order, and a buyer's
// orders, newest first.
func Orders() (*projections.Projection, error) {
	byBuyer := ordersByBuyer()
	buyerList := readstore.NewBucketed(&byBuyer, buyerShards)
	return projections.Define(projections.Definition[orderRow]{
		Name:     "orders",
		Revision: 1,
		Stream:   "ORDERS",
		Home:     ordersHome(),
		Values:   orderValues,
		Scan:     scanOrder,
		Fold:     foldOrder,
		Indexes: []projections.Index[orderRow]{
			{Table: byBuyer, IDColumn: "id", List: buyerList, Rows: func(e projections.Entry[orderRow]) []readstore.Row {
				r := e.Row
				key := buyerList.Key(readstore.Key{r.buyer}, r.placedAt, e.ID)
				return []readstore.Row{append(readstore.Row(key), e.Version, r.status, r.ticket, r.seller, r.title,
					r.amount, r.currency, r.expiresAt, r.updatedAt, r.reason, r.payment)}
			}},
		},
	})
}

func ordersHome() readstore.Table {
	return readstore.Table{
		Name:      "orders",
		Partition: []readstore.Column{text("id")},
		Values: []readstore.Column{number("version"), text("status"), text("ticket_id"), text("buyer_id"), text("seller_id"), text("title"),
			number("price_amount"), text("price_currency"), moment("expires_at"), moment("placed_at"), moment("updated_at"),
			text("reason"), text("payment_id")},
	}
}

func ordersByBuyer() readstore.Table {
	return readstore.Table{
		Name:       "orders_by_buyer",
		Partition:  []readstore.Column{text("buyer_id"), text("month"), number("shard")},
		Clustering: newestFirst("placed_at"),
		Values: []readstore.Column{number("version"), text("status"), text("ticket_id"), text("seller_id"), text("title"),
			number("price_amount"), text("price_currency"), moment("expires_at"), moment("updated_at"),
			text("reason"), text("payment_id")},
	}
}

func orderValues(r orderRow) readstore.Row {
	return readstore.Row{r.status, r.ticket, r.buyer, r.seller, r.title, r.amount, r.currency,
		r.expiresAt, r.placedAt, r.updatedAt, r.reason, r.payment}
}

func scanOrder(v readstore.Row) orderRow {
	return orderRow{
		status: v[0].(string), ticket: v[1].(string), buyer: v[2].(string), seller: v[3].(string), title: v[4].(string),
		amount: v[5].(int64), currency: v[6].(string),
		expiresAt: v[7].(time.Time), placedAt: v[8].(time.Time), updatedAt: v[9].(time.Time),
		reason: v[10].(string), payment: v[11].(string),
	}
}

func foldOrder(r *orderRow, e eventstore.Event) error {
	at := timeOf(e)
	r.updatedAt = at
	switch p := e.Payload.(type) {
	case order.Placed:
		r.status, r.ticket, r.buyer, r.seller = string(order.StatusPlaced), p.TicketID.String(), p.BuyerID.String(), p.SellerID.String()
		r.title, r.amount, r.currency = p.Title, p.Price.Amount, p.Price.Currency
		r.expiresAt, r.placedAt = p.ExpiresAt.UTC().Truncate(time.Millisecond), at
	case order.Confirmed:
		r.status = string(order.StatusAwaitingPayment)
	case order.Rejected:
		r.status, r.reason = string(order.StatusRejected), p.Reason
	case order.Cancelled:
		r.status, r.reason = string(order.StatusCancelled), p.Reason
	case order.Expired:
		r.status = string(order.StatusExpired)
	case order.Completed:
		r.status, r.payment = string(order.StatusCompleted), p.PaymentID.String()
	default:
		return fmt.Errorf("market: orders does not know %s", e.Type)
	}
	return nil
}
