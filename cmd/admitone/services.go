package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/admitone/admitone/api"
	"github.com/admitone/admitone/internal/natsapi"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
	"github.com/spf13/cobra"
)

func (a *app) openServices(context.Context) (err error) {
	member, err := memberName(a.path("member"))
	if err != nil {
		return err
	}
	host, _ := os.Hostname()
	a.self = presence{
		Member: member, Version: semanticVersion(currentVersion().Version), Host: host, PID: strconv.Itoa(os.Getpid()),
		HTTP: "http://" + a.listener.Addr().String(), Started: time.Now().UTC().Format(time.RFC3339), Roles: a.cfg.runningRoles(),
	}
	cfg := natsapi.Config{
		Conn: a.broker.nc, Version: a.self.Version, Roles: a.self.Roles, Health: a.ready, Logger: a.log,
		Metadata: map[string]string{
			"member": a.self.Member, "host": a.self.Host, "pid": a.self.PID, "http": a.self.HTTP, "started": a.self.Started,
		},
	}
	if a.cfg.has(roleAPI) {
		cfg.Requests = a.http
	}
	a.services, err = natsapi.Serve(cfg)
	return err
}

// serviceInfo is one role of one running copy.
type serviceInfo struct {
	Role    string      `json:"role"`
	ID      string      `json:"id"`
	Version string      `json:"version"`
	Host    string      `json:"host"`
	PID     string      `json:"pid"`
	HTTP    string      `json:"http"`
	Started string      `json:"started"`
	Member  string      `json:"member"` // of all roles of a copy, also after a restart
	Healthy bool        `json:"healthy"`
	Silent  bool        `json:"silent"` // it was there, and does not answer
	Checks  []api.Check `json:"checks"`
}

func servicesCommand() *cobra.Command {
	var r remote
	cmd := &cobra.Command{
		Use: "services", Short: "Show which roles run where, in which version, and how they are", Args: cobra.NoArgs,
		Long: `Show which roles run where, in which version, and how they are.

Every role of every copy registers with the NATS micro framework, so "nats micro ls"
finds them too. One that hangs, or was killed, is listed for an hour as one that does not
answer. Exits with 1 when one is not healthy.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			nc, err := r.connect()
			if err != nil {
				return err
			}
			defer nc.Close()
			list, err := discover(cmd.Context(), nc)
			if err != nil {
				return err
			}
			if r.json {
				err = printJSON(cmd.OutOrStdout(), list)
			} else {
				err = printServices(cmd.OutOrStdout(), list)
			}
			if err == nil && slices.ContainsFunc(list, func(s serviceInfo) bool { return !s.Healthy }) {
				err = errors.New("not every copy is healthy")
			}
			return err
		},
	}
	r.flags(cmd)
	return cmd
}

// discoverFor bounds the wait for answers of unknown number; lull is how long no
// further one came when they are taken for all.
const (
	discoverFor = 2 * time.Second
	lull        = 300 * time.Millisecond
)

// discover asks all copies who they are, and each how it is.
func discover(ctx context.Context, nc *nats.Conn) ([]serviceInfo, error) {
	answers, err := askAll(ctx, nc, micro.APIPrefix+"."+micro.InfoVerb.String())
	if err != nil {
		return nil, err
	}
	list := []serviceInfo{}
	for _, m := range answers {
		var info micro.Info
		role, ours := "", false
		if err := json.Unmarshal(m.Data, &info); err == nil {
			role, ours = strings.CutPrefix(info.Name, natsapi.ServiceName(""))
		}
		if !ours {
			continue
		}
		s := serviceInfo{Role: role, ID: info.ID, Version: info.Version, Host: info.Metadata["host"], PID: info.Metadata["pid"],
			HTTP: info.Metadata["http"], Started: info.Metadata["started"], Member: info.Metadata["member"]}
		list = append(list, s)
	}
	var asked sync.WaitGroup
	for i := range list {
		asked.Go(func() {
			list[i].Checks = healthOf(ctx, nc, list[i].ID)
			list[i].Healthy = !slices.ContainsFunc(list[i].Checks, wanting)
		})
	}
	asked.Wait()
	// Where JetStream is away nobody knows of the silent ones, and doctor tells of that.
	silent, _ := silentCopies(ctx, nc, list)
	list = append(list, silent...)
	slices.SortFunc(list, func(a, b serviceInfo) int { return strings.Compare(a.Role+a.Started+a.ID, b.Role+b.Started+b.ID) })
	return list, nil
}

// wanting: it fails, or holds in part only.
func wanting(c api.Check) bool { return !c.Ok || c.Detail != "" }

func askAll(ctx context.Context, nc *nats.Conn, subject string) (answers []*nats.Msg, err error) {
	inbox := nc.NewRespInbox()
	sub, err := nc.SubscribeSync(inbox)
	if err != nil {
		return nil, fmt.Errorf("ask for services: %w", err)
	}
	defer func() { _ = sub.Unsubscribe() }()
	if err := nc.PublishRequest(subject, inbox, nil); err != nil {
		return nil, fmt.Errorf("ask for services: %w", err)
	}
	for end := time.Now().Add(discoverFor); time.Now().Before(end); {
		wait, cancel := context.WithTimeout(ctx, lull)
		m, err := sub.NextMsgWithContext(wait)
		cancel()
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case err != nil:
			return answers, nil // nobody else, or nobody at all
		}
		answers = append(answers, m)
	}
	return answers, nil
}

func healthOf(ctx context.Context, nc *nats.Conn, id string) []api.Check {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout+time.Second)
	defer cancel()
	var checks []api.Check
	m, err := nc.RequestWithContext(ctx, "health."+id, nil)
	if err == nil {
		err = json.Unmarshal(m.Data, &checks)
	}
	if err != nil {
		return []api.Check{{Name: "answers", Detail: err.Error()}}
	}
	return checks
}

// worstOf is the first check that fails, or else the first one that holds in part only.
func worstOf(checks []api.Check) (c api.Check, found bool) {
	i := slices.IndexFunc(checks, func(c api.Check) bool { return !c.Ok })
	if i < 0 {
		i = slices.IndexFunc(checks, wanting)
	}
	if i < 0 {
		return c, false
	}
	return checks[i], true
}

func printServices(out io.Writer, list []serviceInfo) error {
	if len(list) == 0 {
		_, err := fmt.Fprintln(out, "no copy of AdmitOne is registered on this broker")
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "ROLE\tVERSION\tHOST\tPID\tHTTP\tSTARTED\tHEALTH")
	for _, s := range list {
		health := "ok"
		if c, found := worstOf(s.Checks); found {
			health = c.Name + ": " + c.Detail
		}
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", s.Role, s.Version, s.Host, s.PID, s.HTTP, s.Started, health)
	}
	return w.Flush()
}
