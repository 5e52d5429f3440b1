package market

import (
	"fmt"

	"github.com/admitone/admitone/domain/ticket"
	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/projections"
	"github.com/admitone/admitone/readstore"
)

// offerRow is what orders must know of a ticket.
type offerRow struct {
	status, seller, title string
	amount                int64
	currency              string
}

// OrdersTickets is the projection of TICKETS that is the orders' own copy of it:
// what a ticket is offered at and by whom, and whether it is gone.
func OrdersTickets() (*projections.Projection, error) {
	return projections.Define(projections.Definition[offerRow]{
		Name:     "orders_tickets",
		Revision: 1,
		Stream:   "TICKETS",
		Home: readstore.Table{
			Name:      "orders_tickets",
			Partition: []readstore.Column{text("id")},
			Values: []readstore.Column{number("version"), text("status"), text("seller_id"), text("title"),
				number("price_amount"), text("price_currency")},
		},
		Values: func(r offerRow) readstore.Row {
			return readstore.Row{r.status, r.seller, r.title, r.amount, r.currency}
		},
		Scan: func(v readstore.Row) offerRow {
			return offerRow{
				status: v[0].(string), seller: v[1].(string), title: v[2].(string), amount: v[3].(int64), currency: v[4].(string),
			}
		},
		Fold: foldOffer,
	})
}

func foldOffer(r *offerRow, e eventstore.Event) error {
	switch p := e.Payload.(type) {
	case ticket.Listed:
		r.status, r.seller, r.title = string(ticket.StatusAvailable), p.SellerID.String(), p.Title
		r.amount, r.currency = p.Price.Amount, p.Price.Currency
	case ticket.Repriced:
		r.amount, r.currency = p.Price.Amount, p.Price.Currency
	case ticket.Reserved:
		r.status = string(ticket.StatusReserved)
	case ticket.Released:
		r.status = string(ticket.StatusAvailable)
	case ticket.Sold:
		r.status = string(ticket.StatusSold)
	case ticket.Withdrawn:
		r.status = string(ticket.StatusWithdrawn)
	default:
		return fmt.Errorf("market: orders_tickets does not know %s", e.Type)
	}
	return nil
}
