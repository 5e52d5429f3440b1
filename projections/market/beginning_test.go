package market_test

import (
	"testing"

	"github.com/admitone/admitone/domain/order"
	"github.com/admitone/admitone/domain/ticket"
	"github.com/admitone/admitone/internal/natstest"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// An event that is no beginning, as a foreign writer may put it first, is its
// aggregate's trouble alone, even where no list can take its row.
func TestEveryEventMayComeFirst(t *testing.T)    { testComesFirst(t, setup(t, openSQLite(t))) }
func TestEveryEventMayComeFirstCQL(t *testing.T) { testComesFirst(t, setup(t, openCQL(t))) }

func testComesFirst(t *testing.T, w *world) {
	for _, e := range ticket.Events() {
		w.happened("TICKETS", uuid.New(), e)
	}
	for _, e := range order.Events() {
		w.happened("ORDERS", uuid.New(), e)
	}
	for range 40 { // in every lane
		offered, placed := uuid.New(), uuid.New()
		w.happened("TICKETS", offered, ticket.Listed{SellerID: uuid.New(), Title: "Row 7", Price: price})
		w.happened("ORDERS", placed, order.Placed{
			BuyerID: uuid.New(), TicketID: offered, SellerID: uuid.New(), Title: "Row 7", Price: price, ExpiresAt: noon,
		})
		for name, id := range map[string]uuid.UUID{"tickets": offered, "orders_tickets": offered, "orders": placed} {
			view, err := w.reader(name).View(natstest.Context(t))
			require.NoError(t, err)
			require.NoError(t, view.Wait(natstest.Context(t), id, 1), "%s beside events that are no beginning", name)
		}
	}
}
