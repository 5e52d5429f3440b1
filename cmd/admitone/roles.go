package main

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
)

// Roles are the parts of the program that can run as processes of their own. Every
// copy answers probes, metrics and the operators' questions; only roleAPI serves
// the API.
const (
	roleAPI       = "api"
	roleProjector = "projector"
	roleProcesses = "processes"
	roleBot       = "bot"     // the process that answers users in support
	roleAuditor   = "auditor" // the projections that hold every message
)

var (
	knownRoles = []string{roleAPI, roleProjector, roleProcesses, roleBot, roleAuditor}
	// laterRoles have names already, so that one command line fits all versions.
	laterRoles = []string{"web"}
)

// has tells whether this copy has a role.
func (c *serveConfig) has(role string) bool { return slices.Contains(c.Roles, role) }

// runningRoles are those of this copy that this version has something to run in.
func (c *serveConfig) runningRoles() []string {
	return slices.DeleteFunc(slices.Clone(c.Roles), func(r string) bool { return !slices.Contains(knownRoles, r) })
}

func checkRoles(roles []string) error {
	if len(roles) == 0 {
		return fmt.Errorf("--roles is empty: name some of %s, or leave it out", strings.Join(knownRoles, ", "))
	}
	for _, r := range roles {
		if !slices.Contains(knownRoles, r) && !slices.Contains(laterRoles, r) {
			return fmt.Errorf("--roles %q is not known: choose from %s", r, strings.Join(append(slices.Clone(knownRoles), laterRoles...), ", "))
		}
	}
	return nil
}

func warnOfLaterRoles(roles []string, log *slog.Logger) {
	for _, r := range roles {
		if slices.Contains(laterRoles, r) {
			log.Warn("this version has nothing to run in this role", "role", r)
		}
	}
}
