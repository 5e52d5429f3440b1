// Package eventstore keeps the events of aggregates in JetStream streams: it
// appends with optimistic concurrency and exactly one effect, loads one
// aggregate, scans a whole stream, and turns messages into typed events and
// back. It also runs the embedded server.
//
// Commands, projections and processes call it. It imports nats.go and the server
// and knows no domain: a domain's payloads come in through a Registry.
package eventstore
