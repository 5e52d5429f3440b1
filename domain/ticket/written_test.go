package ticket_test

import (
	"testing"

	"github.com/admitone/admitone/commands/commandstest"
	"github.com/admitone/admitone/domain"
	"github.com/admitone/admitone/domain/ticket"
	"github.com/google/uuid"
)

// Every command, on every state that four commands lead to, appends what is written
// down for it; and all of that is appended somewhere.
func TestCommandsAppendWhatIsWrittenDown(t *testing.T) {
	t.Parallel()
	seller, order := uuid.New(), uuid.New()
	cheap, dear := domain.Money{Amount: 1, Currency: "EUR"}, domain.Money{Amount: 2, Currency: "EUR"}
	commands := map[string]ticket.Command{
		"ticket.list":     ticket.List{SellerID: seller, Title: "x", Price: cheap},
		"ticket.reprice":  ticket.Reprice{SellerID: seller, Price: dear},
		"ticket.withdraw": ticket.Withdraw{SellerID: seller},
		"ticket.reserve":  ticket.Reserve{OrderID: order, Price: cheap},
		"ticket.release":  ticket.Release{OrderID: order},
		"ticket.sell":     ticket.Sell{OrderID: order},
	}
	commandstest.Appends(t, decider(), 4, commands, ticket.Written())
}
