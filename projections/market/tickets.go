package market

import (
	"fmt"
	"time"

	"github.com/admitone/admitone/domain/ticket"
	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/projections"
	"github.com/admitone/admitone/readstore"
)

// Shards share a month of a list: at 100,000 rows and tombstones to a partition,
// 1.6 million tickets a month for each status, 400,000 for each seller.
const (
	statusShards = 16
	sellerShards = 4
)

// ticketRow is what is kept of a ticket.
type ticketRow struct {
	status, seller, title string
	amount                int64
	currency, order       string
	listedAt, updatedAt   time.Time
}

// Tickets is the projection of TICKETS that buyers and sellers look at: one
// ticket, tickets by status, tickets by seller; lists newest first.
func Tickets() (*projections.Projection, error) {
	byStatus, bySeller := ticketsByStatus(), ticketsBySeller()
	statusList := readstore.NewBucketed(&byStatus, statusShards)
	sellerList := readstore.NewBucketed(&bySeller, sellerShards)
	return projections.Define(projections.Definition[ticketRow]{
		Name:     "tickets",
		Revision: 1,
		Stream:   "TICKETS",
		Home:     ticketsHome(),
		Values:   ticketValues,
		Scan:     scanTicket,
		Fold:     foldTicket,
		Indexes: []projections.Index[ticketRow]{
			{Table: byStatus, IDColumn: "id", List: statusList, Rows: func(e projections.Entry[ticketRow]) []readstore.Row {
				key := statusList.Key(readstore.Key{e.Row.status}, e.Row.listedAt, e.ID)
				return []readstore.Row{append(readstore.Row(key), e.Version, e.Row.seller, e.Row.title,
					e.Row.amount, e.Row.currency, e.Row.order, e.Row.updatedAt)}
			}},
			{Table: bySeller, IDColumn: "id", List: sellerList, Rows: func(e projections.Entry[ticketRow]) []readstore.Row {
				key := sellerList.Key(readstore.Key{e.Row.seller}, e.Row.listedAt, e.ID)
				return []readstore.Row{append(readstore.Row(key), e.Version, e.Row.status, e.Row.title,
					e.Row.amount, e.Row.currency, e.Row.order, e.Row.updatedAt)}
			}},
		},
	})
}

func ticketsHome() readstore.Table {
	return readstore.Table{
		Name:      "tickets",
		Partition: []readstore.Column{text("id")},
		Values: []readstore.Column{number("version"), text("status"), text("seller_id"), text("title"),
			number("price_amount"), text("price_currency"), text("order_id"), moment("listed_at"), moment("updated_at")},
	}
}

func ticketsByStatus() readstore.Table {
	return readstore.Table{
		Name:       "tickets_by_status",
		Partition:  []readstore.Column{text("status"), text("month"), number("shard")},
		Clustering: newestFirst("listed_at"),
		Values: []readstore.Column{number("version"), text("seller_id"), text("title"),
			number("price_amount"), text("price_currency"), text("order_id"), moment("updated_at")},
	}
}

func ticketsBySeller() readstore.Table {
	return readstore.Table{
		Name:       "tickets_by_seller",
		Partition:  []readstore.Column{text("seller_id"), text("month"), number("shard")},
		Clustering: newestFirst("listed_at"),
		Values: []readstore.Column{number("version"), text("status"), text("title"),
			number("price_amount"), text("price_currency"), text("order_id"), moment("updated_at")},
	}
}

func ticketValues(r ticketRow) readstore.Row {
	return readstore.Row{r.status, r.seller, r.title, r.amount, r.currency, r.order, r.listedAt, r.updatedAt}
}

func scanTicket(v readstore.Row) ticketRow {
	return ticketRow{
		status: v[0].(string), seller: v[1].(string), title: v[2].(string),
		amount: v[3].(int64), currency: v[4].(string), order: v[5].(string),
		listedAt: v[6].(time.Time), updatedAt: v[7].(time.Time),
	}
}

func foldTicket(r *ticketRow, e eventstore.Event) error {
	at := timeOf(e)
	r.updatedAt = at
	switch p := e.Payload.(type) {
	case ticket.Listed:
		r.status, r.seller, r.title = string(ticket.StatusAvailable), p.SellerID.String(), p.Title
		r.amount, r.currency, r.listedAt = p.Price.Amount, p.Price.Currency, at
	case ticket.Repriced:
		r.amount, r.currency = p.Price.Amount, p.Price.Currency
	case ticket.Reserved:
		r.status, r.order = string(ticket.StatusReserved), p.OrderID.String()
	case ticket.Released:
		r.status, r.order = string(ticket.StatusAvailable), ""
	case ticket.Sold:
		r.status, r.order = string(ticket.StatusSold), p.OrderID.String()
	case ticket.Withdrawn:
		r.status = string(ticket.StatusWithdrawn)
	default:
		return fmt.Errorf("market: tickets does not know %s", e.Type)
	}
	return nil
}
