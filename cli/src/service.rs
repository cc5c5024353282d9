//! What `evalx server` and `evalx up` have in common: where they listen, who may come in, signals,
//! and the runtime.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use api::{Access, App, Callbacks, Installed, Judge0, Limits, Secret, Server};
use judge::language::Table;
use problems::Shelf;
use queue::Store;
use sandbox::Bytes;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};

use crate::exit::Failure;
use crate::units;

/// How the service listens and whom it lets in.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Service")]
pub(crate) struct ServiceArgs {
    /// Where HTTP is served; port 0 takes a free one
    #[arg(
        long,
        value_name = "ADDR",
        env = "EVALX_LISTEN",
        hide_env_values = true,
        default_value = "127.0.0.1:2358"
    )]
    listen: SocketAddr,
    /// A file of tokens: who may do what; read again when it changes [default: everybody on this
    /// machine may do everything]
    #[arg(long, value_name = "FILE", env = "EVALX_TOKENS", hide_env_values = true)]
    tokens: Option<PathBuf>,
    /// Let everybody who reaches the address in, without tokens
    #[arg(long, env = "EVALX_OPEN_TO_ALL", hide_env_values = true, conflicts_with = "tokens")]
    open_to_all: bool,
    /// A web page's origin that may call from browsers; * is every page
    #[arg(
        long,
        value_name = "ORIGIN",
        env = "EVALX_CORS",
        hide_env_values = true,
        value_delimiter = ','
    )]
    cors: Vec<String>,
    /// Let callbacks go to addresses of this machine and of private networks; for closed networks
    #[arg(long, env = "EVALX_CALLBACKS_TO_PRIVATE", hide_env_values = true)]
    callbacks_to_private: bool,
    /// A file with the secret (whsec_…) that signs callbacks of tenants without one of their own
    #[arg(long, value_name = "FILE", env = "EVALX_CALLBACK_SECRET_FILE", hide_env_values = true)]
    callback_secret_file: Option<PathBuf>,
    /// The largest request that is no stream
    #[arg(long, value_name = "SIZE", env = "EVALX_BODY_LIMIT", hide_env_values = true,
          default_value = "16MiB", value_parser = units::bytes)]
    body_limit: Bytes,
    /// All requests that are in memory at the same time, without problems; more are told to come
    /// back. Large ones may have three quarters of it
    #[arg(long, value_name = "SIZE", env = "EVALX_BODY_BUDGET", hide_env_values = true,
          default_value = "256MiB", value_parser = units::bytes)]
    body_budget: Bytes,
    /// The largest problem that is handed in
    #[arg(long, value_name = "SIZE", env = "EVALX_PROBLEM_LIMIT", hide_env_values = true,
          default_value = "256MiB", value_parser = units::bytes)]
    problem_limit: Bytes,
    /// Submissions of one batch
    #[arg(
        long,
        value_name = "N",
        env = "EVALX_BATCH_LIMIT",
        hide_env_values = true,
        default_value_t = 10_000
    )]
    batch_limit: usize,
    /// The longest time an answer is held back until there is a result
    #[arg(long, value_name = "TIME", env = "EVALX_LONGEST_WAIT", hide_env_values = true,
          default_value = "60s", value_parser = units::duration)]
    longest_wait: Duration,
    /// A setting of the Judge0-compatible routes, by its name in judge0.conf, as
    /// MAX_SUBMISSION_BATCH_SIZE=100; several are separated by semicolons
    #[arg(long, value_name = "NAME=VALUE", env = "EVALX_JUDGE0", hide_env_values = true,
          value_delimiter = ';', value_parser = judge0)]
    judge0: Vec<(String, String)>,
    /// Submissions that may wait; more are told to come back
    #[arg(
        long,
        value_name = "N",
        env = "EVALX_QUEUE_DEPTH",
        hide_env_values = true,
        default_value_t = 100_000
    )]
    queue_depth: u64,
}

impl ServiceArgs {
    /// The queue's numbers.
    pub(crate) fn settings(&self) -> queue::Settings {
        queue::Settings { depth: self.queue_depth, ..queue::Settings::default() }
    }

    /// Who may come in. Read before anything is started, since it may be wrong.
    pub(crate) fn access(&self) -> Result<Access, Failure> {
        let access = Access::of(self.tokens.as_deref(), !self.open_to_all);
        let access = access.map_err(Failure::usage)?;
        access.may_listen(self.listen, self.open_to_all).map_err(Failure::usage)?;
        Ok(access)
    }

    fn callbacks(&self) -> Result<Callbacks, Failure> {
        let read = |path: &PathBuf| {
            let said = || format!("--callback-secret-file {path:?}");
            let text = std::fs::read_to_string(path).with_context(said)?;
            Secret::parse(&text).with_context(said)
        };
        let secret = self.callback_secret_file.as_ref().map(read).transpose();
        let secret = secret.map_err(Failure::usage)?;
        Ok(Callbacks { to_private: self.callbacks_to_private, secret })
    }

    /// Listens.
    pub(crate) async fn bind(
        &self,
        store: Arc<dyn Store>,
        table: Arc<Table>,
        installed: Option<Vec<Installed>>,
        shelf: Option<Shelf>,
        access: Access,
        limits: Limits,
    ) -> Result<Server, Failure> {
        let callbacks = self.callbacks()?;
        let mut judge0 = Judge0::default();
        for (name, value) in &self.judge0 {
            judge0.set(name, value).map_err(Failure::usage)?;
        }
        let config = api::Config {
            body_limit: usize::try_from(self.body_limit.0).unwrap_or(usize::MAX),
            body_budget: usize::try_from(self.body_budget.0).unwrap_or(usize::MAX),
            problem_limit: usize::try_from(self.problem_limit.0).unwrap_or(usize::MAX),
            batch_limit: self.batch_limit,
            longest_wait: self.longest_wait,
            origins: self.cors.clone(),
            callbacks,
            judge0,
            ..api::Config::default()
        };
        if config.largest_body() < config.body_limit {
            return Err(Failure::usage(anyhow!(
                "--body-budget {} has no room for --body-limit {}: make it at least 4/3 of that",
                self.body_budget,
                self.body_limit
            )));
        }
        let app = App::new(store, table, installed, access, config).with_problems(shelf);
        let bound = Server::bind(app, self.listen, self.open_to_all, limits).await;
        bound.map_err(Failure::usage)
    }
}

/// A setting and its value, so far as each can be judged alone.
fn judge0(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("a setting is NAME=VALUE")?;
    Judge0::default().set(name, value).map_err(|error| error.to_string())?;
    Ok((name.to_owned(), value.to_owned()))
}

/// A runtime for a service.
pub(crate) fn runtime() -> Result<Runtime, Failure> {
    let built = Builder::new_multi_thread().worker_threads(2).enable_all().build();
    built.map_err(Failure::judge)
}

/// Returns at SIGTERM or Ctrl-C.
pub(crate) fn told_to_stop() -> io::Result<impl Future<Output = ()>> {
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
        }
    })
}
