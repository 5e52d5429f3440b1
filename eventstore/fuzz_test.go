package eventstore

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
)

type fuzzed struct {
	Text  string         `json:"text"`
	Count int64          `json:"count"`
	Tags  []string       `json:"tags"`
	More  map[string]int `json:"more"`
	Inner *fuzzed        `json:"inner"`
}

func (fuzzed) EventType() string { return "toy.fuzzed.v2" }

// FuzzDecode feeds raw header blocks and bodies, as any writer may store them:
// whatever is not an error must be a whole event that encodes again.
func FuzzDecode(f *testing.F) {
	r := NewRegistry()
	r.Register(fuzzed{})
	r.Upcast("toy.fuzzed.v1", "toy.fuzzed.v2", func(old json.RawMessage) (json.RawMessage, error) { return old, nil })
	s := &Stream{cfg: StreamConfig{Name: "TOYS", Registry: r}, partitions: 4, prefix: "toys."}
	id := uuid.MustParse("0190f3a1-7b1c-7c3e-9d55-8a4f5e6b7c3d")
	head := "NATS/1.0\r\nce-id: 0190f3a1-7b1c-7c3e-9d55-8a4f5e6b7c30\r\nce-type: toy.fuzzed.v1\r\nce-subject: " +
		id.String() + "\r\nce-version: 7\r\nce-time: 2031-02-03T04:05:06Z\r\n\r\n"
	f.Add(s.Subject(id), []byte(head), []byte(`{"text": "x", "count": 3, "tags": ["a"], "more": {"b": 1}, "inner": {}}`))
	f.Add("toys.email.abc", []byte(head), []byte(`null`))
	f.Add("toys.1."+id.String(), []byte("NATS/1.0\r\nce-version: 18446744073709551616\r\n\r\n"), []byte(``))
	f.Fuzz(func(t *testing.T, subject string, header, body []byte) {
		h, err := nats.DecodeHeadersMsg(header)
		if err != nil {
			return
		}
		m := Message{Subject: subject, Sequence: 9, Header: h, Data: body}
		p, placeErr := s.Position(m)
		e, err := s.Decode(m)
		if err != nil {
			var de *DecodeError
			if !errors.As(err, &de) || !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrUnknownType) {
				t.Fatalf("not a decode error: %v", err)
			}
			return
		}
		if placeErr != nil || e.Version != p.Version || e.Aggregate != p.Aggregate || e.Version == 0 || s.Subject(e.Aggregate) != subject || !s.onAggregate(subject) {
			t.Fatalf("%+v at %+v on %s: %v", e, p, subject, placeErr)
		}
		if _, err := r.Encode(e.Payload); err != nil {
			t.Fatal(err)
		}
	})
}
