// Package market holds the marketplace's projections, one file for each. It
// imports projections, readstore and domain; cmd hands what it defines to the
// projector.
package market

import "github.com/admitone/admitone/projections"

// All is every projection of the marketplace.
func All() ([]*projections.Projection, error) {
	var all []*projections.Projection
	for _, define := range []func() (*projections.Projection, error){Tickets, OrdersTickets, Orders} {
		p, err := define()
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}
