package ticket_test

import (
	"strings"
	"testing"

	"github.com/admitone/admitone/commands"
	"github.com/admitone/admitone/commands/commandstest"
	"github.com/admitone/admitone/domain"
	"github.com/admitone/admitone/domain/ticket"
	"github.com/admitone/admitone/eventstore"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

var (
	seller   = uuid.MustParse("01900000-0000-7000-8000-000000000001")
	stranger = uuid.MustParse("01900000-0000-7000-8000-000000000002")
	order    = uuid.MustParse("01900000-0000-7000-8000-00000000000a")
	rival    = uuid.MustParse("01900000-0000-7000-8000-00000000000b")

	price = domain.Money{Amount: 2500, Currency: "EUR"}
	other = domain.Money{Amount: 2600, Currency: "EUR"}

	listed    = ticket.Listed{SellerID: seller, Title: "Carmen, row 3", Price: price}
	repriced  = ticket.Repriced{Price: other}
	reserved  = ticket.Reserved{OrderID: order}
	released  = ticket.Released{OrderID: order}
	sold      = ticket.Sold{OrderID: order}
	withdrawn = ticket.Withdrawn{}
)

func decider() commands.Decider[ticket.State, ticket.Command] {
	return commands.Adapt(ticket.Initial, ticket.Decide, ticket.Evolve)
}

func setup(t *testing.T) commandstest.Spec[ticket.State, ticket.Command] {
	t.Helper()
	t.Parallel()
	return commandstest.For(t, decider())
}

func TestList(t *testing.T) {
	s := setup(t)
	list := ticket.List{SellerID: seller, Title: "Carmen, row 3", Price: price}
	state := s.Given().When(list).Then(listed)
	require.Equal(t, ticket.State{Status: ticket.StatusAvailable, SellerID: seller, Title: "Carmen, row 3", Price: price}, state)
	s.Given(listed).When(list).ThenRefused(ticket.ErrAlreadyListed)
	s.Given(listed, withdrawn).When(list).ThenRefused(ticket.ErrAlreadyListed)
	list.SellerID = uuid.Nil
	s.Given().When(list).ThenRefused(ticket.ErrID)
}

func TestListTitles(t *testing.T) {
	s := setup(t)
	for title, refusal := range map[string]error{
		"x":                        nil,
		strings.Repeat("é", 200):   nil,
		" Carmen ":                 nil,
		"":                         ticket.ErrTitle,
		" \t\n\u00a0\u3000":        ticket.ErrTitle,
		strings.Repeat("é", 201):   ticket.ErrTitle,
		"not UTF-8: \xff":          ticket.ErrTitle,
		strings.Repeat("\xf0", 10): ticket.ErrTitle,
	} {
		outcome := s.Given().When(ticket.List{SellerID: seller, Title: title, Price: price})
		if refusal == nil {
			outcome.Then(ticket.Listed{SellerID: seller, Title: title, Price: price})
		} else {
			outcome.ThenRefused(refusal)
		}
	}
}

func TestPrices(t *testing.T) {
	s := setup(t)
	for money, refusal := range map[domain.Money]error{
		{Amount: 1, Currency: "EUR"}:                    nil,
		{Amount: domain.MaxAmount, Currency: "JPY"}:     nil,
		{Amount: 0, Currency: "EUR"}:                    domain.ErrAmount,
		{Amount: -1, Currency: "EUR"}:                   domain.ErrAmount,
		{Amount: domain.MaxAmount + 1, Currency: "EUR"}: domain.ErrAmount,
		{Amount: 1, Currency: ""}:                       domain.ErrCurrency,
		{Amount: 1, Currency: "eur"}:                    domain.ErrCurrency,
		{Amount: 1, Currency: "EURO"}:                   domain.ErrCurrency,
		{Amount: 1, Currency: "R E"}:                    domain.ErrCurrency,
		{Amount: 1, Currency: "ED "}:                    domain.ErrCurrency,
		{Amount: 1, Currency: "QQQ"}:                    domain.ErrCurrency,
	} {
		list := s.Given().When(ticket.List{SellerID: seller, Title: "Carmen", Price: money})
		reprice := s.Given(listed).When(ticket.Reprice{SellerID: seller, Price: money})
		if refusal == nil {
			list.Then(ticket.Listed{SellerID: seller, Title: "Carmen", Price: money})
			reprice.Then(ticket.Repriced{Price: money})
		} else {
			list.ThenRefused(refusal)
			reprice.ThenRefused(refusal)
		}
	}
}

func TestReprice(t *testing.T) {
	s := setup(t)
	reprice := ticket.Reprice{SellerID: seller, Price: other}
	state := s.Given(listed).When(reprice).Then(repriced)
	require.Equal(t, other, state.Price)
	s.Given(listed, repriced).When(reprice).Then(repriced)
	s.Given(listed, reserved, released).When(reprice).Then(repriced)
	s.Given().When(reprice).ThenRefused(ticket.ErrNotFound)
	s.Given(listed, reserved).When(reprice).ThenRefused(ticket.ErrNotAvailable)
	s.Given(listed, reserved, sold).When(reprice).ThenRefused(ticket.ErrNotAvailable)
	s.Given(listed, withdrawn).When(reprice).ThenRefused(ticket.ErrNotAvailable)
}

func TestWithdraw(t *testing.T) {
	s := setup(t)
	withdraw := ticket.Withdraw{SellerID: seller}
	state := s.Given(listed).When(withdraw).Then(withdrawn)
	require.Equal(t, ticket.StatusWithdrawn, state.Status)
	s.Given(listed, reserved, released).When(withdraw).Then(withdrawn)
	s.Given().When(withdraw).ThenRefused(ticket.ErrNotFound)
	s.Given(listed, withdrawn).When(withdraw).ThenRefused(ticket.ErrNotAvailable)
	s.Given(listed, reserved).When(withdraw).ThenRefused(ticket.ErrNotAvailable)
	s.Given(listed, reserved, sold).When(withdraw).ThenRefused(ticket.ErrNotAvailable)
}

func TestOwnershipComesBeforeStatus(t *testing.T) {
	s := setup(t)
	for _, history := range [][]eventstore.Payload{
		{listed}, {listed, reserved}, {listed, reserved, sold}, {listed, withdrawn},
	} {
		s.Given(history...).When(ticket.Reprice{SellerID: stranger, Price: other}).ThenRefused(ticket.ErrNotSeller)
		s.Given(history...).When(ticket.Withdraw{SellerID: stranger}).ThenRefused(ticket.ErrNotSeller)
	}
}

func TestReserve(t *testing.T) {
	s := setup(t)
	reserve := ticket.Reserve{OrderID: order, Price: price}
	state := s.Given(listed).When(reserve).Then(reserved)
	require.Equal(t, ticket.StatusReserved, state.Status)
	require.Equal(t, order, state.OrderID)
	s.Given(listed, reserved).When(reserve).ThenNothing()
	s.Given(listed, reserved, released).When(reserve).Then(reserved)
	s.Given().When(reserve).ThenRefused(ticket.ErrNotFound)
	s.Given(listed, repriced).When(reserve).ThenRefused(ticket.ErrPriceChanged)
	s.Given(listed, reserved).When(ticket.Reserve{OrderID: order, Price: other}).ThenRefused(ticket.ErrPriceChanged)
	s.Given(listed, reserved).When(ticket.Reserve{OrderID: rival, Price: price}).ThenRefused(ticket.ErrNotAvailable)
	s.Given(listed, reserved, sold).When(reserve).ThenRefused(ticket.ErrNotAvailable)
	s.Given(listed, withdrawn).When(reserve).ThenRefused(ticket.ErrNotAvailable)
	s.Given(listed).When(ticket.Reserve{Price: price}).ThenRefused(ticket.ErrID)
}

func TestRelease(t *testing.T) {
	s := setup(t)
	release := ticket.Release{OrderID: order}
	state := s.Given(listed, reserved).When(release).Then(released)
	require.Equal(t, ticket.StatusAvailable, state.Status)
	require.Equal(t, uuid.Nil, state.OrderID)
	s.Given(listed, reserved, released).When(release).ThenNothing()
	s.Given(listed, reserved, released, withdrawn).When(release).ThenNothing()
	s.Given(listed, reserved, released, ticket.Reserved{OrderID: rival}).When(release).ThenNothing()
	s.Given(listed, reserved, released, reserved).When(release).Then(released)
	s.Given().When(release).ThenRefused(ticket.ErrNotFound)
	s.Given(listed).When(release).ThenRefused(ticket.ErrNotHolder)
	s.Given(listed, ticket.Reserved{OrderID: rival}).When(release).ThenRefused(ticket.ErrNotHolder)
	s.Given(listed, reserved, sold).When(release).ThenRefused(ticket.ErrAlreadySold)
	s.Given(listed, reserved, released, reserved, sold).When(release).ThenRefused(ticket.ErrAlreadySold)
	s.Given(listed).When(ticket.Release{}).ThenRefused(ticket.ErrID)
}

func TestSell(t *testing.T) {
	s := setup(t)
	sell := ticket.Sell{OrderID: order}
	state := s.Given(listed, reserved).When(sell).Then(sold)
	require.Equal(t, ticket.StatusSold, state.Status)
	require.Equal(t, order, state.OrderID)
	s.Given(listed, reserved, sold).When(sell).ThenNothing()
	s.Given().When(sell).ThenRefused(ticket.ErrNotFound)
	s.Given(listed).When(sell).ThenRefused(ticket.ErrNotHolder)
	s.Given(listed, reserved, released).When(sell).ThenRefused(ticket.ErrNotHolder)
	s.Given(listed, ticket.Reserved{OrderID: rival}).When(sell).ThenRefused(ticket.ErrNotHolder)
	s.Given(listed, withdrawn).When(sell).ThenRefused(ticket.ErrNotHolder)
	s.Given(listed).When(ticket.Sell{}).ThenRefused(ticket.ErrID)
}

func TestRefusalsNameTheField(t *testing.T) {
	t.Parallel()
	for field, command := range map[string]ticket.Command{
		"/seller_id":      ticket.List{Title: "Carmen", Price: price},
		"/title":          ticket.List{SellerID: seller, Price: price},
		"/price/amount":   ticket.List{SellerID: seller, Title: "Carmen", Price: domain.Money{Currency: "EUR"}},
		"/price/currency": ticket.List{SellerID: seller, Title: "Carmen", Price: domain.Money{Amount: 1}},
		"/order_id":       ticket.Sell{},
	} {
		_, err := ticket.Decide(ticket.Initial(), command)
		var refusal *domain.Refusal
		require.ErrorAs(t, err, &refusal)
		require.Equal(t, domain.Invalid, refusal.Kind)
		require.Equal(t, field, refusal.Field)
		require.Contains(t, refusal.Error(), field)
	}
}

func TestKindsOfRefusals(t *testing.T) {
	t.Parallel()
	for refusal, kind := range map[*domain.Refusal]domain.Kind{
		ticket.ErrID: domain.Invalid, ticket.ErrTitle: domain.Invalid, ticket.ErrNotFound: domain.NotFound,
		ticket.ErrNotSeller: domain.Forbidden, ticket.ErrAlreadyListed: domain.Conflict, ticket.ErrNotAvailable: domain.Conflict,
		ticket.ErrPriceChanged: domain.Conflict, ticket.ErrNotHolder: domain.Conflict, ticket.ErrAlreadySold: domain.Conflict,
	} {
		require.Equal(t, kind, refusal.Kind, refusal.Code)
	}
}
