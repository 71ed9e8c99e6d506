package node

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics are the node's figures for Prometheus. docs/api.md describes each.
type metrics struct {
	registry  *prometheus.Registry
	requests  *prometheus.CounterVec
	seconds   *prometheus.HistogramVec
	replans   *prometheus.CounterVec
	sentBytes *prometheus.CounterVec
	gotBytes  *prometheus.CounterVec
	sendFails *prometheus.CounterVec
	replaced  prometheus.Counter
}

func newMetrics(n *Node) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "cleave_requests_total", Help: "Inferences entered at this node, by model and outcome (ok, failed).",
		}, []string{"model", "outcome"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "cleave_request_seconds", Help: "Time of successful inferences entered at this node.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 16),
		}, []string{"model"}),
		replans: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "cleave_replans_total", Help: "Plans of the rest that were made while a request was under way.",
		}, []string{"model"}),
		sentBytes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "cleave_edge_sent_bytes_total", Help: "Bytes of boundary values sent, by receiving node.",
		}, []string{"to"}),
		gotBytes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "cleave_edge_received_bytes_total", Help: "Bytes of boundary values received, by sending node.",
		}, []string{"from"}),
		sendFails: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "cleave_edge_failures_total", Help: "Boundary values that could not be sent, by receiving node.",
		}, []string{"to"}),
		replaced: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "cleave_plan_changes_total", Help: "Plans in force that the control loop replaced.",
		}),
	}
	m.registry.MustRegister(m.requests, m.seconds, m.replans, m.sentBytes, m.gotBytes, m.sendFails, m.replaced,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "cleave_requests_active", Help: "Inferences entered at this node that are under way.",
		}, func() float64 { return float64(n.runs.active()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "cleave_compute_load", Help: "Share of the last seconds in which this node computed a stage.",
		}, func() float64 { return n.host.Load() }),
		pathCollector{n},
	)
	return m
}

func (m *metrics) finished(model string, millis float64, replans int, err error) {
	outcome := "ok"
	if err != nil {
		outcome = "failed"
	} else {
		m.seconds.WithLabelValues(model).Observe(millis / 1e3)
	}
	m.requests.WithLabelValues(model, outcome).Inc()
	m.replans.WithLabelValues(model).Add(float64(replans))
}

func (m *metrics) sent(to string, n int64, err error) {
	m.sentBytes.WithLabelValues(to).Add(float64(n))
	if err != nil {
		m.sendFails.WithLabelValues(to).Inc()
	}
}

func (m *metrics) received(from string, n int64) {
	m.gotBytes.WithLabelValues(from).Add(float64(n))
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// pathCollector reports the measured paths from this node at the moment of the scrape.
type pathCollector struct{ n *Node }

var (
	pathRTT = prometheus.NewDesc("cleave_path_rtt_seconds", "Least round-trip time of the last seconds.", []string{"to"}, nil)
	pathBPS = prometheus.NewDesc("cleave_path_goodput_bytes_per_second", "Measured goodput towards a node.", []string{"to"}, nil)
	pathOff = prometheus.NewDesc("cleave_path_loss_ratio", "Share of packets lost lately.", []string{"to"}, nil)
	pathVia = prometheus.NewDesc("cleave_path_relayed", "1 when packets go through a relay.", []string{"to"}, nil)
	members = prometheus.NewDesc("cleave_members", "Members of the mesh, by state.", []string{"state"}, nil)
)

func (pathCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- pathRTT
	ch <- pathBPS
	ch <- pathOff
	ch <- pathVia
	ch <- members
}

func (c pathCollector) Collect(ch chan<- prometheus.Metric) {
	if c.n.peers == nil {
		return
	}
	seen := map[string]bool{}
	for _, st := range c.n.mesh.Paths() {
		to := c.n.nodeName(st.Peer)
		if !st.Connected || seen[to] {
			continue
		}
		seen[to] = true
		relayed := 0.0
		if st.Relayed {
			relayed = 1
		}
		ch <- prometheus.MustNewConstMetric(pathRTT, prometheus.GaugeValue, rttOf(st).Seconds(), to)
		ch <- prometheus.MustNewConstMetric(pathBPS, prometheus.GaugeValue, st.Goodput, to)
		ch <- prometheus.MustNewConstMetric(pathOff, prometheus.GaugeValue, st.Loss, to)
		ch <- prometheus.MustNewConstMetric(pathVia, prometheus.GaugeValue, relayed, to)
	}
	states := map[string]int{}
	for _, d := range c.n.peers.nodeDocuments() {
		states[d.State]++
	}
	for state, k := range states {
		ch <- prometheus.MustNewConstMetric(members, prometheus.GaugeValue, float64(k), state)
	}
}
