package main

import (
	"context"
	"regexp"
	"time"

	"github.com/admitone/admitone/bench/lab"
	"github.com/admitone/admitone/bench/report"
)

// measurement is what fills one row, or several that one load gives together.
type measurement struct {
	rows  []spec
	limit time.Duration // of all rounds together; beyond it the rows fail
	cql   bool          // needs a CQL server
	long  bool          // only when asked for; one round takes minutes, so none is for warming up
	// open makes what all rounds share, in a lab that stays open until the end.
	open func(context.Context, *lab.Lab) (ours, raw side, err error)
}

// spec is a row before it is measured.
type spec struct {
	name, unit, against string // against says what raw is
	better              string
	bar                 float64 // 0: reported only
}

// side measures one side of one round, in a lab of its own: a value for each row.
type side func(context.Context, *lab.Lab) ([]float64, error)

// each is the open of a measurement whose rounds share nothing.
func each(ours, raw side) func(context.Context, *lab.Lab) (side, side, error) {
	return func(context.Context, *lab.Lab) (side, side, error) { return ours, raw, nil }
}

// one is a side with one value.
func one(value float64, err error) ([]float64, error) { return []float64{value}, err }

// plan is every measurement, in the order of the table.
func plan() []measurement {
	var all []measurement
	all = append(all, appends()...)
	all = append(all, cached()...)
	all = append(all, live()...)
	all = append(all, rebuilds()...)
	all = append(all, tickets()...)
	all = append(all, audits()...)
	all = append(all, answers()...)
	all = append(all, visible()...)
	all = append(all, verify(), heap())
	return all
}

// names of all rows of all measurements.
func names(all []measurement) []string {
	var list []string
	for _, m := range all {
		for _, s := range m.rows {
			list = append(list, s.name)
		}
	}
	return list
}

// matches: the filter finds one of the rows.
func (m measurement) matches(filter *regexp.Regexp) bool {
	for _, s := range m.rows {
		if filter.MatchString(s.name) {
			return true
		}
	}
	return false
}

func rate(name, against string, bar float64) spec {
	return spec{name: name, unit: "events/s", against: against, better: report.Higher, bar: bar}
}

func rows(name, against string, bar float64) spec {
	return spec{name: name, unit: "rows/s", against: against, better: report.Higher, bar: bar}
}

func latency(name, against string, bar float64) spec {
	return spec{name: name, unit: "ms", against: against, better: report.Lower, bar: bar}
}
