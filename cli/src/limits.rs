//! The limit flags.

use std::time::Duration;

use judge::model::LimitsSpec;
use sandbox::{Bytes, LimitError, Limits};

use crate::units;

/// Limits of each test. What is not given has the problem's value, else evalX's default.
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "Limits of each test")]
pub(crate) struct LimitArgs {
    /// CPU time of all processes together, like 2s or 500ms [default: 10s]
    #[arg(long, visible_alias = "time", value_name = "TIME", value_parser = units::duration, allow_hyphen_values = true)]
    cpu: Option<Duration>,
    /// Time on the clock [default: twice the CPU time and a second]
    #[arg(long, value_name = "TIME", value_parser = units::duration, allow_hyphen_values = true)]
    wall: Option<Duration>,
    /// Memory of all processes together, like 256MiB [default: 256MiB]
    #[arg(long, value_name = "SIZE", value_parser = units::bytes, allow_hyphen_values = true)]
    memory: Option<Bytes>,
    /// Processes and threads alive at once [default: 64]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    processes: Option<u32>,
    /// Stack of the main thread [default: as much as the memory]
    #[arg(long, value_name = "SIZE", value_parser = units::bytes, allow_hyphen_values = true)]
    stack: Option<Bytes>,
    /// Standard output [default: 16MiB]
    #[arg(long, value_name = "SIZE", value_parser = units::bytes, allow_hyphen_values = true)]
    output: Option<Bytes>,
    /// Largest single file [default: 64MiB]
    #[arg(long, value_name = "SIZE", value_parser = units::bytes, allow_hyphen_values = true)]
    file_size: Option<Bytes>,
    /// All files together [default: 64MiB]
    #[arg(long, value_name = "SIZE", value_parser = units::bytes, allow_hyphen_values = true)]
    disk: Option<Bytes>,
    /// Files and folders [default: 4096]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    inodes: Option<u32>,
    /// Open files of a process [default: 256]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    open_files: Option<u32>,
}

impl LimitArgs {
    /// These limits over those of a problem, checked against what evalX grants.
    pub(crate) fn over(&self, base: LimitsSpec) -> Result<LimitsSpec, LimitError> {
        let Self {
            cpu,
            wall,
            memory,
            processes,
            stack,
            output,
            file_size,
            disk,
            inodes,
            open_files,
        } = self;
        // A new CPU limit brings its own clock unless one is given.
        let old_wall = base.wall_ms.filter(|_| cpu.is_none());
        let spec = LimitsSpec {
            cpu_ms: cpu.map(millis).or(base.cpu_ms),
            wall_ms: wall.map(millis).or(old_wall),
            memory_bytes: memory.map(|b| b.0).or(base.memory_bytes),
            processes: processes.or(base.processes),
            stack_bytes: stack.map(|b| b.0).or(base.stack_bytes),
            file_size_bytes: file_size.map(|b| b.0).or(base.file_size_bytes),
            output_bytes: output.map(|b| b.0).or(base.output_bytes),
            open_files: open_files.or(base.open_files),
            inodes: inodes.or(base.inodes),
            disk_bytes: disk.map(|b| b.0).or(base.disk_bytes),
        };
        spec.over(Limits::default()).check()?;
        Ok(spec)
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_wins_over_the_problem_and_a_new_cpu_limit_over_its_clock() {
        let problem = LimitsSpec {
            cpu_ms: Some(1000),
            wall_ms: Some(9000),
            memory_bytes: Some(1 << 28),
            ..LimitsSpec::default()
        };
        let args = LimitArgs { cpu: Some(Duration::from_secs(3)), ..LimitArgs::default() };
        let spec = args.over(problem.clone()).unwrap();
        assert_eq!(
            (spec.cpu_ms, spec.wall_ms, spec.memory_bytes),
            (Some(3000), None, Some(1 << 28))
        );
        assert_eq!(LimitArgs::default().over(problem.clone()), Ok(problem));
    }

    #[test]
    fn zero_and_beyond_the_maximum_are_refused() {
        let zero = LimitArgs { memory: Some(Bytes(0)), ..LimitArgs::default() };
        assert_eq!(
            zero.over(LimitsSpec::default()).unwrap_err().to_string(),
            "limit memory is 0 B; it must be between 1 MiB and 64 GiB"
        );
        let long = LimitArgs { cpu: Some(Duration::MAX), ..LimitArgs::default() };
        assert_eq!(long.over(LimitsSpec::default()).unwrap_err().field, "cpu");
    }
}
