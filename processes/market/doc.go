// Package market is the marketplace's processes, one file for each: what is done
// about an event of one aggregate at another. Each is a pure function of events and
// answers; the adapters to the command handlers are in targets.go.
//
// cmd/admitone hands them to the runner. It imports processes, commands, eventstore
// and the domain.
package market

import "github.com/admitone/admitone/processes"

// All is every process of the marketplace.
func All() ([]*processes.Process, error) {
	reservation, err := processes.Define(Reservation())
	if err != nil {
		return nil, err
	}
	expiration, err := processes.Define(Expiration())
	if err != nil {
		return nil, err
	}
	return []*processes.Process{reservation, expiration}, nil
}

// Sends names the operations that each process sends commands under. The catalogue
// of events is made from it.
func Sends() map[string][]string {
	return map[string][]string{
		"reservation": {"order.confirm", "order.reject", "ticket.release", "ticket.reserve", "ticket.sell"},
		"expiration":  {"order.expire"},
	}
}
