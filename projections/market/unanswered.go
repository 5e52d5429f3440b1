package market

import (
	"encoding/binary"
	"time"

	"github.com/admitone/admitone/domain/conversation"
	"github.com/google/uuid"
)

// unanswered is the messages of a user that the Bot may still answer, oldest first,
// in one immutable string, since rows are copied by assignment: the id of each, then
// when it was sent, in milliseconds as a big-endian integer.
type unanswered string

const unansweredSize = len(uuid.UUID{}) + 8

// and is with one message more. It is bounded as the domain bounds it, who refuses
// more: what an untrue log has beyond that is not remembered.
func (u unanswered) and(message uuid.UUID, sent time.Time) unanswered {
	if len(u) >= conversation.MaxUnanswered*unansweredSize {
		return u
	}
	one := binary.BigEndian.AppendUint64(message[:], uint64(sent.UnixMilli()))
	return u + unanswered(one)
}

// behind is what comes after a message; all, where that is not in it.
func (u unanswered) behind(message uuid.UUID) (rest unanswered, known bool) {
	for i := 0; i+unansweredSize <= len(u); i += unansweredSize {
		if string(u[i:i+len(message)]) == string(message[:]) {
			return u[i+unansweredSize:], true
		}
	}
	return u, false
}

// since is when the oldest was sent; the zero time where there is none.
func (u unanswered) since() time.Time {
	if len(u) < unansweredSize {
		return time.Time{}
	}
	ms := binary.BigEndian.Uint64([]byte(u[len(uuid.UUID{}):unansweredSize]))
	return time.UnixMilli(int64(ms)).UTC()
}
