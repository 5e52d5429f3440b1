package bot

import (
	"testing"

	"github.com/admitone/admitone/domain"
	"github.com/stretchr/testify/require"
)

func TestLimits(t *testing.T) {
	t.Parallel()
	for said, want := range map[string]domain.Money{
		"anything below 30 euros?":                     {Amount: 2999, Currency: "EUR"},
		"under €30":                                    {Amount: 2999, Currency: "EUR"},
		"under 30€ please":                             {Amount: 2999, Currency: "EUR"},
		"less than 30.50 EUR":                          {Amount: 3049, Currency: "EUR"},
		"up to 30,50 euro":                             {Amount: 3050, Currency: "EUR"},
		"at most 30":                                   {Amount: 3000, Currency: "EUR"},
		"not more than about 40 dollars":               {Amount: 4000, Currency: "USD"},
		"max $1,234.5":                                 {Amount: 123450, Currency: "USD"},
		"below 1.200 euros":                            {Amount: 119999, Currency: "EUR"},
		"cheaper than 5,000 yen":                       {Amount: 4999, Currency: "JPY"},
		"up to 1.250 KWD":                              {Amount: 1250, Currency: "KWD"},
		"up to usd 20":                                 {Amount: 2000, Currency: "USD"},
		"up to usd20":                                  {Amount: 2000, Currency: "USD"},
		"what can I get for 15 pounds":                 {Amount: 1500, Currency: "GBP"},
		"2 tickets under 30 euros":                     {Amount: 2999, Currency: "EUR"},
		"tickets for 2 people for 20 chf":              {Amount: 2000, Currency: "CHF"},
		"under 30 for 2 people":                        {Amount: 2999, Currency: "EUR"},
		"my budget is 60":                              {Amount: 6000, Currency: "EUR"},
		"what is for sale?":                            {},
		"any tickets for tonight, 2 people":            {},
		"anything above 30 euros":                      {},
		"under 99999999999999999999999999":             {},
		"under 0 euros":                                {},
		"under 0.01 euros":                             {Amount: 1, Currency: "EUR"},
		"show me all 30 tickets":                       {},
		"under ٣٠ euros":                               {},
		"up to 1.2.3 euros":                            {},
		"below 01900000-0000-7000-8000-000000000001 €": {},
	} {
		require.Equal(t, want, pricesIn(words(said)).most, said)
	}
}

func TestAmounts(t *testing.T) {
	t.Parallel()
	for want, m := range map[string]domain.Money{
		"25.00 EUR": {Amount: 2500, Currency: "EUR"}, "0.05 USD": {Amount: 5, Currency: "USD"}, "2500 JPY": {Amount: 2500, Currency: "JPY"},
		"2.500 KWD": {Amount: 2500, Currency: "KWD"}, "0.001 BHD": {Amount: 1, Currency: "BHD"}, "10000000000.00 CHF": {Amount: domain.MaxAmount, Currency: "CHF"},
	} {
		require.Equal(t, want, amount(m))
	}
}
