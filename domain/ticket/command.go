package ticket

import (
	"strings"
	"unicode/utf8"

	"github.com/admitone/admitone/domain"
	"github.com/google/uuid"
)

// MaxTitle is the longest title, in characters (code points).
const MaxTitle = 200

// Command is a request to one ticket: List, Reprice, Withdraw, Reserve, Release
// or Sell.
type Command interface {
	decide(State) ([]Event, error)
}

// List offers a new ticket.
type List struct {
	SellerID uuid.UUID // who acts
	Title    string    // 1 to MaxTitle characters, not only spaces
	Price    domain.Money
}

// Reprice sets the price while the ticket is available, also to what it is already:
// the event remembers the command, so that a late repeat of it undoes no newer price.
type Reprice struct {
	SellerID uuid.UUID // who acts; refused unless it is the ticket's seller
	Price    domain.Money
}

// Withdraw takes the ticket back while it is available.
type Withdraw struct {
	SellerID uuid.UUID // who acts; refused unless it is the ticket's seller
}

// Reserve holds an available ticket for an order. By the order that holds it
// already, there is nothing to do.
type Reserve struct {
	OrderID uuid.UUID
	Price   domain.Money // what the buyer was offered; refused at another
}

// Release lets a reserved ticket go, by the order that holds it. By the order
// that has released it last, there is nothing to do.
type Release struct {
	OrderID uuid.UUID
}

// Sell gives a reserved ticket to the order that holds it, once that is paid. By
// the order that has bought it, there is nothing to do.
type Sell struct {
	OrderID uuid.UUID
}

func (c List) decide(s State) ([]Event, error) {
	if c.SellerID == uuid.Nil {
		return nil, ErrID.At("/seller_id")
	}
	if err := checkTitle(c.Title); err != nil {
		return nil, err
	}
	if err := c.Price.Validate("/price"); err != nil {
		return nil, err
	}
	if s.Status != "" {
		return nil, ErrAlreadyListed
	}
	return []Event{Listed(c)}, nil
}

func (c Reprice) decide(s State) ([]Event, error) {
	if err := c.Price.Validate("/price"); err != nil {
		return nil, err
	}
	if err := s.changeableBy(c.SellerID); err != nil {
		return nil, err
	}
	return []Event{Repriced{Price: c.Price}}, nil
}

func (c Withdraw) decide(s State) ([]Event, error) {
	if err := s.changeableBy(c.SellerID); err != nil {
		return nil, err
	}
	return []Event{Withdrawn{}}, nil
}

func (c Reserve) decide(s State) ([]Event, error) {
	if err := s.knownTo(c.OrderID); err != nil {
		return nil, err
	}
	held := s.Status == StatusReserved && s.OrderID == c.OrderID
	switch {
	case s.Status != StatusAvailable && !held:
		return nil, s.notAvailable()
	case s.Price != c.Price:
		return nil, ErrPriceChanged.Because("the ticket was offered at " + c.Price.String() + " and now costs " + s.Price.String())
	case held:
		return nil, nil
	}
	return []Event{Reserved{OrderID: c.OrderID}}, nil
}

func (c Release) decide(s State) ([]Event, error) {
	if err := s.knownTo(c.OrderID); err != nil {
		return nil, err
	}
	switch {
	case s.Status == StatusReserved && s.OrderID == c.OrderID:
		return []Event{Released(c)}, nil
	case s.Status == StatusSold && s.OrderID == c.OrderID:
		return nil, ErrAlreadySold
	case s.ReleasedBy == c.OrderID:
		return nil, nil
	}
	return nil, ErrNotHolder
}

func (c Sell) decide(s State) ([]Event, error) {
	if err := s.knownTo(c.OrderID); err != nil {
		return nil, err
	}
	switch {
	case s.OrderID != c.OrderID:
		return nil, ErrNotHolder
	case s.Status == StatusSold:
		return nil, nil
	}
	return []Event{Sold(c)}, nil
}

// changeableBy holds the rules of every change by a seller. Whose ticket it is
// comes first: to others its status is no reason.
func (s State) changeableBy(seller uuid.UUID) error {
	switch {
	case s.Status == "":
		return ErrNotFound
	case s.SellerID != seller:
		return ErrNotSeller
	case s.Status != StatusAvailable:
		return s.notAvailable()
	}
	return nil
}

func (s State) knownTo(order uuid.UUID) error {
	if order == uuid.Nil {
		return ErrID.At("/order_id")
	}
	if s.Status == "" {
		return ErrNotFound
	}
	return nil
}

func (s State) notAvailable() error {
	return ErrNotAvailable.Because("the ticket is " + string(s.Status) + ", not available")
}

func checkTitle(title string) error {
	switch {
	case !utf8.ValidString(title):
		return ErrTitle.At("/title").Because("the title must be valid UTF-8")
	case strings.TrimSpace(title) == "", utf8.RuneCountInString(title) > MaxTitle:
		return ErrTitle.At("/title")
	}
	return nil
}
