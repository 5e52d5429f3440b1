// Package archtest holds the rooms and arrows of the architecture by a test: which
// package may import which, and which library stays in which room. It has no code
// of its own and nothing imports it; a new room gets its line in rooms_test.go.
package archtest
