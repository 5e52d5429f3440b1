package bot

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/admitone/admitone/domain/conversation"
	"github.com/admitone/admitone/domain/order"
	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/eventstore/sealed"
	"github.com/admitone/admitone/internal/natstest"
	"github.com/admitone/admitone/processes"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

func TestAUserIsAnswered(t *testing.T) {
	t.Parallel()
	o := setup(t, 1)
	r := o.run(t)
	mine := o.place(t, userID)
	id, first := o.begin(t, userID, "Hello, where is my order?")
	require.Contains(t, o.answer(t, id, first).text, mine.String())
	o.offers = Offers{Tickets: []Ticket{{ID: orderTwo, Title: "Carmen, row 3"}}}
	require.Contains(t, o.answer(t, id, o.write(t, id, userID, "what is for sale?")).text, orderTwo.String())
	require.Equal(t, "The Bot did not understand the user. Order "+mine.String()+" of theirs is placed.",
		o.answer(t, id, o.write(t, id, userID, "asdf")).handOver)
	require.Contains(t, o.answer(t, id, o.write(t, id, userID, "a person please, I want a human")).text, "with our people already")
	require.Contains(t, o.answer(t, id, o.write(t, id, userID, "asdf")).text, "one of them will read this too")
	require.Contains(t, o.answer(t, id, o.write(t, id, userID, "thanks")).text, "welcome")
	r.rests(t)
	require.Len(t, o.answers(t, id), 6)
}

// The newest order has ended, and older ones have not.
func TestOpenOrdersAreFoundBehindOnesThatEnded(t *testing.T) {
	t.Parallel()
	o := setup(t, 1)
	o.run(t)
	first := o.place(t, userID)
	for range 6 {
		require.NoError(t, handle(t, o.buy, o.place(t, userID), order.Command(order.Cancel{BuyerID: userID})))
	}
	id, question := o.begin(t, userID, "Where is my order?")
	require.Contains(t, o.answer(t, id, question).text, first.String())
	second := o.place(t, userID)
	all := o.answer(t, id, o.write(t, id, userID, "Where are my orders?")).text
	require.Contains(t, all, first.String())
	require.Contains(t, all, second.String())
	require.Equal(t, "The Bot did not understand the user. Order "+second.String()+" of theirs is placed. Order "+first.String()+" of theirs is placed.",
		o.answer(t, id, o.write(t, id, userID, "asdf")).handOver)
}

func TestAnOrderIsCancelledOnce(t *testing.T) {
	t.Parallel()
	o := setup(t, 1)
	o.run(t)
	mine := o.place(t, userID)
	id, first := o.begin(t, userID, "please cancel my order")
	require.Contains(t, o.answer(t, id, first).text, "Shall I cancel order "+mine.String())
	require.Contains(t, o.answer(t, id, o.write(t, id, userID, "yes?")).text, "Shall I cancel order")
	require.Contains(t, o.answer(t, id, o.write(t, id, userID, "👍")).text, "Shall I cancel order")
	require.Equal(t, order.StatusPlaced, o.statusOf(t, mine))
	require.Equal(t, say("Order %s is cancelled. You have nothing to pay.", mine).Text, o.answer(t, id, o.write(t, id, userID, "yes please")).text)
	require.Equal(t, order.StatusCancelled, o.statusOf(t, mine))
	require.Contains(t, o.answer(t, id, o.write(t, id, userID, "yes")).text, mine.String()+") is cancelled already.")
	require.Contains(t, o.answer(t, id, o.write(t, id, userID, "cancel it")).text, "I cannot cancel that any more.")
	other := o.place(t, userID)
	require.Contains(t, o.answer(t, id, o.write(t, id, userID, "yes")).text, "nothing left to say yes to", "nothing was asked")
	require.Equal(t, order.StatusPlaced, o.statusOf(t, other))
}

func TestAnOrderThatEndsBeforeTheYes(t *testing.T) {
	t.Parallel()
	o := setup(t, 1)
	o.run(t)
	mine := o.place(t, userID)
	id, first := o.begin(t, userID, "please cancel my order")
	o.answer(t, id, first)
	require.NoError(t, handle(t, o.buy, mine, order.Command(order.Reject{Reason: "ticket_not_available"})))
	require.Equal(t, say("I could not cancel order %s: the order is rejected and cannot change any more.", mine).Text,
		o.answer(t, id, o.write(t, id, userID, "yes")).text)
}

// Another's order is no order, whether it is named, the conversation's or newest.
func TestNobodyGetsAtAnothersOrder(t *testing.T) {
	t.Parallel()
	o := setup(t, 1)
	o.run(t)
	theirs := o.place(t, otherID)
	o.mu.Lock()
	o.bought[userID] = []uuid.UUID{theirs} // a list that is wrong
	o.mu.Unlock()
	id, first := o.begin(t, userID, "where is my order?")
	require.Equal(t, "I find no order of yours.", o.answer(t, id, first).text)
	nothing := "I find no order " + theirs.String() + " among yours."
	for _, text := range []string{"cancel order ", "where is my order ", "why was it refused, ", "when does it expire: "} {
		require.Equal(t, nothing, o.answer(t, id, o.write(t, id, userID, text+theirs.String())).text)
	}
	require.NotContains(t, o.answer(t, id, o.write(t, id, userID, "agent, about "+theirs.String()+": talk to a person")).handOver, theirs.String())

	about, message := uuid.New(), uuid.New()
	require.NoError(t, handle(t, o.talk, about, conversation.Command(conversation.Open{
		AccountID: userID, Topic: conversation.TopicOrder, OrderID: theirs, MessageID: message, Text: "cancel my order",
	})))
	require.Equal(t, nothing, o.answer(t, about, message).text)
	require.Contains(t, o.answer(t, about, o.write(t, about, userID, "yes")).handOver, "did not understand")
	require.Equal(t, order.StatusPlaced, o.statusOf(t, theirs))
}

func TestItIsSilentOnceAnAgentTookOver(t *testing.T) {
	t.Parallel()
	o := setup(t, 1)
	id, _ := o.begin(t, userID, "where is my order?")
	require.NoError(t, handle(t, o.talk, id, conversation.Command(conversation.Take{AgentID: otherID, Role: conversation.RoleAgent})))
	o.write(t, id, userID, "hello?")
	closed, _ := o.begin(t, userID, "thanks")
	require.NoError(t, handle(t, o.talk, closed, conversation.Command(conversation.Close{By: userID, Role: conversation.RoleUser})))
	o.run(t).rests(t)
	require.Empty(t, o.answers(t, id))
	require.Empty(t, o.answers(t, closed))
}

// An agent takes over while the Bot is about to reply.
func TestAnAgentIsFaster(t *testing.T) {
	t.Parallel()
	o := setup(t, 1)
	var once sync.Once
	r := o.run(t, func(c *processes.Config) {
		next := c.Targets["conversations"]
		c.Targets["conversations"] = func(ctx context.Context, cmd processes.Command) (err error) {
			once.Do(func() {
				err = handle(t, o.talk, cmd.Aggregate, conversation.Command(conversation.Take{AgentID: otherID, Role: conversation.RoleAgent}))
			})
			if err != nil {
				return err
			}
			return next(ctx, cmd)
		}
	})
	id, _ := o.begin(t, userID, "hello")
	r.rests(t)
	require.Empty(t, o.answers(t, id))
}

func TestWhoIsErasedIsNotAnswered(t *testing.T) {
	t.Parallel()
	o := setup(t, 1)
	id, _ := o.begin(t, userID, "hello")
	require.NoError(t, o.keys.Erase(natstest.Context(t), userID))
	o.run(t).rests(t)
	other, first := o.begin(t, otherID, "hello")
	require.NotEmpty(t, o.answer(t, other, first).text)
	log, err := o.conversations.Load(natstest.Context(t), id, 0, 0)
	require.NoError(t, err)
	require.Len(t, log.Events, 2)
}

// A key is gone without an erasure, and then there is another one.
func TestWhoseKeyIsLostIsHandedOver(t *testing.T) {
	t.Parallel()
	o, ctx := setup(t, 1), natstest.Context(t)
	id, first := o.begin(t, userID, "hello")
	keys, err := o.js.Stream(ctx, sealed.StreamName)
	require.NoError(t, err)
	require.NoError(t, keys.DeleteMsg(ctx, keys.CachedInfo().State.LastSeq)) // the only key
	r := o.run(t)
	require.Equal(t, "The Bot cannot read a message.", o.answer(t, id, first).handOver)
	r.rests(t)
	r.stop()
	info, err := keys.Info(ctx)
	require.NoError(t, err)
	require.Zero(t, info.State.Msgs, "no key was made")

	again, second := o.begin(t, userID, "hello")
	last, err := keys.GetLastMsgForSubject(ctx, "keys."+userID.String())
	require.NoError(t, err)
	require.NoError(t, keys.DeleteMsg(ctx, last.Sequence))
	next, third := o.begin(t, userID, "hello") // with a new key
	o.run(t).rests(t)
	require.Equal(t, "The Bot cannot read a message.", o.answer(t, again, second).handOver)
	require.NotEmpty(t, o.answer(t, next, third).text)
}

func TestItWaitsForWhatItLooksUp(t *testing.T) {
	t.Parallel()
	o := setup(t, 1)
	back := make(chan struct{})
	o.run(t, func(c *processes.Config) {
		next := c.Lookups["orders"]
		c.Lookups["orders"] = func(ctx context.Context, query any) (any, error) {
			select {
			case <-back:
				return next(ctx, query)
			default:
				return nil, eventstore.ErrUnavailable
			}
		}
	})
	id, first := o.begin(t, userID, "where is my order?")
	free, other := o.begin(t, otherID, "hello")
	o.answer(t, free, other)
	require.Empty(t, o.answers(t, id))
	close(back)
	o.answer(t, id, first)
}

// between runs the Bot with copies that die at the steps that a test chooses, before
// the step or just after it, until one has handled all.
func (o *office) between(t testing.TB, dies func() bool) {
	t.Helper()
	for died := true; died; {
		dead := make(chan struct{})
		var once sync.Once
		die := func(ctx context.Context) error {
			once.Do(func() { close(dead) })
			<-ctx.Done()
			return ctx.Err()
		}
		r := o.run(t, func(c *processes.Config) {
			for name, next := range c.Targets {
				c.Targets[name] = func(ctx context.Context, cmd processes.Command) error {
					if dies() {
						return die(ctx)
					}
					if err := next(ctx, cmd); err != nil {
						return err
					}
					if dies() {
						return die(ctx)
					}
					return nil
				}
			}
		})
		handled := make(chan struct{})
		go func() {
			defer close(handled)
			for ctx := natstest.Context(t); ctx.Err() == nil; {
				all, err := r.Status(ctx)
				select {
				case <-dead:
					return
				default:
				}
				if err == nil && all[0].LagEvents == 0 {
					return
				}
			}
		}()
		<-handled
		select {
		case <-dead:
		default:
			died = false
		}
		r.stop()
	}
}

// The copy dies before and after each of its steps: the order is cancelled once, and
// each message answered once.
func TestKilledBetweenTwoSteps(t *testing.T) {
	t.Parallel()
	for at := 1; at <= 4; at++ {
		t.Run(fmt.Sprint("moment ", at), func(t *testing.T) {
			t.Parallel()
			o := setup(t, 1)
			mine := o.place(t, userID)
			first := o.run(t)
			id, question := o.begin(t, userID, "cancel my order")
			o.answer(t, id, question)
			first.rests(t)
			first.stop()
			consent := o.write(t, id, userID, "yes")
			var mu sync.Mutex
			moments := 0
			o.between(t, func() bool {
				mu.Lock()
				defer mu.Unlock()
				moments++
				return moments == at
			})
			require.Equal(t, []said{
				{to: question, text: o.answers(t, id)[0].text}, {to: consent, text: say("Order %s is cancelled. You have nothing to pay.", mine).Text},
			}, o.answers(t, id))
			log, err := o.orders.Load(natstest.Context(t), mine, 0, 0)
			require.NoError(t, err)
			require.Len(t, log.Events, 2)
		})
	}
}

// seed is ADMITONE_TEST_SEED, or a new one; it is printed, to be given back.
func seed(t *testing.T) uint64 {
	t.Helper()
	n, err := strconv.ParseUint(os.Getenv("ADMITONE_TEST_SEED"), 10, 64)
	if err != nil {
		n = rand.Uint64()
	}
	t.Logf("ADMITONE_TEST_SEED=%d", n)
	return n
}

// Three copies work on everything, nothing shared out, and one of them is stopped and
// begun again and again.
func TestManyCopiesGiveOneAnswerToEach(t *testing.T) {
	t.Parallel()
	o, random := setup(t, 2), seed(t)
	o.run(t)
	o.run(t)
	texts := []string{"hello", "where is my order?", "asdf", "thanks", "what is for sale?", "cancel my order", "yes", "no", "when does it expire?", "talk to a person"}
	const users, messages = 8, 10
	sent := make([][]uuid.UUID, users)
	ids := make([]uuid.UUID, users)
	var writing sync.WaitGroup
	for u := range users {
		user := uuid.New()
		o.place(t, user)
		own := rand.New(rand.NewPCG(random, uint64(u)))
		writing.Go(func() {
			var m uuid.UUID
			ids[u], m = o.begin(t, user, texts[u%len(texts)])
			sent[u] = append(sent[u], m)
			for range messages - 1 {
				sent[u] = append(sent[u], o.write(t, ids[u], user, texts[own.IntN(len(texts))]))
			}
		})
	}
	written := make(chan struct{})
	go func() {
		defer close(written)
		writing.Wait()
	}()
	for busy := true; busy; {
		o.run(t).stop()
		select {
		case <-written:
			busy = false
		default:
		}
	}
	o.run(t).rests(t)
	for u := range users {
		var answered []uuid.UUID
		var handOvers int
		for _, s := range o.answers(t, ids[u]) {
			answered = append(answered, s.to)
			handOvers += min(len(strings.TrimSpace(s.handOver)), 1)
		}
		require.Equal(t, sent[u], answered, "each has one answer, in order")
		require.LessOrEqual(t, handOvers, 1)
	}
}
