//! What is measured, in Prometheus' text format. Labels are closed sets: never a job, a tenant, a
//! token or a place.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use judge::model::Report;
use prometheus::proto::MetricFamily;
use prometheus::{
    Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry, TextEncoder,
};
use queue::redis::{Danger, Server};
use queue::view::{LaneSnapshot, Snapshot, Totals};
use queue::{Lane, Outcome, Settled};

use crate::judging::Phase;
use crate::slots::Sizing;

/// From the shortest box to the longest wait that anybody sits through.
const SECONDS: [f64; 14] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0, 60.0];
/// 1 MiB to 8 GiB.
const BYTES: [f64; 14] = [
    1_048_576.0,
    2_097_152.0,
    4_194_304.0,
    8_388_608.0,
    16_777_216.0,
    33_554_432.0,
    67_108_864.0,
    134_217_728.0,
    268_435_456.0,
    536_870_912.0,
    1_073_741_824.0,
    2_147_483_648.0,
    4_294_967_296.0,
    8_589_934_592.0,
];

/// What a second run gives: the verdict of the first, another one, or, where there was no quiet moment
/// for it, nothing.
const DOUBTS: [&str; 3] = ["confirmed", "changed", "unsettled"];

/// All metrics of a worker.
#[derive(Debug)]
pub(crate) struct Metrics {
    /// Of this worker.
    own: Registry,
    /// What every process tells that knows the queue.
    common: Registry,
    scrape: tokio::sync::Mutex<()>,
    queue: QueueMetrics,
    judging: JudgingMetrics,
    /// Boxes by state.
    slots: IntGaugeVec,
    desired: IntGauge,
    effective: IntGauge,
    jobs: IntGaugeVec,
    heartbeat: Gauge,
    settled: IntCounterVec,
    withdrawn: IntCounterVec,
    errors: IntCounterVec,
    slots_file_errors: IntCounter,
    redis: HistogramVec,
}

/// A counter that the queue keeps, and where it is in its totals.
type Total = (IntCounterVec, fn(&Totals) -> u64);

/// Of the queue; the same from every worker of it.
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
    durability: IntGaugeVec,
    danger: IntGaugeVec,
    totals: [Total; 11],
}

/// Of what this worker judged.
#[derive(Debug)]
struct JudgingMetrics {
    wait: HistogramVec,
    turnaround: Histogram,
    finished: IntCounterVec,
    duration: HistogramVec,
    cpu: HistogramVec,
    memory: HistogramVec,
    overhead: Histogram,
    doubts: IntCounterVec,
    cache: IntCounterVec,
    sandbox_errors: IntCounterVec,
}

/// Registers metrics one by one. A name that is wrong or taken is a slip of ours, found by any test.
struct Maker(Registry);

impl Maker {
    fn add<M: prometheus::core::Collector + Clone + 'static>(
        &self,
        made: prometheus::Result<M>,
    ) -> M {
        let metric = made.expect("names and labels are constants");
        self.0.register(Box::new(metric.clone())).expect("no name is taken twice");
        metric
    }

    fn count(&self, name: &str, help: &str) -> IntCounter {
        self.add(IntCounter::new(name, help))
    }

    fn counts(&self, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
        self.add(IntCounterVec::new(Opts::new(name, help), labels))
    }

    fn gauge(&self, name: &str, help: &str) -> IntGauge {
        self.add(IntGauge::new(name, help))
    }

    fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
        self.add(IntGaugeVec::new(Opts::new(name, help), labels))
    }

    fn reals(&self, name: &str, help: &str, labels: &[&str]) -> GaugeVec {
        self.add(GaugeVec::new(Opts::new(name, help), labels))
    }

    fn times(&self, name: &str, help: &str, labels: &[&str]) -> HistogramVec {
        let opts = HistogramOpts::new(name, help).buckets(SECONDS.to_vec());
        self.add(HistogramVec::new(opts, labels))
    }

    fn time(&self, name: &str, help: &str) -> Histogram {
        let opts = HistogramOpts::new(name, help).buckets(SECONDS.to_vec());
        self.add(Histogram::with_opts(opts))
    }
}

impl Metrics {
    /// All at zero.
    pub(crate) fn new() -> Self {
        let (m, common) = (Maker(Registry::new()), Maker(Registry::new()));
        let build =
            common.gauges("evalx_build_info", "What runs; always 1.", &["version", "revision"]);
        let revision = option_env!("EVALX_REVISION").unwrap_or("unknown");
        build.with_label_values(&[env!("CARGO_PKG_VERSION"), revision]).set(1);
        let metrics = Self {
            queue: QueueMetrics::new(&common),
            judging: JudgingMetrics::new(&m),
            slots: m.gauges("evalx_worker_slots", "Boxes that may run, by state.", &["state"]),
            desired: m.gauge("evalx_worker_slots_desired", "Slots that were asked for."),
            effective: m.gauge("evalx_worker_slots_effective", "Slots there are; 0 means drained."),
            jobs: m.gauges("evalx_worker_jobs", "Jobs this worker holds, by state.", &["state"]),
            heartbeat: m.add(Gauge::new(
                "evalx_worker_last_heartbeat_timestamp_seconds",
                "When the queue answered a heartbeat last.",
            )),
            settled: m.counts(
                "evalx_worker_completions_total",
                "Leases ended by this worker, by how and by what the queue said.",
                &["outcome", "answer"],
            ),
            withdrawn: m.counts(
                "evalx_worker_withdrawn_total",
                "Running jobs that were stopped, by why.",
                &["reason"],
            ),
            errors: m.counts(
                "evalx_internal_errors_total",
                "Failings of our own, by component.",
                &["component"],
            ),
            slots_file_errors: m.count(
                "evalx_worker_slots_file_errors_total",
                "Times the slots file could not be used; the last good value stays.",
            ),
            redis: m.times(
                "evalx_redis_command_duration_seconds",
                "Time to an answer of the queue, by operation.",
                &["operation"],
            ),
            own: m.0,
            common: common.0,
            scrape: tokio::sync::Mutex::default(),
        };
        metrics.begin();
        metrics
    }

    /// A rate over a series that begins with its first failure would not see that one.
    fn begin(&self) {
        for phase in Phase::ALL {
            self.judging.sandbox_errors.with_label_values(&[phase.as_str()]);
        }
        for reason in ["revoked", "cancelled"] {
            self.withdrawn.with_label_values(&[reason]);
        }
        for outcome in DOUBTS {
            self.judging.doubts.with_label_values(&[outcome]);
        }
        self.errors.with_label_values(&["queue"]);
    }

    /// The slots as they are.
    pub(crate) fn sized(&self, sizing: Sizing, busy: usize) {
        let Sizing { desired, effective, source: _ } = sizing;
        self.desired.set(int(desired));
        self.effective.set(int(effective));
        self.slots.with_label_values(&["busy"]).set(int(busy));
        self.slots.with_label_values(&["idle"]).set(int(effective.saturating_sub(busy)));
    }

    /// Jobs that are held.
    pub(crate) fn jobs(&self, judging: usize, undelivered: usize) {
        self.jobs.with_label_values(&["judging"]).set(int(judging));
        self.jobs.with_label_values(&["undelivered"]).set(int(undelivered));
    }

    /// A heartbeat was answered.
    pub(crate) fn beat(&self) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.heartbeat.set(now.as_secs_f64());
    }

    /// The queue answered an operation, or did not.
    pub(crate) fn asked(&self, operation: &'static str, took: Duration, ok: bool) {
        self.redis.with_label_values(&[operation]).observe(took.as_secs_f64());
        self.queue.up.set(i64::from(ok));
        if !ok {
            self.errors.with_label_values(&["queue"]).inc();
        }
    }

    /// A job was claimed.
    pub(crate) fn claimed(&self, lane: Lane, waited: Duration) {
        self.judging.wait.with_label_values(&[lane.as_str()]).observe(waited.as_secs_f64());
    }

    /// A job was stopped.
    pub(crate) fn withdrawn(&self, reason: &'static str) {
        self.withdrawn.with_label_values(&[reason]).inc();
    }

    /// A lease has ended.
    pub(crate) fn settled(&self, outcome: &Outcome, settled: Settled) {
        let answer = match settled {
            Settled::Ok => "ok",
            Settled::Dup => "dup",
            Settled::Stale => "stale",
        };
        self.settled.with_label_values(&[outcome_name(outcome), answer]).inc();
    }

    /// A job's whole way is over.
    pub(crate) fn turned_around(&self, took: Duration) {
        self.judging.turnaround.observe(took.as_secs_f64());
    }

    /// We failed.
    pub(crate) fn failed(&self, phase: Phase) {
        self.judging.sandbox_errors.with_label_values(&[phase.as_str()]).inc();
    }

    /// The slots file is of no use.
    pub(crate) fn slots_file_error(&self) {
        self.slots_file_errors.inc();
    }

    /// A submission was judged.
    pub(crate) fn judged(&self, report: &Report) {
        self.judging.report(report);
    }

    /// What the server is, as found at the last connection.
    pub(crate) fn server(&self, server: &Server) {
        self.queue.durability.reset();
        self.queue.durability.with_label_values(&[server.loss.as_str()]).set(1);
        let has = |of: fn(&Danger) -> bool| i64::from(server.dangers.iter().any(of));
        let set = |kind: &str, value| self.queue.danger.with_label_values(&[kind]).set(value);
        set("evicts", has(|danger| matches!(danger, Danger::Evicts(_))));
        set("ignores-write-errors", has(|danger| matches!(danger, Danger::IgnoresWriteErrors)));
        set("cannot-write", has(|danger| matches!(danger, Danger::CannotWrite)));
    }

    /// Held from asking the queue to the text: of two scrapes at once the one with the older answer
    /// could be the later one, and totals would fall, to Prometheus a restart.
    pub(crate) async fn turn(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.scrape.lock().await
    }

    /// What is in the queue.
    pub(crate) fn snapshot(&self, snapshot: &Snapshot) {
        self.queue.set(snapshot);
    }

    /// Those of this worker, without what every process tells.
    pub(crate) fn own(&self) -> Vec<MetricFamily> {
        self.own.gather()
    }

    /// Everything as text.
    pub(crate) fn text(&self) -> String {
        let mut families = [self.common.gather(), self.own.gather()].concat();
        families.sort_by(|a, b| a.name().cmp(b.name()));
        let encoded = TextEncoder::new().encode_to_string(&families);
        encoded.expect("writing to a string does not fail")
    }
}

impl QueueMetrics {
    fn new(m: &Maker) -> Self {
        let lanes = ["lane"];
        // Without labels, and not there before the queue has told: a 0 and then what was counted
        // before this process is an increase, to Prometheus.
        let total =
            |name: &str, help: &str, of: fn(&Totals) -> u64| (m.counts(name, help, &[]), of);
        Self {
            depth: m.gauges("evalx_queue_depth", "Jobs that could be claimed.", &lanes),
            oldest: m.reals(
                "evalx_queue_oldest_age_seconds",
                "How long the oldest waiting job has waited; 0 when none waits.",
                &lanes,
            ),
            backlog: m.reals(
                "evalx_queue_backlog_cost_seconds",
                "What the waiting jobs will cost together, by their estimates.",
                &lanes,
            ),
            running: m.gauge("evalx_queue_running_jobs", "Jobs that run anywhere."),
            delayed: m.gauge("evalx_queue_delayed_jobs", "Jobs that wait for another attempt."),
            dead_letters: m.gauge("evalx_queue_dead_letters", "Dead letters that are kept."),
            workers: m.gauge("evalx_queue_workers", "Workers that the queue takes for alive."),
            up: m.gauge("evalx_queue_up", "Whether the queue answered the last operation."),
            durability: m.gauges(
                "evalx_redis_power_loss_info",
                "What a power cut could take from the server; always 1.",
                &["loss"],
            ),
            danger: m.gauges(
                "evalx_redis_danger",
                "Settings of the server that endanger the queue: 1 when set so.",
                &["kind"],
            ),
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

impl JudgingMetrics {
    fn new(m: &Maker) -> Self {
        let memory = HistogramOpts::new(
            "evalx_execution_memory_bytes",
            "Peak memory of a test's box, by language.",
        );
        Self {
            wait: m.times(
                "evalx_queue_wait_seconds",
                "From enqueueing to a worker, by lane.",
                &["lane"],
            ),
            turnaround: m.time(
                "evalx_turnaround_seconds",
                "From claim to the visible result, of jobs that ended here.",
            ),
            finished: m.counts(
                "evalx_submissions_finished_total",
                "Submissions judged here, by language and verdict.",
                &["language", "verdict"],
            ),
            duration: m.times(
                "evalx_execution_duration_seconds",
                "Clock time of a compilation, a run, a check.",
                &["stage", "language"],
            ),
            cpu: m.times(
                "evalx_execution_cpu_seconds",
                "CPU time of a test, by language.",
                &["language"],
            ),
            memory: m.add(HistogramVec::new(memory.buckets(BYTES.to_vec()), &["language"])),
            overhead: m.time(
                "evalx_overhead_seconds",
                "Clock time of a test in which neither program nor checker ran.",
            ),
            doubts: m.counts(
                "evalx_tests_in_doubt_total",
                "Tests that came near a limit while the machine took much from them, by what a second \
                 run gave.",
                &["outcome"],
            ),
            cache: m.counts(
                "evalx_compile_cache_requests_total",
                "Compilations asked for, by whether the program was there already.",
                &["result"],
            ),
            sandbox_errors: m.counts(
                "evalx_sandbox_errors_total",
                "Jobs that we failed at, by phase.",
                &["phase"],
            ),
        }
    }

    fn report(&self, report: &Report) {
        let language = report.language.as_str();
        self.finished.with_label_values(&[language, report.verdict.code()]).inc();
        let duration = |stage: &str, ms: f64| {
            self.duration.with_label_values(&[stage, language]).observe(ms / 1000.0);
        };
        if let Some(compile) = &report.compile {
            let result = if compile.cached { "hit" } else { "miss" };
            self.cache.with_label_values(&[result]).inc();
            duration("compile", report.times.compile_ms);
        }
        for test in
            report.tests.iter().filter(|test| test.verdict != judge::model::Verdict::Skipped)
        {
            duration("run", test.times.run_ms);
            duration("check", test.times.check_ms);
            self.overhead.observe(test.times.set_up_ms / 1000.0);
            self.cpu.with_label_values(&[language]).observe(test.cpu_ms / 1000.0);
            #[expect(clippy::cast_precision_loss, reason = "for a bucket it is exact enough")]
            self.memory.with_label_values(&[language]).observe(test.memory_bytes as f64);
            if let Some(again) = &test.again {
                let same = again.other.map(|other| other.verdict == test.verdict);
                let [confirmed, changed, unsettled] = DOUBTS;
                let outcome = same.map_or(unsettled, |same| if same { confirmed } else { changed });
                self.doubts.with_label_values(&[outcome]).inc();
            }
        }
    }
}

/// As in labels and logs.
pub(crate) fn outcome_name(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Finished { .. } => "finished",
        Outcome::Retry => "retry",
        Outcome::HandedBack => "handed-back",
        Outcome::Buried => "buried",
    }
}

fn int(n: impl TryInto<i64>) -> i64 {
    n.try_into().unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::judging::blank;

    #[test]
    fn each_name_has_our_prefix_and_each_metric_a_sentence() {
        let metrics = Metrics::new();
        metrics.snapshot(&Snapshot::default());
        for family in [metrics.common.gather(), metrics.own()].concat() {
            assert!(family.name().starts_with("evalx_"), "{}", family.name());
            assert!(family.help().ends_with('.'), "{}", family.name());
        }
    }

    #[test]
    fn a_test_in_doubt_is_counted_by_what_came_of_it() {
        let metrics = Metrics::new();
        let test = |verdict, again: Option<Option<&str>>| {
            let other = |verdict| json!({"verdict": verdict, "cpu_ms": 1.0, "wall_ms": 1.0});
            let again = again.map(|o| json!({"because": "busy", "other": o.map(other)}));
            json!({
                "name": "t", "verdict": verdict, "cpu_ms": 1.0, "wall_ms": 1.0, "memory_bytes": 1,
                "stdout": "", "stdout_truncated": false, "stderr": "", "stderr_truncated": false,
                "times": {"set_up_ms": 1.0, "run_ms": 1.0, "check_ms": 1.0}, "again": again,
            })
        };
        let tests = [
            test("AC", None),
            test("TLE", Some(Some("TLE"))),
            test("AC", Some(Some("TLE"))),
            test("WA", Some(Some("TLE"))),
            test("TLE", Some(None)),
        ];
        let submission = json!({"language": "c", "files": [], "tests": []});
        let submission = serde_json::from_value(submission).unwrap();
        let tests = serde_json::from_value(json!(tests)).unwrap();
        metrics.judged(&Report { tests, ..blank(&submission, "native", String::new()) });
        let text = metrics.text();
        for (outcome, count) in [("confirmed", 1), ("changed", 2), ("unsettled", 1)] {
            let line = format!("\nevalx_tests_in_doubt_total{{outcome=\"{outcome}\"}} {count}\n");
            assert!(text.contains(&line), "{line} in {text}");
        }
    }

    #[test]
    fn totals_are_the_queues_whoever_tells_them() {
        let metrics = Metrics::new();
        assert!(!metrics.text().contains("evalx_queue_stale_results_total"), "nobody has told");
        for stale in [5, 5, 7] {
            let totals = Totals { stale, ..Totals::default() };
            metrics.snapshot(&Snapshot { totals, ..Snapshot::default() });
        }
        assert!(metrics.text().contains("\nevalx_queue_stale_results_total 7\n"));
        // As from another queue.
        metrics.snapshot(&Snapshot::default());
        assert!(metrics.text().contains("\nevalx_queue_stale_results_total 0\n"));
    }
}
