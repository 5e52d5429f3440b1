package bot

import (
	"context"
	"errors"
	"fmt"

	"github.com/admitone/admitone/commands"
	"github.com/admitone/admitone/domain"
	"github.com/admitone/admitone/domain/conversation"
	"github.com/admitone/admitone/domain/order"
	"github.com/admitone/admitone/eventstore/sealed"
	"github.com/admitone/admitone/processes"
	"github.com/google/uuid"
)

// Names of the lookups and the targets.
const (
	lookupState  = "conversation"
	lookupText   = "text"
	lookupOrder  = "order"
	lookupOrders = "orders"
	lookupOffers = "offers"

	targetConversations = "conversations"
	targetOrders        = "orders"
)

// How much is looked up.
const (
	maxOrders = 20
	maxOffers = 50
)

// Texts opens sealed texts; *sealed.Keys does.
type Texts interface {
	OpenText(ctx context.Context, f sealed.Field, t sealed.Text) (string, error)
}

// Catalog is what is looked up in lists. They may be behind a little. What is away for
// a while must be told by an error that matches eventstore.ErrUnavailable.
type Catalog interface {
	// OrdersOf is the ids of an account's orders as a buyer, newest first, at most limit.
	OrdersOf(ctx context.Context, buyer uuid.UUID, limit int) ([]uuid.UUID, error)
	// BuyerOf is who placed an order, by its first event alone; the zero UUID where that
	// cannot be read either.
	BuyerOf(ctx context.Context, order uuid.UUID) (uuid.UUID, error)
	// ForSale is tickets that are for sale now, newest first, at most limit.
	ForSale(ctx context.Context, w Wanted, limit int) (Offers, error)
}

// The handlers that the process looks into and sends commands to.
type (
	Conversations = commands.Handler[conversation.State, conversation.Command]
	Orders        = commands.Handler[order.State, order.Command]
)

// Lookups answers what the process looks up: the conversation and orders as they are
// now, the message's text, and the lists.
func Lookups(c *Conversations, o *Orders, texts Texts, catalog Catalog) map[string]processes.Lookup {
	orders := orderLookups{orders: o, catalog: catalog}
	return map[string]processes.Lookup{
		lookupState: lookup(func(ctx context.Context, id uuid.UUID) (conversation.State, error) {
			now, err := c.Current(ctx, id)
			return now.State, err
		}),
		lookupText: lookup(func(ctx context.Context, s sealedText) (string, error) {
			content, _ := s.text.Sealed()
			field := sealed.Field{Owner: s.owner, Aggregate: s.conversation, Name: conversation.TextField}
			return texts.OpenText(ctx, field, sealed.Text{Sealed: content})
		}),
		lookupOrder:  lookup(orders.one),
		lookupOrders: lookup(orders.newest),
		lookupOffers: lookup(func(ctx context.Context, w Wanted) (Offers, error) {
			return catalog.ForSale(ctx, w, maxOffers)
		}),
	}
}

// Targets are the aggregates that the process sends commands to.
func Targets(c *Conversations, o *Orders) map[string]processes.Target {
	return map[string]processes.Target{targetConversations: processes.To(c), targetOrders: ifReadable(processes.To(o))}
}

// ifReadable makes an answer of it that an order cannot be read: else the conversation
// would be parked, and nobody would see to it.
func ifReadable(send processes.Target) processes.Target {
	return func(ctx context.Context, c processes.Command) error {
		err := send(ctx, c)
		if errors.Is(err, commands.ErrHistory) {
			return fmt.Errorf("%w: %w", ErrUnreadable, err)
		}
		return err
	}
}

// IsRefusal says whether an error is an answer: a rule's no, that the account is
// erased, so that nobody can read or write anything more, or that a text does not open
// or an order cannot be read.
func IsRefusal(err error) bool {
	var refusal *domain.Refusal
	return errors.As(err, &refusal) || errors.Is(err, sealed.ErrErased) || errors.Is(err, sealed.ErrInvalid) || errors.Is(err, ErrUnreadable)
}

// Sends names the operations that the process sends commands under. The catalogue of
// events is made from it.
func Sends() map[string][]string {
	return map[string][]string{Name: {"conversation.hand_over", "conversation.reply", "order.cancel"}}
}

// sealedText is the query of lookupText.
type sealedText struct {
	owner, conversation uuid.UUID
	text                domain.Text
}

// ownOrder is the query of lookupOrder.
type ownOrder struct{ buyer, id uuid.UUID }

// lookup gives a typed function the form that the engine asks for.
func lookup[Q, F any](find func(context.Context, Q) (F, error)) processes.Lookup {
	return func(ctx context.Context, query any) (any, error) {
		q, ok := query.(Q)
		if !ok {
			return nil, fmt.Errorf("bot: a lookup was asked for %T", query)
		}
		return find(ctx, q)
	}
}

type orderLookups struct {
	orders  *Orders
	catalog Catalog
}

// one is an order of the buyer's, nil where it is another's or none.
func (l orderLookups) one(ctx context.Context, own ownOrder) (*Order, error) {
	now, err := l.orders.Current(ctx, own.id)
	if errors.Is(err, commands.ErrHistory) {
		return l.unreadable(ctx, own)
	}
	if err != nil || now.Version == 0 || now.State.BuyerID != own.buyer {
		return nil, err
	}
	return &Order{ID: own.id, State: now.State}, nil
}

// unreadable is an order of the buyer's of which nothing else is known.
func (l orderLookups) unreadable(ctx context.Context, own ownOrder) (*Order, error) {
	buyer, err := l.catalog.BuyerOf(ctx, own.id)
	if err != nil || buyer != own.buyer {
		return nil, err
	}
	return &Order{ID: own.id, Unreadable: true}, nil
}

// newest is the buyer's newest orders, each as it is now.
func (l orderLookups) newest(ctx context.Context, buyer uuid.UUID) ([]Order, error) {
	ids, err := l.catalog.OrdersOf(ctx, buyer, maxOrders)
	if err != nil {
		return nil, err
	}
	var found []Order
	for _, id := range ids {
		o, err := l.one(ctx, ownOrder{buyer: buyer, id: id})
		if err != nil {
			return nil, err
		}
		if o != nil {
			found = append(found, *o)
		}
	}
	return found, nil
}
