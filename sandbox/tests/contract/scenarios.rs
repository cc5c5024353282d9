//! Cases that need more than one program and a header: many runs, two boxes at once, two runs
//! behind each other, our own memory, killing.

mod box_folder;
mod boxes;
mod compile;
mod control;
mod exits;
mod faults;
mod files;
mod killed;
mod memory;
mod pinned;
mod pressure;
mod streams;
mod talking;
mod traces;
mod valet;
mod wedged;

use libtest_mimic::Failed;

pub(crate) use boxes::AT_ONCE;

use crate::rig::Rig;

/// One of them.
#[derive(Debug)]
pub(crate) struct Scenario {
    pub(crate) id: &'static str,
    /// Number in the list of attacks, or `plain`.
    pub(crate) attack: &'static str,
    /// Cases whose programs it runs, beside those below `scenarios/programs`.
    pub(crate) cases: &'static [&'static str],
    pub(crate) run: fn(&Rig) -> Result<(), Failed>,
}

/// Every scenario. Names as those of the cases: the attack, or `p` for plain ones.
pub(crate) static ALL: &[Scenario] = &[
    scenario("a10_memory_of_the_run_before", "10", memory::memory_of_the_run_before)
        .with(&["a10_shared_memory_bomb", "a12_page_tables"]),
    scenario("a10_page_cache_of_the_run_before", "10", memory::page_cache_of_the_run_before),
    scenario("a16_files_of_the_run_before", "16", files::files_of_the_run_before)
        .with(&["a16_inodes"]),
    scenario("a16_trees_of_the_run_before", "16, 17", traces::trees_of_the_run_before),
    scenario("a20_memory_under_an_output_flood", "20", streams::memory_under_an_output_flood)
        .with(&["a20_output_flood"]),
    scenario("a21_memory_under_an_error_flood", "21", streams::memory_under_an_error_flood)
        .with(&["a21_error_flood"]),
    scenario("a24_input_that_nobody_reads", "24", talking::input_that_nobody_reads),
    scenario("a25_two_that_talk", "25", talking::two_that_talk),
    scenario("a26_exit_codes", "26", exits::exit_codes),
    scenario("a26_signals", "26", exits::signals),
    scenario("a27_unfit_programs", "27", exits::unfit_programs),
    scenario("a31_files_of_the_host", "31", files::files_of_the_host),
    scenario("a36_artefact_unchanged", "36", files::artefact_unchanged)
        .with(&["a36_change_the_artefact"]),
    scenario("a44_two_boxes_cannot_meet", "44", boxes::two_boxes_cannot_meet),
    scenario("a47_empty_input_tells_nothing", "47", boxes::empty_input_tells_nothing),
    scenario("a47_shared_files_tell_nothing", "47", boxes::shared_files_tell_nothing),
    scenario("a48_nothing_is_left_for_the_next_run", "46, 48, 49", boxes::nothing_is_left),
    scenario("a48_nothing_is_counted", "48", boxes::nothing_is_counted),
    scenario("a48_nothing_is_left_beside_a_listener", "48", boxes::beside_another_listener),
    scenario("a49_folders_as_new_for_each_run", "48, 49", boxes::folders_as_new),
    scenario("a59_endless_includes", "59", compile::endless_includes),
    scenario("a60_files_of_the_machine", "60", compile::files_of_the_machine),
    scenario("a61_explosions", "61", compile::explosions),
    scenario("a62_huge_programs", "62", compile::huge_programs),
    scenario("a63_endless_error_text", "63", compile::endless_error_text),
    scenario("a64_code_while_compiling", "64", compile::code_while_compiling),
    scenario("a65_odd_sources", "65", compile::odd_sources),
    scenario("a69_all_boxes_out_of_memory", "69", memory::all_boxes_out_of_memory),
    scenario("a70_killed_worker", "70", killed::killed_worker),
    scenario("a71_ids_of_two_workers", "71", boxes::ids_of_two_workers),
    scenario("a80_killed_agents", "70, 80", faults::killed_agents),
    scenario("a80_wedged_agent", "72, 80", faults::wedged_agent),
    scenario("a80_slot_fails_at_the_valet", "80", valet::slot_fails_at_the_valet),
    scenario("a81_result_of_a_lost_slot", "81", faults::result_of_a_lost_slot),
    scenario("a81_nothing_to_be_had", "81", faults::nothing_to_be_had),
    scenario("a82_unkillable_guests", "72, 82", wedged::unkillable_guests)
        .with(&["a06_idle_pause"]),
    scenario("a82_unkillable_agent", "72, 82", wedged::unkillable_agent),
    scenario("a82_stuck_predecessors", "70, 82", wedged::stuck_predecessors)
        .with(&["a06_idle_pause"]),
    scenario("a83_memory_above_the_box", "69, 83", faults::memory_above_the_box)
        .with(&["a08_child_out_of_memory"]),
    scenario("a85_no_trace_in_the_folders", "49, 85", traces::none_in_the_folders),
    scenario("a85_no_trace_in_the_numbers", "85", traces::none_in_the_numbers),
    scenario("p_addresses", "plain", control::addresses),
    scenario("p_armed_behind_the_run", "plain", boxes::armed_behind_the_run),
    scenario("p_box_after_a_kill", "plain", box_folder::box_after_a_kill),
    scenario("p_box_follows_the_job", "plain", box_folder::box_follows_the_job),
    scenario("p_boxes_at_once", "plain", boxes::boxes_at_once),
    scenario("p_cancel_in_a_run", "plain", control::cancel_in_a_run),
    scenario("p_cancel_while_arming", "plain", control::cancel_while_arming),
    scenario("p_cancel_before_a_run", "plain", control::cancel_before_a_run),
    scenario("p_compile_and_run", "plain", compile::compile_and_run),
    scenario("p_compile_keeps_files_only", "plain", compile::keeps_files_only),
    scenario("p_engine_ends_while_it_arms", "plain", valet::engine_ends_while_it_arms),
    scenario("p_exact_bytes", "22", streams::exact_bytes),
    scenario("p_ids_of_many_boxes", "plain", boxes::ids_of_many_boxes),
    scenario("p_large_stdin", "plain", streams::large_stdin),
    scenario("p_own_cpus", "53", pinned::own_cpus),
    scenario("p_pipes_both_ways", "plain", streams::pipes_both_ways),
    scenario("p_switches_of_the_killed", "plain", pressure::switches_of_the_killed),
    scenario("p_valets_slot_is_waited_for", "plain", valet::the_valets_slot_is_waited_for),
    scenario("p_waits_for_a_cpu", "plain", pressure::waits_for_a_cpu).with(&["p_cpu_limit"]),
    scenario("p_waits_for_a_disk", "plain", pressure::waits_for_a_disk),
    // Behind those that need all slots: one that is refused in its box takes the slot with it.
    scenario("p_refused_jobs", "plain", control::refused_jobs),
];

const fn scenario(
    id: &'static str,
    attack: &'static str,
    run: fn(&Rig) -> Result<(), Failed>,
) -> Scenario {
    Scenario { id, attack, cases: &[], run }
}

impl Scenario {
    const fn with(self, cases: &'static [&'static str]) -> Self {
        Self { cases, ..self }
    }
}

/// Fails with `otherwise` unless `condition` holds.
fn ensure(condition: bool, otherwise: impl FnOnce() -> String) -> Result<(), Failed> {
    if condition { Ok(()) } else { Err(otherwise().into()) }
}

/// Fails with all that went wrong, if anything did.
fn none_wrong(wrong: &[String]) -> Result<(), Failed> {
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n").into()) }
}
