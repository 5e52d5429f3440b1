// Package blackbox drives the built program from outside, as its users and those
// who run it do: it starts, stops and kills servers, speaks HTTP to them, puts
// load on them while it notes what was acknowledged, and reads the event log over
// NATS to compare. It knows the program by its flags, paths and wire format
// alone.
//
// Only tests and benchmarks import it; it imports nothing of the project.
package blackbox
