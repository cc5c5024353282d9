//! The jobs of the queue's internal lane: claimed, delivered side by side, ended or tried again.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use queue::{Completion, Consumer, Held, Lane, Lease, Outcome, Place, Subject, Verdict};
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::message::Message;
use super::{Callback, Courier, Error, Fate, delivery_id};
use crate::app::App;
use crate::intake;
use crate::problem::chain;

/// Deliveries at once. Each waits for a stranger most of the time and takes little else; with fewer,
/// those that hang would hold up the others.
const AT_ONCE: usize = 256;
/// Before the next try when the queue does not answer.
const PAUSE: Duration = Duration::from_millis(500);
/// At the end, how long deliveries may go on. Their jobs go to another server then.
const FAREWELL: Duration = Duration::from_secs(3);

const ID: HeaderName = HeaderName::from_static("webhook-id");
const TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");

/// Runs errands until it is over.
struct Runner {
    app: App,
    consumer: Consumer,
    courier: Arc<Courier>,
    deliveries: JoinSet<(Held, Outcome)>,
    running: HashMap<Id, (Held, AbortHandle)>,
    /// What the queue has not been told yet.
    ended: Vec<Completion>,
    /// The queue does not answer: said once, not at each attempt.
    trouble: bool,
}

impl App {
    /// Delivers callbacks until `closing` is over, then ends those under way and hands back the rest.
    pub async fn deliver(self, closing: impl Future<Output = ()>) {
        tokio::pin!(closing);
        let runner = tokio::select! {
            runner = Runner::join(self) => runner,
            () = &mut closing => return,
        };
        Box::pin(runner.run(closing)).await;
    }
}

impl Runner {
    async fn join(app: App) -> Self {
        let place = Place::errands();
        let consumer = loop {
            match Consumer::join(app.queue(), &place, &[Lane::Internal]).await {
                Ok((consumer, _)) => break consumer,
                Err(error) => {
                    let error = chain(&error);
                    tracing::warn!(error, "no callbacks: the queue does not answer");
                    sleep(PAUSE).await;
                }
            }
        };
        let courier = Arc::new(Courier::new(app.config().callbacks.to_private));
        let (deliveries, running) = (JoinSet::new(), HashMap::new());
        Self { app, consumer, courier, deliveries, running, ended: Vec::new(), trouble: false }
    }

    async fn run(mut self, closing: impl Future<Output = ()>) {
        let mut ticks = interval(self.consumer.store().settings().heartbeat());
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        tokio::pin!(closing);
        loop {
            self.settle().await;
            self.claim().await;
            let room = self.room() > 0 && !self.trouble;
            tokio::select! {
                () = &mut closing => break,
                _ = ticks.tick() => self.beat().await,
                Some(ended) = self.deliveries.join_next_with_id() => self.take(ended),
                // A wake that is missed here is made up for by the next heartbeat.
                () = self.consumer.wait_for_work(), if room => {}
            }
        }
        self.leave().await;
    }

    fn room(&self) -> usize {
        AT_ONCE.saturating_sub(self.running.len() + self.ended.len())
    }

    async fn claim(&mut self) {
        let room = self.room();
        if room == 0 {
            return;
        }
        let claimed = self.consumer.claim(room).await;
        for lease in self.answered(claimed).unwrap_or_default() {
            let held = Held::from(&lease);
            let (app, courier) = (self.app.clone(), Arc::clone(&self.courier));
            let task = held.clone();
            let handle = self.deliveries.spawn(async move {
                let outcome = run(&app, &courier, lease).await;
                (task, outcome)
            });
            self.running.insert(handle.id(), (held, handle));
        }
    }

    /// Takes note of a delivery that is over. One that panicked is tried again.
    fn take(&mut self, ended: Result<(Id, (Held, Outcome)), JoinError>) {
        match ended {
            Ok((id, (held, outcome))) => {
                self.running.remove(&id);
                self.ended.push(Completion { held, outcome });
            }
            Err(error) => {
                let known = self.running.remove(&error.id());
                if let Some((held, _)) = known.filter(|_| error.is_panic()) {
                    tracing::error!(%error, id = %held.id, "a delivery died");
                    self.ended.push(Completion { held, outcome: Outcome::Retry });
                }
            }
        }
    }

    /// Tells the queue what has ended. What it does not answer to is told again, under the same token.
    async fn settle(&mut self) {
        if self.ended.is_empty() {
            return;
        }
        let told = self.consumer.complete_all(&self.ended).await;
        if self.answered(told).is_some() {
            self.ended.clear();
        }
    }

    async fn beat(&mut self) {
        let running = self.running.values().map(|(held, _)| held.clone());
        let held: Vec<Held> = running.chain(self.ended.iter().map(|e| e.held.clone())).collect();
        let beat = self.consumer.heartbeat(&held).await;
        let Some(verdicts) = self.answered(beat) else { return };
        for (held, verdict) in held.iter().zip(verdicts) {
            if verdict == Verdict::Keep {
                continue;
            }
            // Somebody else has it: what this one would still say may come twice, and counts once.
            for (other, handle) in self.running.values() {
                if other.token == held.token {
                    handle.abort();
                }
            }
        }
    }

    fn answered<T>(&mut self, answer: Result<T, queue::Error>) -> Option<T> {
        match answer {
            Ok(answer) => {
                self.trouble = false;
                Some(answer)
            }
            Err(error) => {
                if !self.trouble {
                    let error = chain(&error);
                    tracing::warn!(error, "callbacks wait: the queue does not answer");
                }
                self.trouble = true;
                None
            }
        }
    }

    async fn leave(mut self) {
        let all = async {
            while let Some(ended) = self.deliveries.join_next_with_id().await {
                self.take(ended);
            }
        };
        if timeout(FAREWELL, all).await.is_err() {
            tracing::info!(left = self.running.len(), "callbacks are left to others");
        }
        // When the queue does not answer, the jobs return by themselves when the lease is over.
        let telling = async {
            self.settle().await;
            let released = self.consumer.release().await;
            self.answered(released);
        };
        if timeout(FAREWELL, telling).await.is_err() {
            tracing::warn!("left without a word: the queue does not answer");
        }
    }
}

/// One errand, once.
async fn run(app: &App, courier: &Courier, lease: Lease) -> Outcome {
    let id = lease.id.clone();
    match attempt(app, courier, &lease).await {
        Ok((host, fate, said)) => {
            app.metrics().callback_tried(fate);
            let attempt = lease.attempt;
            if fate == Fate::Delivered {
                tracing::debug!(%id, host, attempt, "told");
            } else {
                tracing::info!(%id, host, attempt, outcome = fate.as_str(), said, "not told");
            }
            conclude(app, &lease, fate)
        }
        Err(Unfit::Later(reason)) => {
            tracing::warn!(%id, reason, "a callback waits");
            Outcome::Retry
        }
        Err(Unfit::Never(reason)) => {
            tracing::error!(%id, reason, "a callback that nothing can come of");
            app.metrics().callback_ended("given_up");
            Outcome::Buried
        }
    }
}

/// Why there is nothing to deliver.
enum Unfit {
    Later(String),
    Never(String),
}

fn conclude(app: &App, lease: &Lease, fate: Fate) -> Outcome {
    let over = |end| {
        app.metrics().callback_ended(end);
        Outcome::finished(Vec::new())
    };
    match fate {
        Fate::Delivered => over("delivered"),
        Fate::Gone => over("gone"),
        Fate::Forbidden => {
            app.metrics().callback_ended("given_up");
            Outcome::Buried
        }
        Fate::Redirected | Fate::Rejected | Fate::Timeout | Fate::Unreachable => {
            if lease.attempt >= lease.attempts {
                app.metrics().callback_ended("given_up");
            }
            Outcome::Retry
        }
    }
}

/// To whom, with what success, and what was said. The address is logged without its path and
/// query: there may be a secret in them.
async fn attempt(
    app: &App,
    courier: &Courier,
    lease: &Lease,
) -> Result<(String, Fate, String), Unfit> {
    let config = &app.config().callbacks;
    let callback = match Callback::decode(&lease.payload, config.to_private) {
        Ok(callback) => callback,
        Err(error @ Error::Newer { .. }) => return Err(Unfit::Later(chain(&error))),
        Err(error) => return Err(Unfit::Never(chain(&error))),
    };
    let Some(Subject::Job(job)) = &lease.about else {
        return Err(Unfit::Never("it is about no submission".to_owned()));
    };
    let view = app.queue().job(job).await.map_err(|error| Unfit::Later(chain(&error)))?;
    let view = view.ok_or_else(|| Unfit::Never("its submission is no longer kept".to_owned()))?;
    let known = intake::known(job, view).map_err(|error| Unfit::Never(chain(&error)))?;
    let message = callback.wire.message(app, job, known);
    let headers = headers(app, lease, &message);
    let host = callback.target.authority();
    let delivery = courier.deliver(&callback.target, message, headers).await;
    let said = match &delivery {
        Ok(status) => status.as_u16().to_string(),
        Err(error) => chain(error),
    };
    Ok((host, Fate::of(&delivery), said))
}

/// Standard Webhooks: the id stays over all attempts, the time is that of the attempt.
fn headers(app: &App, lease: &Lease, message: &Message) -> HeaderMap {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let (id, now) = (delivery_id(&lease.id), now.as_secs());
    let text = |text: &str| HeaderValue::from_str(text).expect("visible ASCII");
    let agent = concat!("evalX/", env!("CARGO_PKG_VERSION"));
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::USER_AGENT, HeaderValue::from_static(agent));
    headers.insert(ID, text(id));
    headers.insert(TIMESTAMP, now.into());
    if let Some(secret) = app.secret(&lease.tenant) {
        headers.insert(SIGNATURE, text(&secret.sign(id, now, &message.body)));
    }
    headers
}
