//! The command line, and what it says: the only place that reads the environment.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum};
use tracing_subscriber::filter::Targets;

/// Makes worker fleets of JudgeClusters
///
/// Without a verb it runs. It finds the API server as kubectl does: by KUBECONFIG,
/// ~/.kube/config, or from within a pod.
#[derive(Debug, Parser)]
#[command(
    name = "evalx-operator",
    version,
    verbatim_doc_comment,
    max_term_width = 80,
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub verb: Option<Verb>,
    /// How to run, without a verb.
    #[command(flatten)]
    pub run: RunArgs,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Look after the clusters until told to stop
    Run(Box<RunArgs>),
    /// Print the definition of JudgeCluster, as crds/ has it
    Crd,
}

/// How to run.
#[derive(Debug, Clone, Args)]
pub struct RunArgs {
    /// Namespaces whose clusters are looked after [default: all]
    #[arg(
        long,
        value_name = "NAMESPACE",
        env = "EVALX_WATCH_NAMESPACES",
        hide_env_values = true,
        value_delimiter = ','
    )]
    pub watch_namespaces: Vec<String>,
    /// Where /healthz, /readyz and /metrics are served; port 0 takes a free one
    #[arg(
        long,
        value_name = "ADDR",
        env = "EVALX_METRICS_ADDR",
        hide_env_values = true,
        default_value = "0.0.0.0:8080"
    )]
    pub metrics_addr: SocketAddr,
    /// Where the lease is by which one of several operators leads [default: the operator's own]
    #[arg(long, value_name = "NAMESPACE", env = "EVALX_LEASE_NAMESPACE", hide_env_values = true)]
    pub lease_namespace: Option<String>,
    /// The lease's name
    #[arg(
        long,
        value_name = "NAME",
        env = "EVALX_LEASE_NAME",
        hide_env_values = true,
        default_value = "evalx-operator"
    )]
    pub lease_name: String,
    /// Who this process is among the operators [default: the host name and something random]
    #[arg(long, value_name = "NAME", env = "EVALX_IDENTITY", hide_env_values = true)]
    pub identity: Option<String>,
    /// How long a silent leader keeps the lease, in seconds; the lease has them whole, rounded up
    // This and the next two are the controller-manager's.
    #[arg(long, value_name = "SECONDS", env = "EVALX_LEASE_DURATION", hide_env_values = true,
          default_value = "15", value_parser = seconds)]
    pub lease_duration: Duration,
    /// How long renewing the lease may fail before the process ends, in seconds
    #[arg(long, value_name = "SECONDS", env = "EVALX_RENEW_DEADLINE", hide_env_values = true,
          default_value = "10", value_parser = seconds)]
    pub renew_deadline: Duration,
    /// Between two attempts to take or renew the lease, in seconds
    #[arg(long, value_name = "SECONDS", env = "EVALX_RETRY_PERIOD", hide_env_values = true,
          default_value = "2", value_parser = seconds)]
    pub retry_period: Duration,
    /// Clusters that are looked at at once
    // A look mostly waits for the API server, which has others to serve, too.
    #[arg(long, value_name = "N", env = "EVALX_CONCURRENCY", hide_env_values = true,
          default_value = "4", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub concurrency: u16,
    /// Which log lines there are on standard error: error, warn, info, debug, or parts as
    /// warn,operator=debug
    #[arg(
        long,
        value_name = "LEVEL",
        env = "EVALX_LOG",
        hide_env_values = true,
        default_value = "info"
    )]
    pub log: Targets,
    /// How log lines look
    #[arg(
        long,
        value_name = "FORMAT",
        env = "EVALX_LOG_FORMAT",
        hide_env_values = true,
        default_value = "json"
    )]
    pub log_format: LogFormat,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One object a line
    Json,
    /// For people
    Human,
}

/// Reads a command line, its first word the program's.
///
/// # Errors
/// What clap says of a slip (with code 2 at its exit), or prints by request.
pub fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Cli, clap::Error> {
    let cli = Cli::try_parse_from(words)?;
    let run: &RunArgs = match &cli.verb {
        None => &cli.run,
        Some(Verb::Run(run)) => run,
        Some(Verb::Crd) => return Ok(cli),
    };
    match run.times() {
        Ok(()) => Ok(cli),
        Err(problem) => Err(Cli::command().error(ErrorKind::ValueValidation, problem)),
    }
}

impl RunArgs {
    /// Whether the times of the lease fit each other, as client-go demands: a leader has to try more
    /// than once before it gives up, and to give up before another one may lead.
    fn times(&self) -> Result<(), String> {
        let (retry, renew) = (self.retry_period, self.renew_deadline);
        let lease = self.lease_duration;
        let order = [
            ("--retry-period", retry, "--renew-deadline", renew),
            ("--renew-deadline", renew, "--lease-duration", lease),
        ];
        let wrong = order.into_iter().find(|(_, less, _, more)| less >= more);
        wrong.map_or(Ok(()), |(shorter, less, longer, more)| {
            Err(format!(
                "{shorter} ({} s) must be shorter than {longer} ({} s); lower the one or raise the \
                 other, as in the defaults 2 < 10 < 15",
                less.as_secs_f64(),
                more.as_secs_f64()
            ))
        })
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "a number of seconds".to_owned())?;
    match Duration::try_from_secs_f64(seconds) {
        Ok(time) if (0.05..=3600.0).contains(&time.as_secs_f64()) => Ok(time),
        _ => Err("between 0.05 and 3600".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn without_a_verb_it_runs() {
        let cli = Cli::try_parse_from(["x", "--watch-namespaces", "a,b"]).unwrap();
        assert!(cli.verb.is_none());
        assert_eq!(cli.run.watch_namespaces, ["a", "b"]);
        let cli = Cli::try_parse_from(["x", "run", "--lease-name", "mine"]).unwrap();
        assert!(matches!(cli.verb, Some(Verb::Run(run)) if run.lease_name == "mine"));
    }

    #[test]
    fn times_of_the_lease_that_do_not_fit_are_a_slip() {
        let read = |words: &[&str]| parse(["x"].iter().chain(words).map(OsString::from));
        assert!(read(&[]).is_ok());
        assert!(
            read(&["--lease-duration=0.9", "--renew-deadline=0.6", "--retry-period=0.1"]).is_ok()
        );
        for (words, names) in [
            (&["--lease-duration=10"][..], ["--renew-deadline (10 s)", "--lease-duration (10 s)"]),
            (&["--renew-deadline=60"], ["--renew-deadline (60 s)", "--lease-duration (15 s)"]),
            (&["run", "--retry-period=10"], ["--retry-period (10 s)", "--renew-deadline (10 s)"]),
        ] {
            let error = read(words).unwrap_err();
            let said = error.to_string();
            assert!(names.iter().all(|name| said.contains(name)), "{said}");
            assert!(said.contains("lower the one or raise the other"), "{said}");
            assert_eq!(error.exit_code(), 2);
        }
        let crd = read(&["crd"]).unwrap();
        assert!(matches!(crd.verb, Some(Verb::Crd)));
    }
}
