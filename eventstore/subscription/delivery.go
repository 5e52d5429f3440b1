package subscription

import (
	"fmt"
	"time"

	"github.com/admitone/admitone/eventstore"
	"github.com/nats-io/nats.go/jetstream"
)

// Delivery is a message with what is needed to answer the broker. Each wants one
// of Ack, Nak and SetAside, by one goroutine.
type Delivery struct {
	eventstore.Message
	Deliveries uint64 // 1 on the first
	Pending    uint64 // messages of the partition that were not delivered yet when this one was
	// Shared: messages of the consumer went elsewhere too, since this subscription began
	// or perhaps while it was interrupted; some that lie before this one, it may be.
	Shared bool
	msg    jetstream.Msg
	sub    *Subscription
}

// Ack says that the message is dealt with. It does not wait for the broker: an
// acknowledgement that is lost means one more delivery.
func (d *Delivery) Ack() error {
	err := d.msg.Ack()
	d.sub.tracker.done(d.Sequence)
	return d.failed("acknowledge", err)
}

// Nak gives the message back, to be delivered again after the delay.
func (d *Delivery) Nak(delay time.Duration) error {
	d.sub.tracker.returned(d.Sequence)
	return d.failed("return", d.msg.NakWithDelay(delay))
}

// SetAside acknowledges the message although it is not dealt with: it will be
// read from the stream. The watermark waits for Done.
func (d *Delivery) SetAside() error {
	d.sub.tracker.setAside(d.Sequence)
	return d.failed("set aside", d.msg.Ack())
}

func (d *Delivery) failed(what string, err error) error {
	if err != nil {
		return fmt.Errorf("subscription: %s sequence %d: %w", what, d.Sequence, err)
	}
	return nil
}

// Done says that messages which were set aside are dealt with.
func (s *Subscription) Done(sequences ...uint64) {
	for _, sequence := range sequences {
		s.tracker.done(sequence)
	}
}

// WatermarkWith is the sequence up to which everything is dealt with once the
// given deliveries are. It never claims too much: while other copies take
// messages too, it follows the broker's acknowledgement floor.
func (s *Subscription) WatermarkWith(batch []*Delivery) uint64 {
	return s.tracker.watermarkWith(batch)
}
