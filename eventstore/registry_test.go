package eventstore_test

import (
	"encoding/json"
	"errors"
	"os"
	"testing"
	"testing/fstest"

	"github.com/admitone/admitone/eventstore"
	"github.com/stretchr/testify/require"
)

// renameTitle is the toy's upcaster: v1 called the name a title.
func renameTitle(old json.RawMessage) (json.RawMessage, error) {
	var v1 struct {
		Title string `json:"title"`
	}
	if err := json.Unmarshal(old, &v1); err != nil {
		return nil, err
	}
	return json.Marshal(opened{Name: v1.Title})
}

// Each revision that was ever written keeps a file in testdata/events. When a
// payload changes, give it a new revision, keep the old file, add an upcaster and
// a new file.
func TestGoldenEventsStayReadable(t *testing.T) {
	t.Parallel()
	r := toyRegistry()
	require.NoError(t, r.Validate())
	require.NoError(t, r.CheckGolden(os.DirFS("testdata/events")))
	old, err := os.ReadFile("testdata/events/counter.opened.v1.json")
	require.NoError(t, err)
	p, err := r.Decode("counter.opened.v1", old)
	require.NoError(t, err)
	require.Equal(t, opened{Name: "old toy"}, p)
}

func TestCheckGoldenFindsFaults(t *testing.T) {
	t.Parallel()
	err := toyRegistry().CheckGolden(fstest.MapFS{
		"counter.opened.v1.json": {Data: []byte(`[]`)},
		"counter.opened.v2.json": {Data: []byte(`{"name": "toy", "colour": "red"}`)},
	})
	require.ErrorContains(t, err, "counter.opened.v1.json")
	require.ErrorContains(t, err, "needs a new revision and an upcaster")
	require.ErrorContains(t, err, "counter.raised.v1.json")
}

type named string

func (n named) EventType() string { return string(n) }

type lossy struct {
	Kept int `json:"kept"`
	lost int //nolint:unused // the fault under test
}

func (lossy) EventType() string { return "counter.lossy.v1" }

type untagged struct{ Name string }

func (untagged) EventType() string { return "counter.untagged.v1" }

type late struct{}

func (late) EventType() string { return "counter.late.v3" }

type badName struct{}

func (badName) EventType() string { return "Counter" }

func TestValidateReportsEveryFaultAtOnce(t *testing.T) {
	t.Parallel()
	r := toyRegistry()
	r.Register(opened{}, named("counter.named.v1"), lossy{}, untagged{}, late{}, badName{})
	same := func(old json.RawMessage) (json.RawMessage, error) { return old, nil }
	r.Upcast("counter.opened.v1", "counter.opened.v2", same)
	r.Upcast("counter.raised.v1", "counter.raised.v2", same)
	r.Upcast("counter.late.v1", "counter.late.v3", same)
	r.Upcast("counter.round.v1", "counter.round.v2", same)
	r.Upcast("counter.round.v2", "counter.round.v1", same)
	err := r.Validate()
	require.ErrorIs(t, err, eventstore.ErrMisconfigured)
	for _, fault := range []string{
		`"counter.opened.v2" is registered twice`,
		`"counter.named.v1": eventstore_test.named is not a struct`,
		`field lost of eventstore_test.lossy`,
		`field Name of eventstore_test.untagged`,
		`"Counter" is no type name`,
		`two upcasters from "counter.opened.v1"`,
		`"counter.raised.v1" has an upcaster`,
		`no upcaster from "counter.late.v2"`,
		`upcaster from "counter.late.v1" goes to "counter.late.v3", not to the next revision`,
		`upcasters from "counter.round.v1" end at`,
	} {
		require.ErrorContains(t, err, fault)
	}
}

func TestRegistryRefusesWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	r := toyRegistry()
	_, err := r.Encode(late{})
	require.ErrorIs(t, err, eventstore.ErrUnknownType)
	_, err = r.Encode(nil)
	require.ErrorIs(t, err, eventstore.ErrUnknownType)
	_, err = r.Decode("counter.late.v3", []byte(`{}`))
	require.ErrorIs(t, err, eventstore.ErrUnknownType)
	for _, body := range []string{``, `null`, `[]`, `"x"`, `{"name": 7}`, `{"name": "x"`, `{} {}`} {
		_, err = r.Decode("counter.opened.v2", []byte(body))
		require.ErrorIs(t, err, eventstore.ErrMalformed, "body %q", body)
	}
	p, err := r.Decode("counter.opened.v2", []byte(`{"name": "x", "unknown": {"a": 1}}`))
	require.NoError(t, err, "unknown fields are ignored")
	require.Equal(t, opened{Name: "x"}, p)
}

func TestFailingUpcasterIsMalformed(t *testing.T) {
	t.Parallel()
	r := eventstore.NewRegistry()
	r.Register(opened{})
	broken := errors.New("cannot be read")
	r.Upcast("counter.opened.v1", "counter.opened.v2", func(json.RawMessage) (json.RawMessage, error) { return nil, broken })
	_, err := r.Decode("counter.opened.v1", []byte(`{}`))
	require.ErrorIs(t, err, eventstore.ErrMalformed)
	require.ErrorIs(t, err, broken)
}
