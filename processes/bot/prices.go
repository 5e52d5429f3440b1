package bot

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"github.com/admitone/admitone/domain"
)

// prices is what a text says of the price; the zero value is nothing.
type prices struct {
	least, most domain.Money // zero: no such bound
	// unread: a price is named that was not understood, and no bound is sure.
	unread bool
}

// Words before a price that bounds what is wanted: below it, up to it, or above it.
var (
	below    = regexp.MustCompile(`\b(under|below|beneath|less than|cheaper than|lower than)\b`)
	upTo     = regexp.MustCompile(`\b(up to|at most|max|maximum|(no|not) more than|within|budget( of| is)?)\b`)
	above    = regexp.MustCompile(`\b(above|over|more than|at least|from|minimum)\b`)
	beyond   = regexp.MustCompile(`^(above|over|more than)$`) // not that price itself
	cheapest = regexp.MustCompile(`\b(cheapest|lowest price|least expensive|best price)`)
)

// pricesIn reads which prices are wanted from a text in lower case. Without a currency
// they are in euros.
func pricesIn(text string) prices {
	if p, ok := rangeIn(text); ok {
		return p
	}
	most, read := mostIn(text)
	least, alsoRead := leastIn(text)
	mixed := least.Amount > 0 && most.Amount > 0 && (least.Currency != most.Currency || least.Amount > most.Amount)
	if read == unclearPrice || alsoRead == unclearPrice || mixed {
		return prices{unread: true}
	}
	return prices{least: least, most: most}
}

// mostIn reads the highest price.
func mostIn(text string) (domain.Money, readAs) {
	for _, words := range []*regexp.Regexp{below, upTo} {
		at := words.FindStringIndex(text)
		if at == nil {
			continue
		}
		m, read := price(text[at[1]:], false)
		if read == readPrice && words == below {
			m.Amount = max(m.Amount-1, 1)
		}
		if read == noPrice && spelled(text[at[1]:]) {
			read = unclearPrice
		}
		if read != noPrice {
			return m, read
		}
	}
	if above.MatchString(text) {
		return domain.Money{}, noPrice
	}
	return price(text, true)
}

// leastIn reads the lowest price: it comes at once, and is no number of tickets.
func leastIn(text string) (m domain.Money, read readAs) {
	text = upTo.ReplaceAllString(text, "|") // "no more than" is none
	for _, at := range above.FindAllStringIndex(text, -1) {
		head := strings.Fields(strings.TrimSuffix(text[at[1]:], " please"))
		if spelled(text[at[1]:]) {
			return m, unclearPrice
		}
		m, read = price(strings.Join(head[:min(len(head), 2)], " "), len(head) > 1)
		if read == readPrice && beyond.MatchString(text[at[0]:at[1]]) {
			m.Amount++
		}
		if read != noPrice {
			return m, read
		}
	}
	return m, noPrice
}

// spelled: a price begins a text, but in words ("thirty euros").
func spelled(text string) bool {
	head := strings.Fields(text)
	head = head[:min(len(head), 2)]
	return len(head) == 2 && currencyOf(head[0]) == "" && currencyOf(head[1]) != "" && !strings.ContainsAny(head[0], "0123456789")
}

var (
	dashed = regexp.MustCompile(`(\d[^\s-]*)-((?:us\$|[€$£¥])?\d)`)
	// ranges is two prices: what may come before, the first, what parts them, the
	// second and the word after it.
	ranges = regexp.MustCompile(`(?:\b(between|from) )?((?:\b[a-z]{3} )?\S*\d\S*(?: [a-z]+)?) (and|to) ((?:[a-z]{3} )?\S*\d\S*)( \S+)?`)
)

// rangeIn reads a lowest and a highest price. Where neither names its currency, the
// second one must end the text, since it may count anything.
func rangeIn(text string) (prices, bool) {
	text = strings.TrimSuffix(dashed.ReplaceAllString(text, "$1 to $2"), " please")
	for _, m := range ranges.FindAllStringSubmatch(text, -1) {
		first, second := m[2], m[4]+m[5]
		if m[3] == "and" && m[1] != "between" {
			continue
		}
		currency := cmp.Or(currencyIn(second), currencyIn(first))
		if currency == "" && (m[1] == "" || m[5] != "") {
			continue
		}
		least, read := priceIn(first, currency)
		most, alsoRead := priceIn(second, currency)
		switch {
		case read == noPrice || alsoRead == noPrice:
			continue
		case read == unclearPrice, alsoRead == unclearPrice, least.Currency != most.Currency:
			return prices{unread: true}, true
		case least.Amount > most.Amount:
			least, most = most, least
		}
		return prices{least: least, most: most}, true
	}
	return prices{}, false
}

// currencyIn is the currency that a text of one price names; "" where it names none.
func currencyIn(text string) string {
	found := priced.FindStringSubmatch(text)
	if found == nil {
		return ""
	}
	last := text[strings.LastIndexByte(text, ' ')+1:]
	return cmp.Or(currencyOf(found[3]), currencyOf(strings.TrimSpace(found[1])), currencyOf(last))
}

// priceIn reads a text of one price; in a currency, where it names none.
func priceIn(text, currency string) (domain.Money, readAs) {
	if currencyIn(text) == "" && currency != "" {
		at := strings.IndexAny(text, "0123456789")
		from := strings.LastIndexByte(text[:at], ' ') + 1
		text = strings.Fields(text[from:])[0] + " " + strings.ToLower(currency)
	}
	return price(text, false)
}

// includes tells whether a price is within the bounds.
func (p prices) includes(m domain.Money) bool {
	return (p.least.Amount == 0 || m.Currency == p.least.Currency && m.Amount >= p.least.Amount) &&
		(p.most.Amount == 0 || m.Currency == p.most.Currency && m.Amount <= p.most.Amount)
}

// String is "up to 20.00 EUR", with a space before it; empty where all are wanted.
func (p prices) String() string {
	var text string
	if p.least.Amount > 0 {
		text = " from " + amount(p.least)
	}
	if p.most.Amount > 0 {
		text += " up to " + amount(p.most)
	}
	return text
}

// oneCurrency tells whether all prices are in one currency.
func oneCurrency(tickets []Ticket) bool {
	return !slices.ContainsFunc(tickets, func(t Ticket) bool { return t.Price.Currency != tickets[0].Price.Currency })
}
