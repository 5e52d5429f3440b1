package bot

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var phrasings = map[intent]string{
	wantsStatus: `
		Where is my order?
		where's my ticket
		What's the status of my order?
		Has my order gone through?
		Did my order go through?
		Is my order confirmed yet?
		is my ticket reserved
		What is happening with my order?
		Any news on my order?
		I'd like an update on my purchase please
		Hello, where is my order 01900000-0000-7000-8000-000000000001?
		How is my order doing?
		can I track my order
		show me my orders
		Was my order cancelled?
		Has my order expired?
		I still haven't got my ticket
		Is it paid?
		what's up with my order
		where are my orders
		Where is my order for First?
		Please don't hand me over, where is my order?
		I don't want to talk to a person, where is my order`,
	wantsExpiry: `
		When does it expire?
		when does my order expire
		How long do I have to pay?
		How much time do I have left?
		Until when is the ticket reserved for me?
		What's the deadline for paying?
		By when do I have to pay?
		when do I need to pay for my order
		Thanks! And when will my order run out?
		is there any time left to pay?
		How long is it valid for?
		what's the expiration time of my order
		When will my order be cancelled if I don't pay?
		how long will you hold the ticket for me`,
	wantsReason: `
		Why was my order refused?
		why did you reject my order
		Why was it declined?
		What's the reason my order was rejected?
		How come my order got turned down?
		Why did my order fail?
		why was my order cancelled
		Why was my order cancelled?
		why did my order expire
		Can you explain why I was denied?
		What went wrong with my order?
		what happened to my order
		My order was rejected, why?
		My order has been refused
		For what reason did it expire?
		Why didn't my order go through?
		hi, why has my purchase been unsuccessful?`,
	wantsCancel: `
		Cancel my order
		Please cancel my order.
		I want to cancel
		Can you cancel order 01900000-0000-7000-8000-000000000001 please?
		How do I cancel my order?
		I'd like to cancel the ticket
		I changed my mind about the order
		I don't want it any more
		I do not want my ticket anymore
		call it off
		I no longer want this ticket
		please undo my order
		Hello, could you help me cancel my purchase?
		cancellation please
		CANCEL!!!
		Why can't I cancel my order?`,
	wantsOffers: `
		What is for sale under 30 euros?
		anything below 30 euros?
		Any tickets for less than €25.50?
		Show me tickets under $40
		what tickets are available
		Which tickets do you have up to 100 CHF?
		Is there anything cheaper than 20 pounds?
		what can I buy for 15 EUR
		have you got something for 20€?
		I'm looking for tickets
		What's on sale?
		cheapest tickets please
		do you have any seats left
		list tickets at most 50 usd
		tickets with a budget of 60
		Are any tickets available?
		between 10 and 20 euros
		tickets between 10 and 20
		from 10 to 20 euros
		cheapest ticket
		what is the lowest price?
		under 1e3 euros
		Do you sell tickets?
		are you selling tickets
		what tickets are you selling`,
	wantsPerson: `
		Can I talk to a person?
		I want to speak to a human
		Please connect me to an agent
		Let me talk to someone
		human please
		agent
		I don't want to talk to a bot
		get me a real person
		I need a representative
		Can somebody from support contact me? I want to talk to somebody
		transfer me to customer service
		I'd like to chat with a member of staff
		Put me through to your manager
		Can I speak with someone about cancelling my order?
		stop, you are a stupid robot
		Are you a bot? I want to talk to a person
		I don't want to talk to you, I want to talk to a person
		I don't want a bot but a human
		I don't understand, I want to speak to an agent
		Don't hand me to the bot again, give me a human
		I don't need support, I need a manager
		You didn't connect me to a person
		why don't you connect me to an agent
		Can't you put me through to a human?
		I'm talking to a bot, get me a person
		is there a person I can talk to`,
	wantsNoPerson: `
		I don't want to talk to a person
		I do not want to speak to an agent
		please don't hand me over
		Please do not hand me over to a human
		don't transfer me to an agent
		I'd rather not talk to a person
		I don't need a human
		No need to hand me over
		I don't want to be handed over
		Don't connect me with anybody
		I never asked for a person
		I don't want you to hand me over
		don't pass this on to support
		No agent please
		stop handing me over
		dont escalate it please`,
	asksWhoItIs: `
		are you a bot
		are you a bot?
		Are you human?
		are you a real person?
		Are you a human being?
		am I talking to a human?
		Am I talking to a bot or a person?
		am i speaking with a real person
		Is this a bot?
		is it an automated reply
		Are you really a person?
		Are you an AI?
		You're a bot, right?
		who are you?
		Who am I talking to?`,
	wantsToSell: `
		How can I sell a ticket?
		I want to sell my ticket
		how do I sell my ticket
		Where can I sell two tickets?
		can I sell my ticket here
		I'd like to sell a ticket
		I would like to resell my tickets
		Could you sell my ticket for me?
		I am selling a ticket
		How do I list a ticket?
		please help me sell it
		how to sell tickets
		I want to put my ticket up for sale
		Can I re-sell it?
		I can't go any more, can I sell my ticket?
		how does selling work`,
	wantsBeyond: `
		I want a refund
		Give me my money back!
		I was charged twice
		You have charged me double
		How do I change my email address?
		please delete my account
		I forgot my password
		I need an invoice
		Can you send me a receipt?
		I want to make a complaint
		this is fraud
		My ticket was stolen
		I cancelled my order, where is my refund?`,
	wantsKept: `
		Don't cancel my order
		please do not cancel it
		I don't want to cancel
		I did not cancel my order
		keep my order
		Please keep the ticket
		never cancel my order
		You should not cancel it
		leave my order as it is
		I never cancelled anything, do not cancel my order
		No, keep my order please
		dont cancel`,
	saysThanks: `
		Thanks
		thank you very much
		Thanks a lot!
		thx
		Cheers mate
		great, that helped
		Perfect!
		much appreciated
		That's awesome
		bye
		Goodbye and have a nice day
		Thank you for your help!
		ty`,
	saysHello: `
		Hi
		hello
		Hey!
		Good morning
		good evening
		Hello there
		hi bot
		Greetings
		hiya
		howdy
		Good afternoon, everybody
		Is anybody there?
		hey hey`,
	wantsHelp: `
		help
		What can you do?
		how does this work
		I need help
		I need some help
		what are my options
		could somebody help
		can you help me
		what do you know
		menu
		how do you work?
		show me the options
		Hello, can you help me please?`,
	notUnderstood: `
		asdf
		42
		lorem ipsum dolor sit amet
		The weather is fine today
		?!
		🎟🎟🎟
		my cat sings Carmen
		wo ist der bahnhof
		blue
		tell me a joke
		nothing
		x y z
		1; DROP TABLE`,
}

// lines are the phrasings of a table.
func lines(table string) (all []string) {
	for line := range strings.Lines(table) {
		if line = strings.TrimSpace(line); line != "" {
			all = append(all, line)
		}
	}
	return all
}

func TestIntents(t *testing.T) {
	t.Parallel()
	for want, table := range phrasings {
		require.GreaterOrEqual(t, len(lines(table)), 12, want)
		for _, said := range lines(table) {
			if got := intentOf(words(said)); got != want {
				t.Errorf("%q is read as %q, not as %q", said, got, want)
			}
		}
	}
}

func TestDecisions(t *testing.T) {
	t.Parallel()
	for want, table := range map[decision]string{
		yes: `
			yes
			y
			Y
			y please
			Yes!
			YES PLEASE
			yeah, do it
			ok
			Okay, go ahead
			sure
			please do
			Yes, cancel it please
			yes, I want to cancel my order
			Of course.
			Fine!
			yes, thank you very much
			ok, yes
			sure, do it then
			Yes, I'm sure
			go ahead and cancel it
			yes, just cancel it :)
			yep
			that's right, cancel the order
			I agree
			definitely
			cancel my order
			yes please cancel order 01900000-0000-7000-8000-000000000001`,
		no: `
			no
			No!
			nope
			n
			N!
			I'd rather keep it
			I would rather keep it, thanks
			I'll keep my order
			I want to keep it
			let's leave it as it is
			no thanks
			No, don't
			don't cancel it
			please don't cancel my order
			No, keep it
			keep it
			never mind
			not now
			I'd rather not
			Please do not do it
			stop
			no, leave it as it is`,
		unclear: `
			maybe
			yes?
			yes, but not now
			yes and no
			ok, what does it cost me?
			is that ok?
			yes I want the ticket
			yes if I get my money back
			ok wait
			yes, keep it
			I don't know
			what do you mean
			hm
			yes, cancel all my other orders
			no problem, go ahead
			👍
			👍👍🏽
			wait
			hold on
			hold on a second
			not sure
			I'm not so sure
			maybe later
			let me think about it
			y?
			y not
			yes, I'd rather keep it
			when does it expire?
			ok thanks
			ok, thank you very much
			sure, thanks
			Of course. Thank you very much
			I'm good, thanks, ok
			i'm ok
			ok, good
			ok so then
			good, thanks
			that's right, thanks
			yes and
			yes so
			Yes 👎
			yes ❌
			yes⃠
			no 👍
			thanks`,
	} {
		require.GreaterOrEqual(t, len(lines(table)), 12)
		for _, said := range lines(table) {
			if got := decisionOf(said); got != want {
				t.Errorf("%q is read as %v, not as %v", said, got, want)
			}
		}
	}
}
