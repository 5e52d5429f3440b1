package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/admitone/admitone/internal/blackbox"
	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
)

// Once a user is erased, his words and the key that seals them are nowhere, and what
// others wrote is as it was.
func TestErase(t *testing.T) {
	t.Parallel()
	data := dataDir(t)
	server := program.Serve(t, data, "--log-level", "debug")
	s := &shop{keys: filepath.Join(data, "keys"), data: []string{data}, nats: server.NATS()}
	e := &erasure{data: data, gone: s.person(t, "user"), stays: s.person(t, "user"), agent: s.person(t, "agent")}
	e.plant(t, s.nats)
	require.Zero(t, program.Run(t, "erase", "--data", data, "--account", e.gone.account.String()).Code)
	e.require(t)
	rebuilt := program.Run(t, "rebuild", "--all", "--data", data)
	require.Zero(t, rebuilt.Code, rebuilt.ErrOut)
	e.require(t)
	require.Zero(t, server.Stop(), server.Log())
	require.Empty(t, e.found(t), "when it has stopped")
	require.NotContains(t, server.Log(), e.words)

	server = program.Serve(t, data)
	e.require(t)
	require.Zero(t, server.Stop(), server.Log())
}

// erasure is what one user loses and another keeps.
type erasure struct {
	data               string
	gone, stays, agent person
	words              string // that the one who goes wrote
	key                []byte // that seals them
	his, theirs        blackbox.Conversation
	kept               []blackbox.Message
}

// plant has the user and an agent write what must not be found later.
func (e *erasure) plant(t *testing.T, broker string) {
	e.words = "Thanks! Sesame-" + uuid.NewString() + " opens"
	e.theirs = e.stays.asks(t, "where is my order?")
	e.kept = e.stays.messages(t, e.theirs)
	require.Len(t, e.kept, 2, "with the Bot's answer")
	e.his = e.gone.asks(t, e.words)
	path := "/v1/conversations/" + e.his.ID
	require.Equal(t, 200, e.agent.Do(t, "POST", path+"/take", "").Status)
	a := e.agent.Do(t, "POST", path+"/messages", blackbox.Said("you wrote "+e.words), "Idempotency-Key", uuid.NewString())
	require.Equal(t, 201, a.Status, a)
	e.his = conversationOf(t, a)
	search := "/v1/messages?account_id=" + e.gone.account.String() + "&text=" + url.QueryEscape(e.words)
	require.Len(t, page[blackbox.Message](t, e.agent.reads(t, e.his, search)), 2)

	js, err := jetstream.New(blackbox.Connect(t, broker))
	require.NoError(t, err)
	keys, err := js.Stream(t.Context(), "KEYS")
	require.NoError(t, err)
	m, err := keys.GetLastMsgForSubject(t.Context(), "keys."+e.gone.account.String())
	require.NoError(t, err)
	e.key = m.Data
	require.Equal(t, []string{"the key"}, e.found(t), "the key can be found, and the words are sealed from the beginning")
}

// require finds nothing of the one who is gone, and all of the other.
func (e *erasure) require(t *testing.T) {
	t.Helper()
	require.Empty(t, e.found(t))
	for _, p := range []person{e.gone, e.agent} {
		require.Len(t, p.messages(t, e.his), 3)
		for _, m := range p.messages(t, e.his) {
			require.True(t, m.Erased)
			require.Empty(t, m.Text)
		}
	}
	require.Equal(t, e.kept, e.stays.messages(t, e.theirs))
	shown := program.Run(t, "chat", "--data", e.data, "--token", e.agent.token, "--conversation", e.his.ID)
	require.Zero(t, shown.Code, shown.ErrOut)
	require.NotContains(t, shown.Out, e.words)
	require.Equal(t, []string{"opened", "user: (erased)", "bot: (erased)"}, said(shown.Out)[:3])
	require.Contains(t, said(shown.Out), "you: (erased)")
	for path, body := range map[string]string{
		"/v1/conversations/" + e.his.ID + "/messages": blackbox.Said("once more"), "/v1/conversations": blackbox.Question("anew"),
	} {
		a := e.gone.Do(t, "POST", path, body, "Idempotency-Key", uuid.NewString())
		require.Equal(t, 409, a.Status, a)
		require.Equal(t, "account_erased", a.Code())
	}
	require.NotEmpty(t, e.stays.opens(t, "and others go on").ID)
	requireSound(t, e.data)
}

// found is which secrets are in any file of the data directory, in any form.
func (e *erasure) found(t *testing.T) (found []string) {
	t.Helper()
	for name, secret := range map[string][]byte{"the words": []byte(e.words), "the key": e.key} {
		if file := fileWith(t, e.data, formsOf(secret)); file != "" {
			t.Logf("%s: in %s", name, file)
			found = append(found, name)
		}
	}
	return found
}

// formsOf is how a secret may stand in a file.
func formsOf(secret []byte) (forms [][]byte) {
	inHex := hex.EncodeToString(secret)
	for _, form := range []string{
		string(secret), inHex, strings.ToUpper(inHex), base64.RawStdEncoding.EncodeToString(secret), base64.RawURLEncoding.EncodeToString(secret),
	} {
		forms = append(forms, []byte(form))
	}
	return forms
}

// fileWith is a file below a folder that holds any of several contents.
func fileWith(t *testing.T, folder string, contents [][]byte) (found string) {
	t.Helper()
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return ignoreGone(err)
		}
		file, err := os.ReadFile(path)
		for _, c := range contents {
			if bytes.Contains(file, c) {
				found = path
			}
		}
		return ignoreGone(err)
	})
	require.NoError(t, err)
	return found
}

// ignoreGone: a server that runs also removes files.
func ignoreGone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
