package main

import (
	"context"
	"errors"
	"time"

	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/projections"
	"github.com/prometheus/client_golang/prometheus"
)

// appendMetrics is what appends to the event streams took.
type appendMetrics struct {
	seconds   *prometheus.HistogramVec
	conflicts *prometheus.CounterVec
	failures  *prometheus.CounterVec
}

func newAppendMetrics(r prometheus.Registerer) *appendMetrics {
	m := &appendMetrics{
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "admitone_append_seconds", Help: "Time from an append to its acknowledgement by the broker.",
			Buckets: prometheus.ExponentialBuckets(0.00005, 2, 18),
		}, []string{"stream"}),
		conflicts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "admitone_append_conflicts_total", Help: "Appends refused because another writer was first.",
		}, []string{"stream"}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "admitone_append_failures_total", Help: "Appends that failed for any other reason.",
		}, []string{"stream"}),
	}
	r.MustRegister(m.seconds, m.conflicts, m.failures)
	for _, c := range contexts() { // what has not happened yet is 0, not absent
		m.seconds.WithLabelValues(c.stream)
		m.conflicts.WithLabelValues(c.stream)
		m.failures.WithLabelValues(c.stream)
	}
	return m
}

func (m *appendMetrics) observe(o eventstore.AppendObservation) {
	m.seconds.WithLabelValues(o.Stream).Observe(o.Duration.Seconds())
	switch {
	case o.Err == nil:
	case errors.Is(o.Err, eventstore.ErrConflict):
		m.conflicts.WithLabelValues(o.Stream).Inc()
	default:
		m.failures.WithLabelValues(o.Stream).Inc()
	}
}

// projectionMetrics reads the state of all projections when it is scraped.
type projectionMetrics struct{ work *workforce }

// projectionMetric is one figure of a projection.
type projectionMetric struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(projections.Status) float64
}

func metric(name, help string, kind prometheus.ValueType, value func(projections.Status) float64) projectionMetric {
	return projectionMetric{prometheus.NewDesc("admitone_projection_"+name, help, []string{"projection"}, nil), kind, value}
}

func projectionMetricList() []projectionMetric {
	const counter, gauge = prometheus.CounterValue, prometheus.GaugeValue
	count := func(get func(projections.Counters) uint64) func(projections.Status) float64 {
		return func(s projections.Status) float64 { return float64(get(s.Counters)) }
	}
	return []projectionMetric{
		metric("lag_events", "Events stored and not written to the rows yet.", gauge, func(s projections.Status) float64 { return float64(s.LagEvents) }),
		metric("lag_seconds", "Age of the oldest of them.", gauge, func(s projections.Status) float64 { return s.Lag.Seconds() }),
		metric("parked", "Aggregates that the projection has stopped at.", gauge, func(s projections.Status) float64 { return float64(s.Parked) }),
		metric("stalled", "1 while the projection cannot go on.", gauge, func(s projections.Status) float64 {
			if s.Status == projections.StatusStalled {
				return 1
			}
			return 0
		}),
		metric("generation", "The generation that is live.", gauge, func(s projections.Status) float64 { return float64(s.Generation) }),
		metric("admitted_total", "Events let through the gate.", counter, count(func(c projections.Counters) uint64 { return c.Admitted })),
		metric("duplicates_total", "Deliveries of what was written already.", counter, count(func(c projections.Counters) uint64 { return c.Duplicates })),
		metric("gaps_total", "Deliveries beyond the next version.", counter, count(func(c projections.Counters) uint64 { return c.Gaps })),
		metric("nacks_total", "Deliveries given back to the broker.", counter, count(func(c projections.Counters) uint64 { return c.Nacks })),
		metric("healed_total", "Events admitted by reading the stream.", counter, count(func(c projections.Counters) uint64 { return c.Healed })),
		metric("parkings_total", "Times an aggregate was parked.", counter, count(func(c projections.Counters) uint64 { return c.Parkings })),
	}
}

// Describe sends nothing: the figures are known when they are collected.
func (m *projectionMetrics) Describe(chan<- *prometheus.Desc) {}

// scrapeTimeout bounds what a scrape asks of the broker.
const scrapeTimeout = 3 * time.Second

// Collect asks for the state of all projections.
func (m *projectionMetrics) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	list, err := m.work.status(ctx)
	if err != nil {
		out <- prometheus.NewInvalidMetric(prometheus.NewDesc("admitone_projection_lag_events", "Events stored and not written to the rows yet.", nil, nil), err)
		return
	}
	flushed := prometheus.NewDesc("admitone_projection_flush_events", "Events folded into each flush.", []string{"projection"}, nil)
	for _, s := range list {
		for _, m := range projectionMetricList() {
			out <- prometheus.MustNewConstMetric(m.desc, m.kind, m.value(s), s.Name)
		}
		out <- prometheus.MustNewConstSummary(flushed, s.Counters.Flushes, float64(s.Counters.Flushed), nil, s.Name)
	}
}
