package bot

import (
	"cmp"
	"fmt"
	"math/big"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/admitone/admitone/domain"
)

// Currencies of ISO 4217 that have other than two decimals.
const (
	withoutDecimals = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF"
	withThree       = "BHD IQD JOD KWD LYD OMR TND"
)

// decimals is how many digits a currency's minor units are.
func decimals(currency string) int {
	switch {
	case strings.Contains(withoutDecimals, currency):
		return 0
	case strings.Contains(withThree, currency):
		return 3
	}
	return 2
}

// amount writes money as people do: "25.00 EUR".
func amount(m domain.Money) string {
	digits := fmt.Sprintf("%0*d", decimals(m.Currency)+1, m.Amount)
	if point := len(digits) - decimals(m.Currency); point < len(digits) {
		digits = digits[:point] + "." + digits[point:]
	}
	return digits + " " + m.Currency
}

// currencyNames are other ways to write a currency. A dollar is the American one.
var currencyNames = map[string]string{
	"€": "EUR", "euro": "EUR", "euros": "EUR",
	"$": "USD", "us$": "USD", "dollar": "USD", "dollars": "USD", "bucks": "USD",
	"£": "GBP", "pound": "GBP", "pounds": "GBP", "quid": "GBP",
	"¥": "JPY", "yen": "JPY", "franc": "CHF", "francs": "CHF",
	"rupee": "INR", "rupees": "INR", "zloty": "PLN", "zlotys": "PLN",
}

const assumedCurrency = "EUR"

// notCurrencies are codes that are English words as well, and more often that.
const notCurrencies = "all bam cup gel mad mop pen rub sos top try"

// currencyOf reads a currency; "" where a word is none.
func currencyOf(word string) string {
	if code := currencyNames[word]; code != "" {
		return code
	}
	if len(word) != len(assumedCurrency) || strings.Contains(notCurrencies, word) {
		return ""
	}
	if code := strings.ToUpper(word); slices.Contains(domain.Currencies(), code) {
		return code
	}
	return ""
}

// priced is a number with what may be its currency before or behind it.
var priced = regexp.MustCompile(`(us\$|[€$£¥]|\b[a-z]{3})?\s?(\d[\d,.]*\d|\d)\s?(us\$|[€$£¥]|[a-z]+)?`)

// near is how far from the start of a text a number is a price without its currency.
const near = 8

// readAs is what became of reading a price.
type readAs int

const (
	noPrice readAs = iota
	readPrice
	unclearPrice // there is one, which cannot be read, such as "1e3"
)

// price reads the first price in a text: a number that names its currency or, if it
// need not, one near the start.
func price(text string, named bool) (m domain.Money, read readAs) {
	for _, found := range priced.FindAllStringSubmatchIndex(text, -1) {
		group := func(n int) string { return text[max(found[2*n], 0):max(found[2*n+1], 0)] }
		before, after := currencyOf(strings.TrimSpace(group(1))), currencyOf(group(3))
		odd := after == "" && joined(text[found[5]:]) || before == "" && joinedBefore(text[:found[4]])
		if next := strings.Fields(text[found[1]:]); odd && after == "" && len(next) > 0 {
			after = currencyOf(next[0])
		}
		currency := cmp.Or(after, before)
		if currency == "" && (named || found[0] > near) {
			continue
		}
		m.Currency = cmp.Or(currency, assumedCurrency)
		if units, ok := minorUnits(group(2), decimals(m.Currency)); ok && !odd {
			m.Amount = units
			return m, readPrice
		}
		return domain.Money{}, unclearPrice
	}
	return domain.Money{}, noPrice
}

// joined tells whether a letter or a digit of any script begins a text: what comes
// before is part of a word.
func joined(text string) bool {
	r, _ := utf8.DecodeRuneInString(text)
	return unicode.IsLetter(r) || unicode.IsNumber(r)
}

func joinedBefore(text string) bool {
	r, _ := utf8.DecodeLastRuneInString(text)
	return unicode.IsLetter(r) || unicode.IsNumber(r)
}

// thousands is a number whose separators stand where those of thousands do.
var thousands = regexp.MustCompile(`^\d{1,3}([.,]\d{3})+$`)

// minorUnits reads a number with a point or a comma, which may also part thousands.
func minorUnits(number string, digits int) (int64, bool) {
	whole, fraction := number, ""
	if at := strings.LastIndexAny(number, ".,"); at >= 0 && (len(number)-at-1 != 3 || digits == 3) && !manySeparators(number, at) {
		whole, fraction = number[:at], number[at+1:]
	} else if at >= 0 && !thousands.MatchString(number) {
		return 0, false
	}
	whole = strings.NewReplacer(".", "", ",", "").Replace(whole)
	if len(fraction) > digits {
		fraction = fraction[:digits]
	}
	units, ok := new(big.Int).SetString(whole+fraction+strings.Repeat("0", digits-len(fraction)), 10)
	if !ok || !units.IsInt64() || units.Int64() < 1 || units.Int64() > domain.MaxAmount {
		return 0, false
	}
	return units.Int64(), true
}

// manySeparators: the last one occurs before, so it parts thousands.
func manySeparators(number string, at int) bool {
	return strings.IndexByte(number[:at], number[at]) >= 0
}
