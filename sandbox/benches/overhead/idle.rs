//! What a slot takes that waits for its run: its agent and the box that is prepared.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use sandbox::NativeSandbox;

use crate::lab::{Lab, number};
use crate::table::{Limit, Table};

const SLOTS: usize = 32;

/// The difference between one slot and many, divided; in MiB.
pub(crate) fn measure(_: &Lab, table: &mut Table) {
    let what = "memory of an idle slot, kernel memory and agent's pages";
    let engine = Lab::engine(u32::try_from(SLOTS + 1).expect("few slots"));
    let before = (charged(&engine), own());
    engine.warm_up(SLOTS + 1).expect("there are as many slots");
    let after = (charged(&engine), own());
    let each = |before: f64, after: f64| (after - before) / SLOTS as f64 / f64::from(1 << 20);
    match (before.0, after.0) {
        (Some(first), Some(all)) => {
            let (theirs, ours) = (each(first, all), each(before.1, after.1));
            table.row(what, theirs + ours, "MiB", Limit::AtMost(2.0));
            table.figure("of it in this process", ours, "MiB");
        }
        _ => table.skip(what, "MiB", Limit::AtMost(2.0), "no account of memory"),
    }
}

/// What the control groups of all slots together are charged, once it stands still.
fn charged(engine: &NativeSandbox) -> Option<f64> {
    let groups = engine.cgroup_folders();
    let files = ["memory.usage_in_bytes", "memory.current"];
    let file = groups.iter().flat_map(|group| files.map(|file| group.join(file)));
    let file: PathBuf = file.into_iter().find(|file| file.exists())?;
    let deadline = Instant::now() + Duration::from_secs(5);
    let mut last = number(&file, "")?;
    loop {
        thread::sleep(Duration::from_millis(200));
        let now = number(&file, "")?;
        if (now - last).abs() < f64::from(1 << 20) || Instant::now() > deadline {
            return Some(now);
        }
        last = now;
    }
}

/// Of this process itself, in bytes.
fn own() -> f64 {
    let field = |key| number(Path::new("/proc/self/status"), key).unwrap_or_default();
    let open = fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
    // A struct file each (slabinfo(5), "filp"), which nobody adds up for one process.
    (field("RssAnon") + field("VmPTE")) * 1024.0 + open as f64 * 256.0
}
