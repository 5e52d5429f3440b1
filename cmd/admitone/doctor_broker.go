package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Shares of a limit at which to say something.
const (
	fullWarn = 0.80
	fullFail = 0.95
)

func examineBroker(ctx context.Context, nc *nats.Conn, js jetstream.JetStream) []finding {
	rtt, err := nc.RTT()
	if err != nil {
		return []finding{fail("broker", "see that the NATS server runs and can be reached", "%s does not answer: %v", nc.ConnectedUrlRedacted(), err)}
	}
	findings := []finding{ok("broker", "NATS %s at %s answers in %s", nc.ConnectedServerVersion(), nc.ConnectedUrlRedacted(), rounded(rtt))}
	account, err := js.AccountInfo(ctx)
	if err != nil {
		return append(findings, fail("jetstream", "enable JetStream for the account (jetstream { } in the server's configuration)", "%v", err))
	}
	findings = append(findings, accountFindings(account)...)
	for _, name := range streamNames() {
		findings = append(findings, streamFinding(ctx, js, name))
	}
	return findings
}

// accountFindings compares what the account uses with what it may.
func accountFindings(a *jetstream.AccountInfo) []finding {
	storage := limitFinding("jetstream storage", "bytes", a.Store, a.Limits.MaxStore, "raise the account's JetStream storage (max_file), or remove streams that nobody needs")
	if a.Limits.MaxStore <= 0 {
		storage.Detail = humanize.IBytes(a.Store) + ", the account has no limit; that of the servers (max_file_store) cannot be seen from here"
	}
	return []finding{
		storage,
		limitFinding("jetstream streams", "streams", uint64(a.Streams), int64(a.Limits.MaxStreams), "raise the account's limit of streams"),
		limitFinding("jetstream consumers", "consumers", uint64(a.Consumers), int64(a.Limits.MaxConsumers), "raise the account's limit of consumers"),
	}
}

// limitFinding judges a use of a limit; none where the limit is not above 0.
func limitFinding(check, unit string, used uint64, limit int64, advice string) finding {
	amount := func(n uint64) string {
		if unit == "bytes" {
			return humanize.IBytes(n)
		}
		return fmt.Sprintf("%d %s", n, unit)
	}
	if limit <= 0 {
		return ok(check, "%s, no limit of its own", amount(used))
	}
	share := float64(used) / float64(limit)
	f := finding{Check: check, Level: levelOK, Detail: fmt.Sprintf("%s of %s (%.0f %%)", amount(used), amount(uint64(limit)), share*100)}
	switch {
	case share >= fullFail:
		f.Level, f.Advice = levelFail, advice
	case share >= fullWarn:
		f.Level, f.Advice = levelWarn, advice
	}
	return f
}

// streamFinding looks at a stream's limit, and at its replicas.
func streamFinding(ctx context.Context, js jetstream.JetStream, name string) finding {
	check := "stream " + name
	stream, err := js.Stream(ctx, name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return fail(check, "start a server, which makes it; if it was there before, restore it from a backup", "it does not exist")
	}
	if err != nil {
		return fail(check, "see that most of the NATS servers that hold it run", "%v", err)
	}
	return judgeStream(check, stream.CachedInfo())
}

func judgeStream(check string, info *jetstream.StreamInfo) finding {
	f := limitFinding(check, "bytes", info.State.Bytes, info.Config.MaxBytes, "commands are refused when it is full: give it more room with --stream-bytes")
	f.Detail = fmt.Sprintf("%d events of %d aggregates, %s", info.State.Msgs, info.State.NumSubjects, f.Detail)
	if info.Config.Replicas <= 1 {
		return f
	}
	f.Detail += fmt.Sprintf(", %d replicas", info.Config.Replicas)
	if info.Cluster == nil {
		return f
	}
	var behind []string
	for _, p := range info.Cluster.Replicas {
		if p.Offline || !p.Current {
			behind = append(behind, p.Name)
		}
	}
	if len(behind) > 0 && f.Level == levelOK {
		f.Level, f.Advice = levelWarn, "start those NATS servers again, or wait until they have caught up; losing one more may stop all writes"
		f.Detail += ", not current on " + strings.Join(behind, ", ")
	}
	return f
}

// examineCopies looks at who runs where.
func examineCopies(ctx context.Context, nc *nats.Conn) []finding {
	list, err := discover(ctx, nc)
	if err != nil {
		return []finding{fail("copies", "see that the NATS server runs and can be reached", "%v", err)}
	}
	return judgeCopies(list, semanticVersion(currentVersion().Version))
}

const silentAdvice = "if the process is there it hangs: end it, and start it again; if it was killed for good, this is said for an hour at most"

func judgeCopies(list []serviceInfo, own string) []finding {
	var versions, processes []string
	var findings []finding
	missing := slices.Clone(knownRoles)
	for _, s := range list {
		findings = append(findings, judgeCopy(s)...)
		if s.Silent {
			continue
		}
		versions = append(versions, s.Version)
		processes = append(processes, s.Host+"/"+s.PID)
		missing = slices.DeleteFunc(missing, func(role string) bool { return role == s.Role })
	}
	if len(versions) == 0 {
		return append(findings, fail("copies", "start one with \"admitone serve\"", "no copy of AdmitOne is registered on the broker"))
	}
	slices.Sort(versions)
	slices.Sort(processes)
	versions, processes = slices.Compact(versions), slices.Compact(processes)
	all := fmt.Sprintf("%d running, version %s", len(processes), strings.Join(versions, ", "))
	switch {
	case len(missing) > 0:
		findings = append(findings, fail("copies", "start a copy with --roles "+strings.Join(missing, ","), "%s; none in the role %s", all, strings.Join(missing, ", ")))
	case len(versions) > 1:
		findings = append(findings, warn("copies", "finish the update: the newest copies build their projections beside the old ones", "%s", all))
	case versions[0] != own:
		findings = append(findings, warn("copies", "use the command line of the same version", "%s; this command line is %s", all, own))
	default:
		findings = append(findings, ok("copies", "%s", all))
	}
	return findings
}

// judgeCopy tells of a copy in one role, nothing where all is well.
func judgeCopy(s serviceInfo) []finding {
	check := "copy " + s.Host + "/" + s.PID + " " + s.Role
	c, found := worstOf(s.Checks)
	switch {
	case s.Silent:
		return []finding{warn(check, silentAdvice, "%s: %s", c.Name, c.Detail)}
	case found && c.Ok:
		return []finding{warn(check, "see the findings about what it lacks", "%s: %s", c.Name, c.Detail)}
	case found:
		return []finding{fail(check, "see the log of that process", "%s: %s", c.Name, c.Detail)}
	}
	return nil
}
