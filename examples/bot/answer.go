package main

import "strings"

// answer is what this Bot knows. Not known: it hands over to an agent.
func answer(text string) (reply string, known bool) {
	text = strings.ToLower(text)
	for _, a := range []struct{ word, reply string }{
		{"open", "The box office is open from 10:00 to 18:00, Monday to Saturday."},
		{"park", "There is a car park below the hall. It is free with a ticket."},
		{"hello", "Hello! Ask me when the box office is open, or where to park."},
	} {
		if strings.Contains(text, a.word) {
			return a.reply, true
		}
	}
	return "", false
}
