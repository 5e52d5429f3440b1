package main

import (
	"context"

	"github.com/admitone/admitone/processes"
	"github.com/prometheus/client_golang/prometheus"
)

// processMetrics reads the state of all processes when it is scraped.
type processMetrics struct{ work *workforce }

// processMetric is one figure of a process.
type processMetric struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(processes.Status) float64
}

func processMetricList() []processMetric {
	one := func(name, help string, kind prometheus.ValueType, value func(processes.Status) float64) processMetric {
		return processMetric{prometheus.NewDesc("admitone_process_"+name, help, []string{"process"}, nil), kind, value}
	}
	const counter, gauge = prometheus.CounterValue, prometheus.GaugeValue
	return []processMetric{
		one("lag_events", "Events stored and not reacted to yet.", gauge, func(s processes.Status) float64 { return float64(s.LagEvents) }),
		one("lag_seconds", "Age of the oldest of them.", gauge, func(s processes.Status) float64 { return s.Lag.Seconds() }),
		one("parked", "Aggregates that the process has stopped at.", gauge, func(s processes.Status) float64 { return float64(s.Parked) }),
		one("handled_total", "Events and timers reacted to.", counter, func(s processes.Status) float64 { return float64(s.Handled) }),
		one("retries_total", "Attempts that had to be made again.", counter, func(s processes.Status) float64 { return float64(s.Retries) }),
	}
}

// Describe sends nothing: the figures are known when they are collected.
func (m *processMetrics) Describe(chan<- *prometheus.Desc) {}

// Collect asks for the state of all processes.
func (m *processMetrics) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	list, err := m.work.processStatus(ctx)
	if err != nil {
		out <- prometheus.NewInvalidMetric(prometheus.NewDesc("admitone_process_lag_events", "Events stored and not reacted to yet.", nil, nil), err)
		return
	}
	for _, s := range list {
		for _, one := range processMetricList() {
			out <- prometheus.MustNewConstMetric(one.desc, one.kind, one.value(s), s.Name)
		}
	}
}
