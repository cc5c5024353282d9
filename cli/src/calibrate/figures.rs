//! From times to figures. Pure.

use serde::Serialize;

use super::{PROGRAMS, Times};

/// Needs of its limit, in shares, for which it is counted how many runs change sides.
const NEEDS: [f64; 3] = [0.9, 1.0, 1.1];

/// How many of the runs of a program that needs 0.9 of its limit may exceed it.
const FLIPS: f64 = 0.001;

/// Spread of a program alone, above which its runs change sides by themselves.
const SPREAD: f64 = 0.05;

const UNSTEADY: &str = "times move even alone: measure when nothing else runs here; where nothing \
                        does, take a machine whose host has no other guests";

/// What came of a calibration.
#[derive(Debug, Serialize)]
pub(crate) struct Figures {
    pub(crate) programs: Vec<Row>,
    /// Geometric mean of the ratios.
    pub(crate) ratio_mean: f64,
    /// The largest of them.
    pub(crate) ratio_max: f64,
    /// Whether every figure that has a bound is within it.
    pub(crate) ok: bool,
}

/// Of one program.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    /// Median CPU time alone.
    pub(crate) alone_ms: f64,
    /// Standard deviation alone, as a share of the mean.
    pub(crate) alone_spread: f64,
    /// Median CPU time with all slots busy, of that alone.
    pub(crate) ratio: f64,
    /// The 95th percentile, of the median alone.
    pub(crate) ratio_p95: f64,
    /// The most that `ratio` should be, where there is a figure for it.
    pub(crate) ratio_most: Option<f64>,
    pub(crate) flips: Flips,
    pub(crate) ok: bool,
    /// What to do where it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cure: Option<&'static str>,
}

/// Runs with all slots busy that would have another verdict than the same program alone, as a share,
/// when it needs (by its median alone) 0.9 of its limit, all of it, or 1.1 times as much.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Flips {
    pub(crate) below: f64,
    /// A coin by its nature: half of the runs alone are above their median.
    pub(crate) at: f64,
    pub(crate) above: f64,
}

impl Figures {
    /// Every program has been run, alone and beside others.
    pub(crate) fn of(times: &Times) -> Self {
        let rows = PROGRAMS.iter().zip(times.alone.iter().zip(&times.busy));
        let programs: Vec<Row> = rows
            .map(|(program, (alone, busy))| {
                let median = quantile(alone, 0.5);
                let ratio = quantile(busy, 0.5) / median;
                let flips = Flips::of(median, busy);
                let grows = program.most.is_some_and(|most| ratio > most);
                let ok = !grows && flips.below < FLIPS;
                let spread = spread(alone);
                let cure = if !grows && spread > SPREAD { UNSTEADY } else { program.cure };
                Row {
                    name: program.name,
                    what: program.what,
                    alone_ms: median,
                    alone_spread: spread,
                    ratio,
                    ratio_p95: quantile(busy, 0.95) / median,
                    ratio_most: program.most,
                    flips,
                    ok,
                    cure: (!ok).then_some(cure),
                }
            })
            .collect();
        let logarithms: Vec<f64> = programs.iter().map(|row| row.ratio.ln()).collect();
        Self {
            ratio_mean: mean(&logarithms).exp(),
            ratio_max: programs.iter().map(|row| row.ratio).fold(0.0, f64::max),
            ok: programs.iter().all(|row| row.ok),
            programs,
        }
    }

    /// What to do, each once.
    pub(crate) fn cures(&self) -> Vec<&'static str> {
        let mut cures: Vec<_> = self.programs.iter().filter_map(|row| row.cure).collect();
        cures.sort_unstable();
        cures.dedup();
        cures
    }
}

impl Flips {
    fn of(alone: f64, busy: &[f64]) -> Self {
        let [below, at, above] = NEEDS.map(|need| {
            let limit = alone / need;
            let other = |time: &&f64| (**time > limit) != (need > 1.0);
            share(busy.iter().filter(other).count(), busy.len())
        });
        Self { below, at, above }
    }
}

fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// Standard deviation as a share of the mean.
fn spread(values: &[f64]) -> f64 {
    let middle = mean(values);
    let squares: Vec<f64> = values.iter().map(|v| (v - middle).powi(2)).collect();
    if middle > 0.0 { mean(&squares).sqrt() / middle } else { 0.0 }
}

/// The value that this share of all are not above, between neighbours in proportion.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts of runs are small, and shares are from 0 to 1"
)]
fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = share * sorted.len().saturating_sub(1) as f64;
    let at = |place: f64| sorted.get(place as usize).copied().unwrap_or(f64::NAN);
    let (low, high) = (at(place.floor()), at(place.ceil()));
    low + (high - low) * place.fract()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-9
    }

    #[test]
    fn quantiles_lie_between_neighbours() {
        assert!(close(quantile(&[4.0, 1.0, 3.0, 2.0], 0.5), 2.5));
        assert!(close(quantile(&[1.0], 0.95), 1.0));
        let hundred: Vec<f64> = (0..=100).map(f64::from).collect();
        assert!(close(quantile(&hundred, 0.95), 95.0));
        assert!(quantile(&[], 0.5).is_nan());
    }

    #[test]
    fn runs_that_change_sides_are_counted_at_each_need() {
        // Alone 90: limits of 100, 90 and 81.8.
        let flips = Flips::of(90.0, &[80.0, 85.0, 95.0, 101.0]);
        assert_eq!(flips, Flips { below: 0.25, at: 0.5, above: 0.25 });
        assert_eq!(
            Flips::of(90.0, &[90.0; 4]),
            Flips { below: 0.0, at: 0.0, above: 0.0 },
            "a machine that is always the same"
        );
    }

    #[test]
    fn a_program_is_well_within_its_bound_and_when_nothing_changes_sides() {
        let mut times = Times::default();
        for index in 0..PROGRAMS.len() {
            times.alone[index] = vec![100.0, 100.0, 100.0];
            times.busy[index] = vec![101.0, 101.0, 105.0];
        }
        let figures = Figures::of(&times);
        assert!(figures.ok && figures.cures().is_empty());
        assert!(close(figures.ratio_mean, 1.01) && close(figures.ratio_max, 1.01));
        assert!(close(figures.programs[0].alone_spread, 0.0));

        times.busy[0] = vec![103.0, 103.0, 105.0];
        let figures = Figures::of(&times);
        assert!(!figures.ok && !figures.programs[0].ok && figures.programs[1].ok);
        assert_eq!(figures.cures(), [PROGRAMS[0].cure]);

        times.busy[0] = vec![101.0, 101.0, 101.0];
        times.busy[6] = vec![101.0, 101.0, 112.0];
        let figures = Figures::of(&times);
        assert!(!figures.programs[6].ok, "without a bound, but one of three changes sides");
        assert_eq!(figures.cures(), [PROGRAMS[6].cure]);

        times.alone[6] = vec![80.0, 100.0, 120.0];
        assert_eq!(Figures::of(&times).cures(), [UNSTEADY], "it needs no load for that");
    }
}
