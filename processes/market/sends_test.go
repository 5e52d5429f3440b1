package market_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/admitone/admitone/domain/order"
	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/processes"
	"github.com/admitone/admitone/processes/market"
	"github.com/stretchr/testify/require"
)

// What the processes send about any event, in any status, whatever they are answered,
// is what is written down; and all of that is sent somewhere.
func TestProcessesSendWhatIsWrittenDown(t *testing.T) {
	t.Parallel()
	reservation, expiration := market.Reservation(), market.Expiration()
	r, x := map[string]bool{}, map[string]bool{}
	for _, payload := range order.Events() {
		e := eventstore.Event{Payload: payload}
		for _, status := range []order.Status{order.StatusPlaced, order.StatusAwaitingPayment, order.StatusCompleted,
			order.StatusRejected, order.StatusCancelled, order.StatusExpired} {
			collectSent(r, nil, func(a []processes.Answer) processes.Step {
				return reservation.Decide(order.State{Status: status}, e, a)
			})
		}
		collectSent(x, nil, func(a []processes.Answer) processes.Step { return expiration.Decide(struct{}{}, e, a) })
	}
	collectSent(x, nil, func(a []processes.Answer) processes.Step { return expiration.Due(processes.Due{}, a) })

	want := map[string]map[string]bool{}
	for name, operations := range market.Sends() {
		want[name] = map[string]bool{}
		for _, o := range operations {
			want[name][o] = true
		}
	}
	require.Equal(t, want, map[string]map[string]bool{reservation.Name: r, expiration.Name: x})
}

// collectSent gathers what is sent along every line of answers.
func collectSent(sent map[string]bool, answers []processes.Answer, decide func([]processes.Answer) processes.Step) {
	step := decide(answers)
	if send, ok := step.(processes.Send); ok {
		sent[send.Operation] = true
	}
	if step == nil || len(answers) > 4 {
		return
	}
	for _, refusal := range []error{nil, errors.New("no")} {
		collectSent(sent, append(slices.Clone(answers), processes.Answer{Refusal: refusal}), decide)
	}
}
