//! What is measured, in Prometheus' text format. Labels are closed sets: never a token, a tenant,
//! a job or what a client wrote.

use std::time::Duration;

use prometheus::core::Collector;
use prometheus::{
    GaugeVec, HistogramOpts, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    TextEncoder,
};
use queue::Lane;
use queue::view::{LaneSnapshot, Snapshot, Totals};

use crate::callback::Fate;
use crate::problem::Kind;

/// From an answer out of memory to the longest wait.
const SECONDS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0];

/// All metrics of the service.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    scrape: tokio::sync::Mutex<()>,
    latency: HistogramVec,
    in_flight: IntGauge,
    connections: IntGauge,
    bodies: IntGauge,
    received: IntCounterVec,
    rejected: IntCounterVec,
    callback_attempts: IntCounterVec,
    callbacks: IntCounterVec,
    queue: QueueMetrics,
}

/// One of the numbers that the queue counts.
type Total = fn(&Totals) -> u64;

/// Of the queue; the same from every process that tells of it.
#[derive(Debug)]
struct QueueMetrics {
    depth: IntGaugeVec,
    oldest: GaugeVec,
    backlog: GaugeVec,
    running: IntGauge,
    delayed: IntGauge,
    dead_letters: IntGauge,
    workers: IntGauge,
    up: IntGauge,
    totals: [(IntCounterVec, Total); 11],
}

/// Registers metrics. A name that is wrong or taken is a slip of ours, found by any test.
struct Maker(Registry);

impl Maker {
    fn add<M: Collector + Clone + 'static>(&self, made: prometheus::Result<M>) -> M {
        let metric = made.expect("names and labels are constants");
        self.0.register(Box::new(metric.clone())).expect("no name is taken twice");
        metric
    }

    fn gauge(&self, name: &str, help: &str) -> IntGauge {
        self.add(IntGauge::new(name, help))
    }

    fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
        self.add(IntGaugeVec::new(Opts::new(name, help), labels))
    }

    fn reals(&self, name: &str, help: &str) -> GaugeVec {
        self.add(GaugeVec::new(Opts::new(name, help), &["lane"]))
    }

    fn counts(&self, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
        self.add(IntCounterVec::new(Opts::new(name, help), labels))
    }
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let m = Maker(Registry::new());
        let build = m.gauges("evalx_build_info", "What runs; always 1.", &["version", "revision"]);
        let revision = option_env!("EVALX_REVISION").unwrap_or("unknown");
        build.with_label_values(&[env!("CARGO_PKG_VERSION"), revision]).set(1);
        let latency = HistogramOpts::new(
            "evalx_request_latency_seconds",
            "From a request's head to its answer's head, by route; of a held answer with the wait.",
        );
        let labels = ["route", "method", "status"];
        let metrics = Self {
            latency: m.add(HistogramVec::new(latency.buckets(SECONDS.to_vec()), &labels)),
            in_flight: m.gauge("evalx_requests_in_flight", "Requests without an answer yet."),
            connections: m.gauge("evalx_connections", "Open connections."),
            bodies: m.gauge("evalx_request_body_bytes", "Memory for bodies of requests."),
            received: m.counts(
                "evalx_submissions_received_total",
                "Submissions that were put on the queue, by API.",
                &["api"],
            ),
            rejected: m.counts(
                "evalx_requests_rejected_total",
                "Requests that were turned down, by reason.",
                &["reason"],
            ),
            callback_attempts: m.counts(
                "evalx_callback_attempts_total",
                "Attempts to tell a client that a submission is over, by outcome.",
                &["outcome"],
            ),
            callbacks: m.counts(
                "evalx_callbacks_total",
                "Callbacks that will not be tried again, by how they ended.",
                &["end"],
            ),
            queue: QueueMetrics::new(&m),
            registry: m.0,
            scrape: tokio::sync::Mutex::default(),
        };
        // A rate over a series that begins with its first failure would not see that one.
        for fate in Fate::ALL {
            metrics.callback_attempts.with_label_values(&[fate.as_str()]);
        }
        for end in ["delivered", "gone", "given_up"] {
            metrics.callbacks.with_label_values(&[end]);
        }
        for kind in Kind::ALL {
            metrics.rejected.with_label_values(&[kind.name()]);
        }
        for api in ["v1", "judge0"] {
            metrics.received.with_label_values(&[api]);
        }
        metrics
    }

    /// A callback was tried.
    pub(crate) fn callback_tried(&self, fate: Fate) {
        self.callback_attempts.with_label_values(&[fate.as_str()]).inc();
    }

    /// A callback will not be tried again.
    pub(crate) fn callback_ended(&self, end: &'static str) {
        self.callbacks.with_label_values(&[end]).inc();
    }

    /// A request begins.
    pub(crate) fn begun(&self) {
        self.in_flight.inc();
    }

    /// Its answer begins, or nobody waits for it any more.
    pub(crate) fn ended(&self) {
        self.in_flight.dec();
    }

    /// A request was answered.
    pub(crate) fn answered(&self, route: &str, method: &str, status: u16, took: Duration) {
        let status = match status {
            200..300 => "2xx",
            300..400 => "3xx",
            400..500 => "4xx",
            _ => "5xx",
        };
        let labels = [route, method, status];
        self.latency.with_label_values(&labels).observe(took.as_secs_f64());
    }

    /// A request was turned down.
    pub(crate) fn rejected(&self, reason: &'static str) {
        self.rejected.with_label_values(&[reason]).inc();
    }

    /// Submissions were put on the queue.
    pub(crate) fn received(&self, api: &'static str, count: usize) {
        self.received.with_label_values(&[api]).inc_by(count as u64);
    }

    /// How many connections there are.
    pub(crate) fn connections(&self, count: usize) {
        self.connections.set(int(count));
    }

    /// How many bytes bodies of requests take.
    pub(crate) fn bodies(&self, bytes: usize) {
        self.bodies.set(int(bytes));
    }

    /// Held from asking the queue to the text: of two scrapes at once the one with the older answer
    /// could be the later one, and totals would fall, to Prometheus a restart.
    pub(crate) async fn turn(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.scrape.lock().await
    }

    /// What is in the queue; `None` when it gives no answer.
    pub(crate) fn snapshot(&self, snapshot: Option<&Snapshot>) {
        self.queue.up.set(i64::from(snapshot.is_some()));
        if let Some(snapshot) = snapshot {
            self.queue.set(snapshot);
        }
    }

    /// Where they are.
    pub(crate) fn registry(&self) -> Registry {
        self.registry.clone()
    }

    /// Everything as text.
    pub(crate) fn text(&self) -> String {
        let encoded = TextEncoder::new().encode_to_string(&self.registry.gather());
        encoded.expect("writing to a string does not fail")
    }
}

impl QueueMetrics {
    fn new(m: &Maker) -> Self {
        // Without labels, and not there before the queue has told: a 0 and then what was counted
        // before this process is an increase, to Prometheus.
        let total = |name: &str, help: &str, of: Total| (m.counts(name, help, &[]), of);
        Self {
            depth: m.gauges("evalx_queue_depth", "Jobs that could be claimed.", &["lane"]),
            oldest: m.reals(
                "evalx_queue_oldest_age_seconds",
                "How long the oldest waiting job has waited; 0 when none waits.",
            ),
            backlog: m.reals(
                "evalx_queue_backlog_cost_seconds",
                "What the waiting jobs will cost together, by their estimates.",
            ),
            running: m.gauge("evalx_queue_running_jobs", "Jobs that run anywhere."),
            delayed: m.gauge("evalx_queue_delayed_jobs", "Jobs that wait for another attempt."),
            dead_letters: m.gauge("evalx_queue_dead_letters", "Dead letters that are kept."),
            workers: m.gauge("evalx_queue_workers", "Workers that the queue takes for alive."),
            up: m.gauge("evalx_queue_up", "Whether the queue answered the last operation."),
            totals: [
                total("evalx_queue_enqueued_total", "Jobs added, ever.", |t| t.enqueued),
                total("evalx_queue_claimed_total", "Leases given, ever.", |t| t.claimed),
                total("evalx_queue_finished_total", "Jobs with a result, ever.", |t| t.finished),
                total("evalx_queue_dead_total", "Jobs given up, ever.", |t| t.dead),
                total("evalx_queue_cancelled_total", "Jobs called off, ever.", |t| t.cancelled),
                total("evalx_queue_retried_total", "Leases ended for a retry, ever.", |t| {
                    t.retried
                }),
                total("evalx_queue_returned_total", "Leases handed back, ever.", |t| t.returned),
                total(
                    "evalx_lease_expirations_total",
                    "Leases taken from dead or hanging workers, ever.",
                    |t| t.expired,
                ),
                total(
                    "evalx_queue_recovered_total",
                    "Leases that their living worker did not know, ever.",
                    |t| t.forgotten,
                ),
                total(
                    "evalx_queue_stale_results_total",
                    "Results that came after their lease, ever.",
                    |t| t.stale,
                ),
                total("evalx_queue_audit_repairs_total", "Repairs by audits, ever.", |t| t.repairs),
            ],
        }
    }

    fn set(&self, snapshot: &Snapshot) {
        let Snapshot { lanes, running, delayed, dead, workers, totals } = snapshot;
        for (lane, LaneSnapshot { depth, backlog, oldest }) in Lane::ALL.iter().zip(lanes) {
            let label = [lane.as_str()];
            self.depth.with_label_values(&label).set(int(*depth));
            self.backlog.with_label_values(&label).set(backlog.as_secs_f64());
            self.oldest.with_label_values(&label).set(oldest.unwrap_or_default().as_secs_f64());
        }
        self.running.set(int(*running));
        self.delayed.set(int(*delayed));
        self.dead_letters.set(int(*dead));
        self.workers.set(int(*workers));
        for (counter, of) in &self.totals {
            let (counter, now) = (counter.with_label_values::<&str>(&[]), of(totals));
            // The queue counts; a smaller number is another queue, and to Prometheus a restart.
            if now < counter.get() {
                counter.reset();
            }
            counter.inc_by(now - counter.get());
        }
    }
}

fn int(n: impl TryInto<i64>) -> i64 {
    n.try_into().unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_has_our_prefix_and_each_metric_a_sentence() {
        let metrics = Metrics::new();
        assert!(!metrics.text().contains("evalx_queue_dead_total"), "the queue has told nothing");
        metrics.snapshot(Some(&Snapshot::default()));
        assert!(metrics.text().contains("evalx_queue_dead_total 0\n"));
        metrics.answered("/healthz", "GET", 200, Duration::from_millis(3));
        for family in metrics.registry.gather() {
            assert!(family.name().starts_with("evalx_"), "{}", family.name());
            assert!(family.help().ends_with('.'), "{}", family.name());
        }
        assert!(metrics.text().contains("evalx_queue_depth{lane=\"normal\"} 0\n"));
    }
}
