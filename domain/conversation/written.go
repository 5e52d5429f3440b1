package conversation

// Written names, for each command, the events that it may append, by the operation
// under which it is sent. The catalogue of events is made from it.
func Written() map[string][]Event {
	return map[string][]Event{
		"conversation.open":      {Opened{}, MessageSent{}},
		"conversation.send":      {MessageSent{}, Taken{}},
		"conversation.reply":     {MessageSent{}},
		"conversation.hand_over": {HandedOver{}},
		"conversation.take":      {Taken{}},
		"conversation.close":     {Closed{}},
	}
}
