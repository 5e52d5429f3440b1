// Package processes reacts to events by sending commands and setting timers. It
// holds the runner: who reacts to what and from where on, the order of one
// aggregate's events, retry, parking, and the ids that make a repeated reaction
// harmless. What a process does is a pure function of an event and of the answers to
// what it has done so far.
//
// A program describes each process with a Definition, hands them to New and runs the
// Runner. It imports eventstore, its subscription and parked, commands and
// processes/timers, and knows no domain.
package processes
