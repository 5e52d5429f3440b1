package ticket

// Written names, for each command, the events that it may append, by the operation
// under which it is sent. The catalogue of events is made from it.
func Written() map[string][]Event {
	return map[string][]Event{
		"ticket.list":     {Listed{}},
		"ticket.reprice":  {Repriced{}},
		"ticket.withdraw": {Withdrawn{}},
		"ticket.reserve":  {Reserved{}},
		"ticket.release":  {Released{}},
		"ticket.sell":     {Sold{}},
	}
}
