package readapi

import (
	"encoding/json"

	"github.com/admitone/admitone/api"
)

// pageBytes of text, as JSON writes it, end a page, whatever its limit: over NATS an
// answer must fit into one message, 1 MiB unless the broker is configured otherwise.
const pageBytes = 256 << 10

func messageBytes(m api.Message) int { return written(m.Text) }

// written is how many bytes JSON makes of a text: up to six of one.
func written(text string) int {
	b, err := json.Marshal(text)
	if err != nil {
		return len(text) // no text fails
	}
	return len(b)
}

// firstOf is as many of the items as belong into one page by their size.
func firstOf[T any](items []T, size func(T) int) []T {
	sum := 0
	for i, item := range items {
		if sum += size(item); sum >= pageBytes {
			return items[:i+1]
		}
	}
	return items
}
