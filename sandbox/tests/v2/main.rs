//! cgroup v2 as a container engine hands it out: where the native engine finds its base, what it
//! changes there, and what happens at limits above a box's own.
//!
//! The cases make and limit groups as a node does, so they are for a machine of their own: the
//! guest of `make test-v2`, which says so by `EVALX_TEST_GUEST`. Elsewhere there is none to run.
//! They go one after the other: what is watched (moves, the pods' groups) is the whole machine's.

#![forbid(unsafe_code)]

mod base;
mod container;
mod memory;
mod pod;
mod worker;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};

type Case = (&'static str, fn() -> Result<(), Failed>);

const CASES: [Case; 15] = [
    ("a_private_namespace_is_its_own_base", base::private_namespace),
    ("a_privileged_pod_finds_its_group_in_the_whole_tree", base::whole_tree),
    ("a_group_mounted_read_only_is_made_writable_for_the_pod_alone", base::read_only),
    ("the_real_root_is_refused", base::real_root),
    ("processes_in_the_base_make_way_and_come_back", base::others_in_the_base),
    ("nothing_migrates_in_a_run", base::nothing_migrates),
    ("two_workers_share_a_base", base::two_workers_in_a_pod),
    ("two_pods_share_a_node", base::two_pods),
    ("many_workers_come_and_go_at_once", base::many_at_once),
    ("memory_used_up_ends_one_box", memory::one_box),
    ("all_boxes_together_stay_below_the_limit_of_the_pod", memory::sum_of_boxes),
    ("each_run_has_a_peak_of_its_own", memory::peak),
    ("a_worker_s_container_in_a_private_namespace_judges_and_leaves", container::private_namespace),
    ("a_worker_s_container_that_sees_the_whole_tree_judges_and_leaves", container::whole_tree),
    ("a_program_too_large_to_start_costs_the_pod_nothing", memory::too_large_to_start),
];

fn main() -> ExitCode {
    sandbox::agent::enter_if_asked();
    let args = std::env::args().nth(1);
    if args.as_deref() == Some(worker::MODE) {
        return worker::main();
    }
    let mut args = Arguments::from_args();
    args.test_threads = Some(1);
    let here = std::env::var_os("EVALX_TEST_GUEST").is_some();
    let cases = CASES.into_iter().filter(|_| here).map(|(name, run)| Trial::test(name, run));
    libtest_mimic::run(&args, cases.collect()).exit_code()
}

/// Fails with `otherwise` unless `condition` holds.
fn ensure(condition: bool, otherwise: impl FnOnce() -> String) -> Result<(), Failed> {
    if condition { Ok(()) } else { Err(otherwise().into()) }
}
