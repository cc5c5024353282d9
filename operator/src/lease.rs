//! Who leads: one of several processes, by a Lease. As in client-go, how long another one has been
//! silent is measured by our own clock from when we last saw its record change; no clock of anybody
//! else is believed.

mod record;

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use kube::api::PostParams;
use kube::{Api, Client};
use tokio::time::{Instant, sleep, timeout};
use tracing::{debug, info, warn};

use record::{Sighting, Step, decide};

use crate::api::chain;

/// How the lease is taken and kept.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where it is.
    pub namespace: String,
    /// How it is called.
    pub name: String,
    /// Who we are: no two processes alike.
    pub identity: String,
    /// How long a silent holder keeps it.
    pub duration: Duration,
    /// How long we may fail to renew it before we let go; shorter than `duration`.
    pub deadline: Duration,
    /// Between two attempts.
    pub retry: Duration,
}

/// Why it is not ours any more.
#[derive(Debug, thiserror::Error)]
pub enum Lost {
    /// Another process has it.
    #[error("{holder} has the lease now")]
    Taken {
        /// Which.
        holder: String,
    },
    /// It could not be renewed in time.
    #[error("the lease could not be renewed for {} s", after.as_secs())]
    Silent {
        /// For how long.
        after: Duration,
    },
}

/// Why an attempt failed.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("cannot {what} the lease")]
    Call {
        what: &'static str,
        #[source]
        source: Box<kube::Error>,
    },
    #[error("cannot {what} the lease: no answer")]
    Silent { what: &'static str },
}

/// Until when the lease is ours, for whoever is about to write.
#[derive(Debug, Default)]
pub struct Held(Mutex<Option<Instant>>);

impl Held {
    /// Whether a write may be sent now. A process that was stopped finds its time over.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        let until = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        until.is_some_and(|until| Instant::now() < until)
    }

    fn set(&self, until: Option<Instant>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = until;
    }
}

/// The lease, from our side.
#[derive(Debug)]
pub struct Elector {
    api: Api<Lease>,
    settings: Settings,
    held: std::sync::Arc<Held>,
    sighting: Option<Sighting>,
}

impl Elector {
    /// Of a client of its own, without retries.
    #[must_use]
    pub fn new(client: Client, settings: Settings, held: std::sync::Arc<Held>) -> Self {
        let api = Api::namespaced(client, &settings.namespace);
        Self { api, settings, held, sighting: None }
    }

    /// Waits until it is ours. Cancel safe: an attempt that was cut off is made again.
    pub async fn acquire(&mut self) {
        let mut said = None;
        loop {
            match self.attempt().await {
                Ok(Step::Held) => {
                    info!(identity = self.settings.identity, "leading");
                    return;
                }
                Ok(Step::Other(holder)) => {
                    if said.as_ref() != Some(&holder) {
                        info!(holder, "another process leads");
                    }
                    said = Some(holder);
                }
                Err(error) => warn!(error = chain(&error), "no lease yet"),
            }
            sleep(self.settings.retry.mul_f64(1.0 + fastrand::f64() / 5.0)).await;
        }
    }

    /// Keeps it, and returns when it is lost. Cancel safe.
    pub async fn keep(&mut self) -> Lost {
        let mut renewed = Instant::now();
        loop {
            sleep(self.settings.retry).await;
            // After a pause of the whole process somebody else may have it; and if nobody has, others
            // may have seen us as gone.
            match self.attempt().await {
                Ok(Step::Held) => renewed = Instant::now(),
                Ok(Step::Other(holder)) => {
                    self.held.set(None);
                    return Lost::Taken { holder };
                }
                Err(error) => {
                    warn!(error = chain(&error), "the lease is not renewed");
                    let after = renewed.elapsed();
                    if after >= self.settings.deadline {
                        self.held.set(None);
                        return Lost::Silent { after };
                    }
                }
            }
        }
    }

    /// Lets go, so that another process need not wait. Last of all, when nothing writes any more.
    pub async fn release(&mut self) {
        self.held.set(None);
        match self.let_go().await {
            Ok(true) => info!("the lease is released"),
            Ok(false) => {}
            Err(error) => warn!(error = chain(&error), "the lease is not released; it runs out"),
        }
    }

    /// Returns whether it was ours. It is read first: a renewal may have been cut off half way.
    async fn let_go(&self) -> Result<bool, Error> {
        let Some(lease) = self.get().await? else { return Ok(false) };
        if !record::is_of(&lease, &self.settings.identity) {
            return Ok(false);
        }
        Ok(self.replace(&record::released(&lease, &self.settings)).await?.is_some())
    }

    /// One attempt to take or renew it.
    async fn attempt(&mut self) -> Result<Step, Error> {
        // From before the call: what it says was true then.
        let began = Instant::now();
        let found = self.get().await?;
        let sighting = Sighting::of(found, self.sighting.as_ref(), began);
        let step = decide(sighting.as_ref(), &self.settings, began);
        let written = match step {
            record::Intent::Wait(holder) => {
                self.sighting = sighting;
                return Ok(Step::Other(holder));
            }
            record::Intent::Create(lease) => self.create(&lease).await,
            record::Intent::Write(lease) => self.replace(&lease).await,
        };
        match written {
            Ok(Some(lease)) => {
                self.sighting = Some(Sighting::new(lease, began));
                self.held.set(Some(began + self.settings.deadline));
                Ok(Step::Held)
            }
            // Somebody was quicker: the next look says who.
            Ok(None) => {
                debug!("the lease changed under us");
                self.sighting = sighting;
                let holder = self.sighting.as_ref().map(|s| s.holder().to_owned());
                match holder {
                    Some(holder) if holder == self.settings.identity => {
                        Err(Error::Silent { what: "renew" })
                    }
                    holder => Ok(Step::Other(holder.unwrap_or_default())),
                }
            }
            Err(error) => {
                self.sighting = sighting;
                Err(error)
            }
        }
    }

    async fn get(&self) -> Result<Option<Lease>, Error> {
        self.call("read", self.api.get_opt(&self.settings.name)).await
    }

    /// `None` when somebody else made it.
    async fn create(&self, lease: &Lease) -> Result<Option<Lease>, Error> {
        let created = self.call("create", self.api.create(&PostParams::default(), lease)).await;
        conflict_is_none(created)
    }

    /// `None` when somebody else wrote it.
    async fn replace(&self, lease: &Lease) -> Result<Option<Lease>, Error> {
        let params = PostParams::default();
        let replacing = self.api.replace(&self.settings.name, &params, lease);
        conflict_is_none(self.call("write", replacing).await)
    }

    async fn call<T>(
        &self,
        what: &'static str,
        asking: impl Future<Output = kube::Result<T>>,
    ) -> Result<T, Error> {
        // Two attempts have to fit into the deadline.
        match timeout(self.settings.deadline / 3, asking).await {
            Ok(answer) => answer.map_err(|source| Error::Call { what, source: Box::new(source) }),
            Err(_) => Err(Error::Silent { what }),
        }
    }
}

fn conflict_is_none(answer: Result<Lease, Error>) -> Result<Option<Lease>, Error> {
    match answer {
        Ok(lease) => Ok(Some(lease)),
        Err(Error::Call { source, what }) => match *source {
            kube::Error::Api(status) if status.code == 409 => Ok(None),
            source => Err(Error::Call { what, source: Box::new(source) }),
        },
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests;
