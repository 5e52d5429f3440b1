package blackbox

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"
)

// FleetConfig says what copies a fleet has.
type FleetConfig struct {
	Roles []string // one copy for each: "api", "api", "projector" …
	Args  []string // of every copy: its broker and its read store
}

// Fleet is the distributed form: copies of roles, each with a data directory of its
// own, and a key file that all share.
type Fleet struct {
	Keys   string
	Copies []*Copy

	t       testing.TB
	program Program
}

// Copy is one process of a fleet.
type Copy struct {
	*Server
	Role string
	args []string
	p    Program
	t    testing.TB
}

// Fleet starts all copies at once and returns when all are ready.
func (p Program) Fleet(t testing.TB, cfg FleetConfig) *Fleet {
	t.Helper()
	folder := t.TempDir()
	f := &Fleet{Keys: filepath.Join(folder, "keys"), t: t, program: p}
	for i, role := range cfg.Roles {
		data := filepath.Join(folder, fmt.Sprintf("%s-%d", role, i))
		args := append(slices.Clone(cfg.Args), "--roles", role, "--keys", f.Keys)
		f.Copies = append(f.Copies, &Copy{Server: p.Launch(t, data, args...), Role: role, args: args, p: p, t: t})
	}
	for _, c := range f.Copies {
		c.AwaitReady()
	}
	return f
}

// Again starts a copy that has ended. It does not wait until it is ready.
func (c *Copy) Again() { c.Server = c.p.Launch(c.t, c.Data, c.args...) }

// Of is the copies of a role.
func (f *Fleet) Of(role string) []*Copy {
	var copies []*Copy
	for _, c := range f.Copies {
		if c.Role == role {
			copies = append(copies, c)
		}
	}
	return copies
}

// Data is the data directories of a role's copies.
func (f *Fleet) Data(role string) []string {
	var data []string
	for _, c := range f.Of(role) {
		data = append(data, c.Server.Data)
	}
	return data
}

// Client spreads an account's requests over the copies that serve the API.
func (f *Fleet) Client(account, role string) *Client {
	f.t.Helper()
	data := f.Data("api")
	return NewSpread(f.t, data, f.program.Token(f.t, data[0], account, role, "--keys", f.Keys))
}

// At is Client of one copy.
func (f *Fleet) At(c *Copy, account string) *Client {
	f.t.Helper()
	return NewClient(f.t, c.Server.Data, f.program.Token(f.t, c.Server.Data, account, "user", "--keys", f.Keys))
}
