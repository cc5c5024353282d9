//! The judgement: what was acknowledged against what became visible, from logs that the queue has no
//! hand in.

use std::collections::HashMap;

/// What the client knows.
#[derive(Default)]
pub(crate) struct Evidence {
    /// Jobs whose enqueueing was answered, with the result that each must have.
    pub(crate) acknowledged: HashMap<String, String>,
    /// Results as read at the end; absent when the queue knows no such job or it has none.
    pub(crate) results: HashMap<String, String>,
    /// Ends in the event log, a job.
    pub(crate) ends: HashMap<String, u32>,
    /// Steps in the event log, a job and step.
    pub(crate) steps: HashMap<(String, u32), u32>,
    /// Completions that workers were told to be the first, a job.
    pub(crate) accepted: HashMap<String, u32>,
    /// Completions that workers were told to be too late, a job.
    pub(crate) stale: HashMap<String, u32>,
}

/// What is wrong. All zero, or the queue has failed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Faults {
    /// Acknowledged, and no result.
    pub(crate) lost: usize,
    /// More than one end, or one step twice.
    pub(crate) twice: usize,
    /// The result of something else.
    pub(crate) mismatched: usize,
}

impl Evidence {
    /// Reads a worker's log lines.
    pub(crate) fn read(&mut self, log: &str) {
        // The last line of a worker that was killed may be half a line.
        let lines = log.lines().filter_map(|l| serde_json::from_str::<serde_json::Value>(l).ok());
        for line in lines.filter(|line| line["message"] == "settled") {
            if line["outcome"] != "finished" {
                continue;
            }
            let id = line["id"].as_str().unwrap().to_owned();
            match line["answer"].as_str().unwrap() {
                "Ok" => *self.accepted.entry(id).or_default() += 1,
                "Stale" => *self.stale.entry(id).or_default() += 1,
                _ => {}
            }
        }
    }

    /// The faults, as it is.
    pub(crate) fn faults(&self) -> Faults {
        self.judge(false)
    }

    /// The faults there would be without the comparison of tokens: what came too late would count.
    pub(crate) fn faults_unfenced(&self) -> Faults {
        self.judge(true)
    }

    fn judge(&self, unfenced: bool) -> Faults {
        let mut faults = Faults::default();
        for (id, wanted) in &self.acknowledged {
            match self.results.get(id) {
                None => faults.lost += 1,
                Some(result) if result != wanted => faults.mismatched += 1,
                Some(_) => {}
            }
            let late = if unfenced { self.stale.get(id).copied().unwrap_or(0) } else { 0 };
            let ends = self.ends.get(id).copied().unwrap_or(0).max(
                // A worker that was killed has not written down what it was told.
                self.accepted.get(id).copied().unwrap_or(0),
            );
            if ends + late > 1 {
                faults.twice += 1;
            }
        }
        faults.twice += self.steps.values().filter(|count| **count > 1).count();
        faults
    }
}
