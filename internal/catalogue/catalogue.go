// Package catalogue tells of every event type: its fields, who writes it and who
// reads it. What it tells is made from the code, so it cannot be out of date.
//
// cmd/admitone fills it, serves it and records it in docs. It imports api for the
// shape on the wire, and eventstore.
package catalogue

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"

	"github.com/admitone/admitone/api"
	"github.com/admitone/admitone/eventstore"
)

// Stream is a stream, and a zero value of each event that is appended to it.
type Stream struct {
	Name   string
	Events []eventstore.Payload
}

// Writer is a command that may append events.
type Writer struct {
	Operation string // "order.place"
	Events    []eventstore.Payload
	Senders   []string // who sends it: "POST /v1/orders", "process reservation"
}

// Reader is a projection or a process.
type Reader struct {
	Name   string // "projection tickets"
	Stream string
	Reads  func(eventstore.Payload) bool
}

// Sources is all that the catalogue is made from.
type Sources struct {
	Streams []Stream
	Writers []Writer
	Readers []Reader
}

// Make describes every event type, stream by stream.
func Make(from Sources) api.EventCatalogue {
	list := api.EventCatalogue{Items: []api.EventType{}}
	for _, stream := range from.Streams {
		for _, e := range stream.Events {
			list.Items = append(list.Items, describe(stream.Name, e, from))
		}
	}
	return list
}

func describe(stream string, e eventstore.Payload, from Sources) api.EventType {
	t := api.EventType{
		Type: e.EventType(), Revision: revision(e.EventType()), Stream: stream, Fields: fields(e),
		WrittenBy: []api.EventWriter{}, ReadBy: []string{},
	}
	for _, w := range from.Writers {
		if slices.ContainsFunc(w.Events, func(p eventstore.Payload) bool { return p.EventType() == t.Type }) {
			t.WrittenBy = append(t.WrittenBy, api.EventWriter{Command: w.Operation, SentBy: append([]string{}, w.Senders...)})
		}
	}
	slices.SortFunc(t.WrittenBy, func(a, b api.EventWriter) int { return cmp.Compare(a.Command, b.Command) })
	for _, r := range from.Readers {
		if r.Stream == stream && r.Reads(e) {
			t.ReadBy = append(t.ReadBy, r.Name)
		}
	}
	return t
}

var revisionForm = regexp.MustCompile(`\.v([0-9]+)$`)

// revision is 0 for a type that names none.
func revision(typ string) int {
	match := revisionForm.FindStringSubmatch(typ)
	if match == nil {
		return 0
	}
	n, _ := strconv.Atoi(match[1]) // they are digits
	return n
}
