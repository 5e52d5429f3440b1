package httpapi

import (
	"context"
	"regexp"
	"time"

	"github.com/admitone/admitone/api"
	"github.com/admitone/admitone/commands"
	"github.com/admitone/admitone/domain"
	"github.com/admitone/admitone/domain/order"
	"github.com/admitone/admitone/domain/ticket"
	"github.com/google/uuid"
)

// The first two versions of an order. What follows its placing, whatever it is,
// decides it, and never changes.
const (
	placedVersion  = 1
	decidedVersion = 2
)

// placing is one request for a new order.
type placing struct {
	command commands.Command[order.Command] // its body is filled in once the ticket was looked up
	buyer   uuid.UUID
	ticket  uuid.UUID
	tokens  []api.Token
	awaits  bool          // the caller wants to know what is decided
	wait    time.Duration // for the ticket's copy and for the decision, together
	began   time.Time
}

func newPlacing(caller api.Caller, r api.PostOrderRequestObject) (*placing, error) {
	p := &placing{buyer: caller.Account, ticket: r.Body.TicketID, began: time.Now()}
	var named bool
	var err error
	if p.tokens, err = api.ParseTokens(r.Params.ConsistencyToken); err != nil {
		return nil, err
	}
	if p.wait, named, err = api.ParsePreferredWait(r.Params.Prefer); err != nil {
		return nil, err
	}
	p.awaits = named && p.wait > 0
	if !named {
		p.wait = api.DefaultWait
	}
	e := envelope{caller: caller, operation: "order.place", key: r.Params.IdempotencyKey}
	p.command, err = creation[order.Command](e, "order", r.Body, order.Place{})
	return p, err
}

// place handles the command. A repeat of it is answered without a look at the
// ticket, which may be sold by now, or not to be read.
func (o *OrderCommands) place(ctx context.Context, p *placing) (commands.Result[order.State], error) {
	known, err := o.knows(ctx, p)
	if err == nil && !known {
		err = o.lookUp(ctx, p)
	}
	if err != nil {
		return commands.Result[order.State]{}, err
	}
	return o.handler.Handle(ctx, p.command)
}

// knows reports whether the order is there already, whose id follows from the
// command's where the caller gave a key.
func (o *OrderCommands) knows(ctx context.Context, p *placing) (bool, error) {
	if p.command.Fresh {
		return false, nil
	}
	placed, err := o.handler.At(ctx, p.command.Aggregate, placedVersion)
	return placed.Version > 0, err
}

// lookUp fills in the terms that the ticket is offered on.
func (o *OrderCommands) lookUp(ctx context.Context, p *placing) error {
	offer, err := o.offers.Offer(ctx, p.ticket, p.tokens, p.wait)
	if err == nil {
		err = offer.Refuse()
	}
	if err != nil {
		// A twin of this request may have been first since, and its ticket sold.
		if known, _ := o.knows(ctx, p); known {
			return nil
		}
		return err
	}
	p.command.Body = order.Place{
		TicketID: p.ticket, BuyerID: p.buyer, SellerID: offer.SellerID, Title: offer.Title, Price: offer.Price,
		ExpiresAt: time.Now().Add(o.expiry).UTC().Truncate(time.Millisecond),
	}
	return nil
}

// placeAndAwait places the order and answers with its decision: the order as it was
// right after, or why it was rejected; the order as it was placed where nothing is
// decided within the wait. A repeat that waits finds the same decision.
func (o *OrderCommands) placeAndAwait(ctx context.Context, p *placing) (commands.Result[order.State], error) {
	id := p.command.Aggregate
	// Before the order is placed, so that no signal is missed.
	reached, forget := o.decisions.Wait(id, decidedVersion)
	defer func() { forget() }()
	placed, err := o.place(ctx, p)
	if err != nil {
		return placed, err
	}
	waiting, cancel := context.WithDeadline(ctx, p.began.Add(p.wait))
	defer cancel()
	for look := placed.Repeated; ; look = true {
		if look {
			now, err := o.handler.At(waiting, id, decidedVersion)
			if err != nil {
				return placed, nil // it is placed, and nobody can say more now
			}
			if now.Version >= decidedVersion {
				return now, rejectionOf(id, now)
			}
		}
		select {
		case <-waiting.Done():
			return placed, nil
		case <-reached:
		}
		forget()
		reached, forget = o.decisions.Wait(id, decidedVersion)
	}
}

// rejections says what the reasons of rejected orders mean to the buyer. A reason
// is the code of the refusal that the ticket answered.
var rejections = map[string]string{
	ticket.ErrNotAvailable.Code: "the ticket is not available any more: somebody was faster, or its seller took it back",
	ticket.ErrPriceChanged.Code: "the ticket costs another price by now than it was ordered at; order it again at that",
}

var codeForm = regexp.MustCompile(`^[a-z0-9_]+$`)

// rejectionOf is nil unless the order was rejected. It is there, and can be read.
func rejectionOf(id uuid.UUID, r commands.Result[order.State]) error {
	s := r.State
	if s.Status != order.StatusRejected {
		return nil
	}
	code, detail := s.Reason, rejections[s.Reason]
	if detail == "" {
		detail = "it cannot have the ticket: " + s.Reason
	}
	if !codeForm.MatchString(code) {
		code = "order_rejected" // the words of another writer
	}
	headers := orderHeaders(id, r)
	return &api.WrittenError{
		Err:      &domain.Refusal{Kind: domain.Conflict, Code: code, Detail: "order " + id.String() + " was rejected: " + detail},
		Location: headers.Location, Token: headers.ConsistencyToken,
	}
}
