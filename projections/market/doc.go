// Package market holds the marketplace's projections, one file for each. It
// imports projections, readstore and domain; cmd hands what it defines to the
// projector.
package market

import "github.com/admitone/admitone/projections"

// All is every projection of the marketplace but the Auditor's.
func All() ([]*projections.Projection, error) { return defined(Tickets, OrdersTickets, Orders) }

// Auditor is the projections of conversations, which run in a role of their own.
func Auditor() ([]*projections.Projection, error) { return defined(Messages, Conversations) }

func defined(definitions ...func() (*projections.Projection, error)) ([]*projections.Projection, error) {
	var all []*projections.Projection
	for _, define := range definitions {
		p, err := define()
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}
