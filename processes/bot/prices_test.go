package bot

import (
	"strings"
	"testing"

	"github.com/admitone/admitone/domain"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

func euros(amount int64) domain.Money { return domain.Money{Amount: amount, Currency: "EUR"} }

func TestPrices(t *testing.T) {
	t.Parallel()
	francs := func(amount int64) domain.Money { return domain.Money{Amount: amount, Currency: "CHF"} }
	unread := prices{unread: true}
	for said, want := range map[string]prices{
		"between 10 and 20 euros":                         {least: euros(1000), most: euros(2000)},
		"tickets between €10 and €20":                     {least: euros(1000), most: euros(2000)},
		"anything between 10 euros and 20 euros?":         {least: euros(1000), most: euros(2000)},
		"between 20 and 10 euros":                         {least: euros(1000), most: euros(2000)},
		"between 10 and 20":                               {least: euros(1000), most: euros(2000)},
		"between 10 and 20, please":                       {least: euros(1000), most: euros(2000)},
		"tickets from 10 to 20.50 chf":                    {least: francs(1000), most: francs(2050)},
		"something for 10-20 euros":                       {least: euros(1000), most: euros(2000)},
		"something for 10–20€":                            {least: euros(1000), most: euros(2000)},
		"2 to 3 tickets under 30 euros":                   {most: euros(2999)},
		"between 2 and 4 tickets under 30 euros":          {most: euros(2999)},
		"2 tickets and less than 20 euros":                {most: euros(1999)},
		"10 dollars to 20 euros":                          unread,
		"between 1e3 and 2000 euros":                      unread,
		"above 30 euros":                                  {least: euros(3001)},
		"at least 30 euros":                               {least: euros(3000)},
		"from €30":                                        {least: euros(3000)},
		"anything over 30, please":                        {least: euros(3001)},
		"at least 2 tickets for 20 euros":                 {},
		"from Vienna, under 30 euros":                     {most: euros(2999)},
		"no more than 30 euros":                           {most: euros(3000)},
		"more than 10 euros but under 20 euros":           {least: euros(1001), most: euros(1999)},
		"more than 30 euros but under 20 euros":           unread,
		"over 10 dollars but under 20 euros":              unread,
		"under 1e3 euros":                                 unread,
		"under 1e3":                                       unread,
		"what can I get for 1e3 euros?":                   unread,
		"under 30k euros":                                 unread,
		"under 0x10 euros":                                unread,
		"above 1e3 euros":                                 unread,
		"under thirty euros":                              unread,
		"above thirty euros":                              unread,
		"under 0 euros":                                   unread,
		"up to 1.2.3 euros":                               unread,
		"under 99999999999999999999999999":                unread,
		"what is for sale?":                               {},
		"2nd row tickets for 20 euros":                    {most: euros(2000)},
		"show me all 30 tickets":                          {},
		"tickets for 2 people with the budget of a mouse": {},
	} {
		if got := pricesIn(words(said)); got != want {
			t.Errorf("%q is read as %#v, not as %#v", said, got, want)
		}
	}
}

// ticketsAt are tickets with these prices, newest first.
func ticketsAt(all ...domain.Money) (tickets []Ticket) {
	for i, price := range all {
		tickets = append(tickets, Ticket{ID: uuid.UUID{15: byte(i + 1)}, Title: "Carmen", Price: price})
	}
	return tickets
}

func TestOffersWithinBothBounds(t *testing.T) {
	t.Parallel()
	q := asks("Any tickets between 10 and 20 euros?")
	require.Equal(t, Needs{Offers: &Wanted{Max: euros(2000)}}, English{}.Needs(q.Message))
	q.Offers.Tickets = ticketsAt(euros(999), euros(1500), euros(1000))
	a := English{}.Answer(q).Text
	require.True(t, strings.HasPrefix(a, "These tickets are for sale from 10.00 EUR up to 20.00 EUR:\n- "), a)
	require.NotContains(t, a, "9.99")
	require.Less(t, strings.Index(a, "15.00 EUR"), strings.LastIndex(a, "10.00 EUR"), "the newest is first")
	q.Offers.Tickets = q.Offers.Tickets[:1]
	require.Equal(t, "I find no tickets for sale from 10.00 EUR up to 20.00 EUR right now.", English{}.Answer(q).Text)
	q.Offers.More = true
	require.Equal(t, "Among the newest tickets I find none for sale from 10.00 EUR up to 20.00 EUR.", English{}.Answer(q).Text)
	above := asks("anything above 30 euros?")
	above.Offers.Tickets = ticketsAt(euros(3000), euros(3100), domain.Money{Amount: 9900, Currency: "USD"})
	require.Equal(t, 1, strings.Count(English{}.Answer(above).Text, "\n- "))
}

func TestOffersAtAPriceThatIsNotUnderstood(t *testing.T) {
	t.Parallel()
	q := asks("Any tickets under 1e3 euros?")
	require.Equal(t, Needs{Offers: &Wanted{}}, English{}.Needs(q.Message))
	q.Offers.Tickets = ticketsAt(euros(200000))
	a := English{}.Answer(q).Text
	require.True(t, strings.HasPrefix(a, "I did not understand the price, so this is for any price. These tickets are for sale:\n- "), a)
	require.Contains(t, a, "2000.00 EUR")
}

// The cheapest come first only among those that were looked at, and that is said.
func TestTheCheapest(t *testing.T) {
	t.Parallel()
	q := asks("cheapest ticket?")
	for n := range int64(7) {
		q.Offers.Tickets = append(q.Offers.Tickets, ticketsAt(euros(10000-100*n))...)
	}
	a := English{}.Answer(q).Text
	require.True(t, strings.HasPrefix(a, "These tickets are for sale, the cheapest first:\n- \"Carmen\", 94.00 EUR"), a)
	require.Equal(t, maxSaid, strings.Count(a, "\n- "))
	require.True(t, strings.HasSuffix(a, "\nThere are more of them."), a)
	q.Offers.More = true
	a = English{}.Answer(q).Text
	require.True(t, strings.HasPrefix(a, "Of the newest tickets for sale, the cheapest first:\n- \"Carmen\", 94.00 EUR"), a)
	require.True(t, strings.HasSuffix(a, "\nThere may be older ones that are cheaper: I have not looked at all."), a)
	q.Offers.Tickets[0].Price.Currency = "JPY"
	a = English{}.Answer(q).Text
	require.True(t, strings.HasPrefix(a, "These tickets are for sale, the newest first:\n- \"Carmen\", 10000 JPY"), a)
	require.Contains(t, a, "I cannot say which is the cheapest.")
	q = asks("what is for sale?")
	q.Offers.Tickets = ticketsAt(euros(200), euros(100))
	a = English{}.Answer(q).Text
	require.Less(t, strings.Index(a, "2.00 EUR"), strings.Index(a, "1.00 EUR"))
}
