package order

// Written names, for each command, the events that it may append, by the operation
// under which it is sent. The catalogue of events is made from it.
func Written() map[string][]Event {
	return map[string][]Event{
		"order.place":    {Placed{}},
		"order.confirm":  {Confirmed{}},
		"order.reject":   {Rejected{}},
		"order.cancel":   {Cancelled{}},
		"order.expire":   {Expired{}},
		"order.complete": {Completed{}},
	}
}
