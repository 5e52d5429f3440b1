// Package report holds what the benchmarks measured: rows, their medians and
// spread, the file that they are kept in, and the table for a reader.
package report

import (
	"slices"
	"time"
)

// What is good in a row.
const (
	Higher = "higher"
	Lower  = "lower"
)

// Row is one figure beside the same figure of the raw parts, medians over rounds.
type Row struct {
	Name   string    `json:"name"`
	At     time.Time `json:"at,omitzero"` // when it was measured
	Ours   float64   `json:"ours"`
	Raw    float64   `json:"raw"`
	Ratio  float64   `json:"ratio"`  // median of the rounds' ours ÷ raw
	Bar    float64   `json:"bar"`    // what the ratio should reach, or stay below; 0: reported only
	Better string    `json:"better"` // Higher or Lower
	Unit   string    `json:"unit"`   // of Ours and Raw
	Server string    `json:"server"`
	Spread float64   `json:"spread"` // of the ratio: (largest − smallest) ÷ median
}

// Measured fills a row with its rounds: ours[i] and raw[i] are of one round.
func (r Row) Measured(ours, raw []float64) Row {
	ratios := make([]float64, len(ours))
	for i := range ours {
		ratios[i] = quotient(ours[i], raw[i])
	}
	r.Ours, r.Raw, r.Ratio = Median(ours), Median(raw), Median(ratios)
	r.Spread = quotient(slices.Max(ratios)-slices.Min(ratios), r.Ratio)
	return r
}

// Verdict is "ok" or "below" (the bar), "above" where lower is better, and empty
// where there is no bar.
func (r Row) Verdict() string {
	switch {
	case r.Bar == 0:
		return ""
	case r.Better == Higher && r.Ratio < r.Bar:
		return "below"
	case r.Better == Lower && r.Ratio > r.Bar:
		return "above"
	}
	return "ok"
}

// Median of at least one value.
func Median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	mid := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[mid]
	}
	return (sorted[mid-1] + sorted[mid]) / 2
}

// quotient is 0 where there is nothing to divide by: JSON has no infinity.
func quotient(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}
