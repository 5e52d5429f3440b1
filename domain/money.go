package domain

import (
	"fmt"
	"strings"
)

// MaxAmount is the largest amount of money that a command may name, in minor
// units. It keeps sums of many amounts far away from the end of int64.
const MaxAmount int64 = 1_000_000_000_000

// Refusals of money.
var (
	ErrAmount   = &Refusal{Kind: Invalid, Code: "invalid_amount", Detail: fmt.Sprintf("the amount must be from 1 to %d minor units", MaxAmount)}
	ErrCurrency = &Refusal{Kind: Invalid, Code: "invalid_currency", Detail: "the currency must be a code of ISO 4217 in capital letters, such as EUR"}
)

// Money is an amount in minor units (cents) of a currency of ISO 4217.
type Money struct {
	Amount   int64  `json:"amount"`
	Currency string `json:"currency"`
}

// Validate refuses an amount that is no price and a currency that does not
// exist: ErrAmount or ErrCurrency, at the JSON pointer of the money in its command.
func (m Money) Validate(pointer string) error {
	if m.Amount < 1 || m.Amount > MaxAmount {
		return ErrAmount.At(pointer + "/amount")
	}
	if !isCurrency(m.Currency) {
		return ErrCurrency.At(pointer + "/currency")
	}
	return nil
}

func (m Money) String() string { return fmt.Sprintf("%d %s", m.Amount, m.Currency) }

// Currencies lists the codes that money may have, in the order of the alphabet.
func Currencies() []string { return strings.Fields(currencies) }

func isCurrency(code string) bool {
	return len(code) == 3 && !strings.Contains(code, " ") && strings.Contains(currencies, code)
}

// currencies is what ISO 4217 lists as money in use, by the amendments up to
// January 2026; without its codes for funds, metals and tests, which no ticket is
// sold for.
const currencies = "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD " +
	"CAD CDF CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF " +
	"GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP " +
	"LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB " +
	"PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL " +
	"THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VED VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR " +
	"ZMW ZWG"
