package eventstore

import (
	"strconv"
	"strings"
	"time"
)

// Receipt is what the broker says about a message that a consumer gets, in the
// message's reply subject.
type Receipt struct {
	Sequence   uint64 // the message's, within the stream
	Number     uint64 // the delivery's, within the consumer
	Deliveries uint64 // of this message, 1 on the first
	Stored     time.Time
	Pending    uint64 // messages that the consumer has to deliver yet
}

// ReceiptOf reads $JS.ACK.<stream>.<consumer>.<deliveries>.<stream sequence>.
// <consumer sequence>.<time>.<pending>, or the longer form with a domain and an
// account in front and a token behind (ADR-15). It allocates nothing, unlike the
// Metadata of nats.go. ok is false for any other subject.
func ReceiptOf(reply string) (r Receipt, ok bool) {
	skip := 4
	if strings.Count(reply, ".") >= 10 {
		skip = 6
	}
	for range skip {
		_, reply, _ = strings.Cut(reply, ".")
	}
	var nanos uint64
	for _, field := range [...]*uint64{&r.Deliveries, &r.Sequence, &r.Number, &nanos, &r.Pending} {
		token, rest, _ := strings.Cut(reply, ".")
		n, err := strconv.ParseUint(token, 10, 64)
		if err != nil {
			return Receipt{}, false
		}
		*field, reply = n, rest
	}
	r.Stored = time.Unix(0, int64(nanos))
	return r, true
}
