//! The rules of one job's life, without I/O and without a clock. Both stores follow them: the one
//! in memory by calling them, the Redis scripts by being compared with it.

use std::time::Duration;

use crate::id::Token;

/// Milliseconds since some moment of the store's own; never a worker's clock.
pub type Millis = u64;

/// Where a job is. Each state is one place in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Waits in its tenant's list, or among the suspects.
    Queued,
    /// Held by whoever knows the token.
    Leased(Token),
    /// Waits until a moment.
    Delayed(Millis),
    /// Has its result, given under that token.
    Final(Token),
    /// Given up.
    Dead(Why),
    /// Called off.
    Cancelled,
}

/// Why a job was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// Its workers crashed too often.
    Crashes,
    /// We failed in every attempt.
    Attempts,
    /// Its worker said that nothing can come of it.
    Buried,
}

impl Why {
    /// As stored and shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Crashes => "crashes",
            Self::Attempts => "attempts",
            Self::Buried => "buried",
        }
    }

    /// Reads what [`Why::as_str`] wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Crashes, Self::Attempts, Self::Buried].into_iter().find(|w| w.as_str() == text)
    }
}

/// What is remembered about a job between two events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Life {
    /// Where it is.
    pub state: State,
    /// Claims, less those that were handed back.
    pub attempts: u32,
    /// Claims that ended with their worker.
    pub lost: u32,
}

impl Life {
    /// A job that was just enqueued.
    #[must_use]
    pub fn new() -> Self {
        Self { state: State::Queued, attempts: 0, lost: 0 }
    }

    /// Whether it may have killed a worker: such jobs wait apart, and a worker holds one at most.
    #[must_use]
    pub fn is_suspect(&self) -> bool {
        self.lost > 0
    }
}

impl Default for Life {
    fn default() -> Self {
        Self::new()
    }
}

/// What happens to a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A worker takes it.
    Claim(Token),
    /// Its worker has a result.
    Finish(Token),
    /// Its worker failed; again after the delay.
    Retry(Token, Duration),
    /// Its worker hands it back unharmed.
    HandBack(Token),
    /// Its worker gives it up.
    Bury(Token),
    /// Its worker is gone, or held it beyond its deadline.
    Lose(Token),
    /// Its worker lives but does not know of it: a reply was lost.
    Forget(Token),
    /// The moment it waited for has come.
    Due,
    /// Somebody calls it off.
    Cancel,
    /// Somebody wants a dead letter tried again.
    Revive,
}

/// How an event was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It changed the job.
    Applied,
    /// It was applied before; nothing changed, and the sender may take it for done.
    Repeated,
    /// It does not fit; nothing changed.
    Refused,
}

/// What the store has to do besides writing the next state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Put it before the others of its tenant.
    QueueFront,
    /// Put it behind the others of its tenant.
    QueueBack,
    /// Note it with its worker.
    Hold,
    /// Strike it from its worker's holdings.
    Unhold,
    /// Strike it from the delayed ones.
    Wake,
    /// Put it among the delayed ones.
    Delay(Millis),
    /// Put it among the dead letters.
    Bury,
    /// Take it from the dead letters.
    Exhume,
    /// It has ended: drop the payload, keep the record for a while, count in its batch, make its
    /// webhook, tell.
    End,
}

/// How often a job may be tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// Claims that may end with their worker.
    pub crashes: u32,
    /// Attempts in which we may fail.
    pub attempts: u32,
}

/// What comes of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// How it was taken.
    pub answer: Answer,
    /// What is to be done, in this order.
    pub effects: Vec<Effect>,
    /// The job after it.
    pub next: Life,
}

/// The rules: what `event` makes of `life` at `now`.
///
/// Guarantees: ended jobs change by [`Event::Revive`] alone; an event that carries a token other
/// than the job's changes nothing; every state but the ended ones can reach an end.
#[must_use]
pub fn transition(rules: &Rules, life: Life, event: Event, now: Millis) -> Turn {
    use Effect::{Delay, End, Exhume, Hold, QueueBack, QueueFront, Unhold, Wake};
    let Life { state, attempts, lost } = life;
    let turn = |effects: &[Effect], state, attempts, lost| Turn {
        answer: Answer::Applied,
        effects: effects.to_vec(),
        next: Life { state, attempts, lost },
    };
    let bury = |why, lost| turn(&[Unhold, Effect::Bury, End], State::Dead(why), attempts, lost);
    match (state, event) {
        (State::Queued, Event::Claim(token)) => {
            turn(&[Hold], State::Leased(token), attempts + 1, lost)
        }
        (State::Leased(ours), Event::Finish(token)) if ours == token => {
            turn(&[Unhold, End], State::Final(token), attempts, lost)
        }
        (State::Leased(ours), Event::Retry(token, _))
            if ours == token && attempts >= rules.attempts =>
        {
            bury(Why::Attempts, lost)
        }
        (State::Leased(ours), Event::Retry(token, delay)) if ours == token => {
            let due = now.saturating_add(u64::try_from(delay.as_millis()).unwrap_or(u64::MAX));
            turn(&[Unhold, Delay(due)], State::Delayed(due), attempts, lost)
        }
        (State::Leased(ours), Event::HandBack(token)) if ours == token => {
            turn(&[Unhold, QueueFront], State::Queued, attempts.saturating_sub(1), lost)
        }
        (State::Leased(ours), Event::Bury(token)) if ours == token => bury(Why::Buried, lost),
        (State::Leased(ours), Event::Lose(token)) if ours == token => {
            if lost + 1 >= rules.crashes {
                bury(Why::Crashes, lost + 1)
            } else {
                turn(&[Unhold, QueueFront], State::Queued, attempts, lost + 1)
            }
        }
        (State::Leased(ours), Event::Forget(token)) if ours == token => {
            turn(&[Unhold, QueueFront], State::Queued, attempts, lost)
        }
        (State::Delayed(due), Event::Due) if due <= now => {
            turn(&[Wake, QueueBack], State::Queued, attempts, lost)
        }
        (State::Queued, Event::Cancel) => turn(&[End], State::Cancelled, attempts, lost),
        (State::Delayed(_), Event::Cancel) => turn(&[Wake, End], State::Cancelled, attempts, lost),
        (State::Leased(_), Event::Cancel) => turn(&[Unhold, End], State::Cancelled, attempts, lost),
        (State::Dead(_), Event::Revive) => turn(&[Exhume, QueueBack], State::Queued, 0, 0),
        (state, event) => {
            let answer = answer_unchanged(&state, &event);
            Turn { answer, effects: Vec::new(), next: Life { state, attempts, lost } }
        }
    }
}

/// An event that changes nothing: was it applied before, or does it not fit?
fn answer_unchanged(state: &State, event: &Event) -> Answer {
    match (state, event) {
        (State::Final(given), Event::Finish(token)) if given == token => Answer::Repeated,
        (State::Cancelled, Event::Cancel) => Answer::Repeated,
        _ => Answer::Refused,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::id::{Incarnation, Place};

    const RULES: Rules = Rules { crashes: 3, attempts: 5 };

    fn token(n: u64) -> Token {
        let place = Place::new("node").unwrap();
        let who = Incarnation::parse(&format!("{place}/w")).unwrap();
        Token::new(&who, n, 0)
    }

    fn life(state: State, attempts: u32, lost: u32) -> Life {
        Life { state, attempts, lost }
    }

    #[test]
    fn each_rule() {
        use Effect::{Bury, Delay, End, Exhume, Hold, QueueBack, QueueFront, Unhold, Wake};
        use State::{Cancelled, Dead, Delayed, Final, Leased, Queued};
        let (t, s) = (|| token(1), Duration::from_millis(500));
        let table = [
            (life(Queued, 0, 0), Event::Claim(t()), vec![Hold], life(Leased(t()), 1, 0)),
            (
                life(Leased(t()), 1, 0),
                Event::Finish(t()),
                vec![Unhold, End],
                life(Final(t()), 1, 0),
            ),
            (
                life(Leased(t()), 4, 0),
                Event::Retry(t(), s),
                vec![Unhold, Delay(1500)],
                life(Delayed(1500), 4, 0),
            ),
            (
                life(Leased(t()), 5, 0),
                Event::Retry(t(), s),
                vec![Unhold, Bury, End],
                life(Dead(Why::Attempts), 5, 0),
            ),
            (
                life(Leased(t()), 2, 1),
                Event::HandBack(t()),
                vec![Unhold, QueueFront],
                life(Queued, 1, 1),
            ),
            (
                life(Leased(t()), 1, 0),
                Event::Bury(t()),
                vec![Unhold, Bury, End],
                life(Dead(Why::Buried), 1, 0),
            ),
            (
                life(Leased(t()), 1, 1),
                Event::Lose(t()),
                vec![Unhold, QueueFront],
                life(Queued, 1, 2),
            ),
            (
                life(Leased(t()), 3, 2),
                Event::Lose(t()),
                vec![Unhold, Bury, End],
                life(Dead(Why::Crashes), 3, 3),
            ),
            (
                life(Leased(t()), 1, 0),
                Event::Forget(t()),
                vec![Unhold, QueueFront],
                life(Queued, 1, 0),
            ),
            (life(Delayed(1000), 1, 0), Event::Due, vec![Wake, QueueBack], life(Queued, 1, 0)),
            (life(Queued, 1, 0), Event::Cancel, vec![End], life(Cancelled, 1, 0)),
            (life(Delayed(9), 1, 0), Event::Cancel, vec![Wake, End], life(Cancelled, 1, 0)),
            (life(Leased(t()), 1, 0), Event::Cancel, vec![Unhold, End], life(Cancelled, 1, 0)),
            (
                life(Dead(Why::Crashes), 3, 3),
                Event::Revive,
                vec![Exhume, QueueBack],
                life(Queued, 0, 0),
            ),
        ];
        for (before, event, effects, next) in table {
            let turn = transition(&RULES, before.clone(), event.clone(), 1000);
            let wanted = Turn { answer: Answer::Applied, effects, next };
            assert_eq!(turn, wanted, "{event:?} on {before:?}");
        }
    }

    #[test]
    fn what_was_applied_before_is_told_from_what_comes_too_late() {
        let done = life(State::Final(token(1)), 1, 0);
        let answer = |event| transition(&RULES, done.clone(), event, 0).answer;
        assert_eq!(answer(Event::Finish(token(1))), Answer::Repeated);
        assert_eq!(answer(Event::Finish(token(2))), Answer::Refused);
        assert_eq!(answer(Event::Cancel), Answer::Refused);
        let off = life(State::Cancelled, 1, 0);
        assert_eq!(transition(&RULES, off, Event::Cancel, 0).answer, Answer::Repeated);
    }

    fn tokens() -> impl Strategy<Value = Token> {
        (0..3_u64).prop_map(token)
    }

    fn states() -> impl Strategy<Value = State> {
        prop_oneof![
            Just(State::Queued),
            tokens().prop_map(State::Leased),
            (0..2000_u64).prop_map(State::Delayed),
            tokens().prop_map(State::Final),
            Just(State::Dead(Why::Crashes)),
            Just(State::Cancelled),
        ]
    }

    fn events() -> impl Strategy<Value = Event> {
        prop_oneof![
            tokens().prop_map(Event::Claim),
            tokens().prop_map(Event::Finish),
            (tokens(), 0..100_u64)
                .prop_map(|(token, ms)| Event::Retry(token, Duration::from_millis(ms))),
            tokens().prop_map(Event::HandBack),
            tokens().prop_map(Event::Bury),
            tokens().prop_map(Event::Lose),
            tokens().prop_map(Event::Forget),
            Just(Event::Due),
            Just(Event::Cancel),
            Just(Event::Revive),
        ]
    }

    fn token_of(event: &Event) -> Option<&Token> {
        match event {
            Event::Finish(token)
            | Event::Retry(token, _)
            | Event::HandBack(token)
            | Event::Bury(token)
            | Event::Lose(token)
            | Event::Forget(token) => Some(token),
            Event::Claim(_) | Event::Due | Event::Cancel | Event::Revive => None,
        }
    }

    proptest! {
        #[test]
        fn any_event_on_any_job(
            state in states(), attempts in 0..7_u32, lost in 0..3_u32, event in events(),
        ) {
            let before = life(state, attempts, lost);
            let turn = transition(&RULES, before.clone(), event.clone(), 1000);
            // Nothing happens halfway.
            if turn.answer != Answer::Applied {
                prop_assert_eq!(&turn.next, &before);
                prop_assert!(turn.effects.is_empty());
                return Ok(());
            }
            // Who does not know the token changes nothing.
            if let Some(token) = token_of(&event) {
                prop_assert_eq!(&before.state, &State::Leased(token.clone()));
            }
            // Ended is ended.
            let ended = |state: &State| {
                matches!(state, State::Final(_) | State::Dead(_) | State::Cancelled)
            };
            prop_assert!(!ended(&before.state) || event == Event::Revive);
            prop_assert_eq!(turn.effects.contains(&Effect::End), ended(&turn.next.state));
            // A place is left and a place is taken.
            let was_held = matches!(before.state, State::Leased(_));
            prop_assert_eq!(turn.effects.contains(&Effect::Unhold), was_held);
            let is_queued = turn.next.state == State::Queued;
            let queues = turn.effects.iter().filter(|e| {
                matches!(e, Effect::QueueFront | Effect::QueueBack)
            });
            prop_assert_eq!(queues.count(), usize::from(is_queued));
            // Crashes are counted for crashes alone, attempts for claims alone.
            let loses = matches!(event, Event::Lose(_));
            prop_assert!(turn.next.lost == before.lost + u32::from(loses) || event == Event::Revive);
            prop_assert!(turn.next.attempts <= before.attempts || matches!(event, Event::Claim(_)));
        }
    }
}
