package order_test

import (
	"testing"
	"time"

	"github.com/admitone/admitone/commands/commandstest"
	"github.com/admitone/admitone/domain"
	"github.com/admitone/admitone/domain/order"
	"github.com/google/uuid"
)

// Every command, on every state that four commands lead to, appends what is written
// down for it; and all of that is appended somewhere.
func TestCommandsAppendWhatIsWrittenDown(t *testing.T) {
	t.Parallel()
	buyer, due := uuid.New(), time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	commands := map[string]order.Command{
		"order.place": order.Place{
			TicketID: uuid.New(), BuyerID: buyer, SellerID: uuid.New(), Title: "x", Price: domain.Money{Amount: 1, Currency: "EUR"}, ExpiresAt: due,
		},
		"order.confirm":  order.Confirm{},
		"order.reject":   order.Reject{Reason: "x"},
		"order.cancel":   order.Cancel{BuyerID: buyer},
		"order.expire":   order.Expire{At: due},
		"order.complete": order.Complete{PaymentID: uuid.New()},
	}
	commandstest.Appends(t, decider(), 4, commands, order.Written())
}
