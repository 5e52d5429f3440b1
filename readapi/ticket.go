package readapi

import (
	"context"
	"errors"
	"slices"

	"github.com/admitone/admitone/api"
	"github.com/admitone/admitone/domain/ticket"
	"github.com/admitone/admitone/readstore"
)

// Tables of the projection that tickets are read from.
const (
	ticketsTable    = "tickets"
	ticketsByStatus = "tickets_by_status"
	ticketsBySeller = "tickets_by_seller"
)

// TicketQueries is the GET endpoints of tickets. Safe for concurrent use.
type TicketQueries struct {
	store   readstore.Store
	tickets readstore.Reader
	cursors cursors
}

// NewTicketQueries reads the projection behind tickets; cursorKey signs page
// cursors and must be the same in all copies of the service.
func NewTicketQueries(store readstore.Store, tickets readstore.Reader, cursorKey []byte) (*TicketQueries, error) {
	if len(cursorKey) < 16 {
		return nil, errors.New("readapi: the key for cursors is shorter than 16 bytes")
	}
	return &TicketQueries{store: store, tickets: tickets, cursors: cursors{key: cursorKey}}, nil
}

// GetTicket is GET /v1/tickets/{id}.
func (q *TicketQueries) GetTicket(ctx context.Context, r api.GetTicketRequestObject) (api.GetTicketResponseObject, error) {
	known, err := knownTags(r.Params.IfNoneMatch)
	if err != nil {
		return nil, err
	}
	view, err := open(ctx, q.tickets, r.Params.ConsistencyToken, r.Params.Prefer, nil)
	if err != nil {
		return nil, err
	}
	table := view.Table(ticketsTable)
	rows, err := q.store.Get(ctx, table, readstore.Key{r.ID.String()})
	if err != nil {
		return nil, err
	}
	if rows[0] == nil {
		return nil, ticket.ErrNotFound
	}
	found := ticketOf(columnsOf(table), rows[0])
	etag := api.ETag(uint64(found.Version), view.Revision())
	if known.Match(etag) {
		return api.GetTicket304Response{Headers: api.GetTicket304ResponseHeaders{ETag: etag, CacheControl: mayKeep}}, nil
	}
	return api.GetTicket200JSONResponse{Body: found, Headers: api.GetTicket200ResponseHeaders{ETag: etag, CacheControl: mayKeep}}, nil
}

// GetTickets is GET /v1/tickets.
func (q *TicketQueries) GetTickets(ctx context.Context, r api.GetTicketsRequestObject) (api.GetTicketsResponseObject, error) {
	want, err := ticketQueryOf(r.Params)
	if err != nil {
		return nil, err
	}
	view, err := open(ctx, q.tickets, r.Params.ConsistencyToken, r.Params.Prefer, nil)
	if err != nil {
		return nil, err
	}
	after, err := q.cursors.open(r.Params.Cursor, view.Revision(), want.name())
	if err != nil {
		return nil, err
	}
	items, next, err := readList(ctx, q.store, view.List(want.table()), want.prefix(), want.limit, after, ticketOf, want.keeps)
	if err != nil {
		return nil, err
	}
	page := api.TicketList{Items: items}
	if next != nil {
		page.NextCursor = q.cursors.seal(view.Revision(), want.name(), *next)
	}
	return api.GetTickets200JSONResponse{Body: page, Headers: api.GetTickets200ResponseHeaders{CacheControl: mayKeep}}, nil
}

// ticketQuery is which tickets a list is of.
type ticketQuery struct {
	seller string // empty: of all sellers
	status string // empty, with a seller: in every status
	limit  int
}

var ticketStatuses = []string{
	string(ticket.StatusAvailable), string(ticket.StatusReserved), string(ticket.StatusSold), string(ticket.StatusWithdrawn),
}

func ticketQueryOf(p api.GetTicketsParams) (ticketQuery, error) {
	q := ticketQuery{status: string(p.Status)}
	var faults []api.FieldError
	if q.status != "" && !slices.Contains(ticketStatuses, q.status) {
		faults = append(faults, api.FieldError{Pointer: "status", Detail: "must be one of available, reserved, sold, withdrawn"})
	}
	q.limit, faults = limitOf(p.Limit, faults)
	if p.SellerID != nil {
		q.seller = p.SellerID.String()
	} else if q.status == "" {
		q.status = string(ticket.StatusAvailable)
	}
	if faults != nil {
		return ticketQuery{}, &api.InvalidError{Errors: faults}
	}
	return q, nil
}

// name tells queries apart in cursors.
func (q ticketQuery) name() string { return "tickets/" + q.seller + "/" + q.status }

func (q ticketQuery) table() string {
	if q.seller != "" {
		return ticketsBySeller
	}
	return ticketsByStatus
}

func (q ticketQuery) prefix() readstore.Key {
	if q.seller != "" {
		return readstore.Key{q.seller}
	}
	return readstore.Key{q.status}
}

func (q ticketQuery) keeps(t api.Ticket) bool { return q.status == "" || string(t.Status) == q.status }

// ticketOf reads a row of any of the tables.
func ticketOf(in columns, row readstore.Row) api.Ticket {
	return api.Ticket{
		ID: in.text(row, "id"), Version: in.number(row, "version"), Status: api.TicketStatus(in.text(row, "status")),
		SellerID: in.text(row, "seller_id"), Title: in.text(row, "title"), Price: in.price(row), OrderID: in.text(row, "order_id"),
		ListedAt: in.moment(row, "listed_at"), UpdatedAt: in.moment(row, "updated_at"),
	}
}
