//! Asks workers that are ready which engine they use and of which version they are: nothing else in
//! the cluster knows. Beside the looks, as a worker may be out of reach and nobody is to wait for it.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::net::IpAddr;
use std::time::Duration;

use futures_util::future::join_all;

use crate::ask::{Word, ask};
use crate::context::Context;
use crate::watch::TOGETHER;
use crate::work::Ended;
use crate::world::Key;

/// After a look, so long until workers are asked: a rollout makes many ready within seconds.
pub(crate) const SOON: Duration = Duration::from_secs(2);
/// Clusters whose workers are asked at a time: one whose workers are out of reach takes a second.
pub(crate) const GREETERS: usize = 4;
/// Workers of a cluster that are asked at a time. When none of them answers the rest is not asked: the operator
/// is in a network that does not reach them.
const AT_ONCE: usize = 16;
/// Versions in a status.
const VERSIONS: usize = 3;

/// What workers have said of themselves, by the uid of their pod.
#[derive(Debug, Default)]
pub(crate) struct Acquaintance(HashMap<Box<str>, (&'static str, Box<str>)>);

/// What they say together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manner {
    /// The engines, sorted: `native`, or `isolate,native` where nodes differ.
    pub engine: String,
    /// The versions, sorted, at most three.
    pub version: String,
}

impl Acquaintance {
    /// Forgets whoever is not `there`, and tells who is new.
    fn strangers<'a>(
        &mut self,
        there: impl Iterator<Item = (&'a str, IpAddr)>,
    ) -> Vec<(Box<str>, IpAddr)> {
        let there: HashMap<&str, IpAddr> = there.collect();
        self.0.retain(|uid, _| there.contains_key(&**uid));
        let known: HashSet<&str> = self.0.keys().map(|uid| &**uid).collect();
        let new = there.iter().filter(|(uid, _)| !known.contains(*uid));
        new.map(|(uid, address)| (Box::from(*uid), *address)).collect()
    }

    /// Takes a worker's word. Returns whether it said what is asked for.
    fn note(&mut self, uid: &str, word: Option<&Word>) -> bool {
        let Some((engine, version)) = word.and_then(Word::manner) else { return false };
        self.0.insert(uid.into(), (engine, version.into()));
        true
    }

    /// What all say together; `None` while nobody has said a word.
    pub(crate) fn manner(&self) -> Option<Manner> {
        let engines: BTreeSet<&str> = self.0.values().map(|(engine, _)| *engine).collect();
        let versions: BTreeSet<&str> = self.0.values().map(|(_, version)| &**version).collect();
        let list = |names: BTreeSet<&str>, most| {
            let names: Vec<&str> = names.into_iter().take(most).collect();
            names.join(",")
        };
        let manner = || Manner { engine: list(engines, 2), version: list(versions, VERSIONS) };
        (!self.0.is_empty()).then(manner)
    }
}

/// Greets workers until the queue is closed.
pub(crate) async fn work(context: &Context) {
    while let Some(key) = context.greetings.next().await {
        let ended = greet(context, &key).await;
        context.greetings.done(&key, ended);
    }
}

/// All strangers of one cluster. As a failure counts when some say nothing: they are asked later and
/// later.
async fn greet(context: &Context, key: &Key) -> Ended {
    let (before, strangers) = {
        let sight = context.world.sight();
        // Nothing is remembered of a cluster that has just gone.
        if sight.cluster(key).is_none() {
            return Ended::Well(None);
        }
        let ready = sight.pods(key).filter(|(_, pod)| pod.ready && !pod.stopping);
        let there = ready.filter_map(|(_, pod)| Some((&*pod.uid, pod.address?)));
        context.memo(key, |memo| {
            let before = memo.acquaintance.manner();
            (before, memo.acquaintance.strangers(there))
        })
    };
    let mut silent = false;
    for some in strangers.chunks(AT_ONCE) {
        let words = join_all(some.iter().map(|(_, address)| ask(*address))).await;
        if context.world.sight().cluster(key).is_none() {
            return Ended::Well(None);
        }
        let answered = context.memo(key, |memo| {
            let said = some.iter().zip(&words);
            said.filter(|((uid, _), word)| memo.acquaintance.note(uid, word.as_ref())).count()
        });
        silent |= answered < some.len();
        if answered == 0 {
            break;
        }
    }
    if context.memo(key, |memo| memo.acquaintance.manner()) != before {
        context.work.add(key, TOGETHER);
    }
    if silent { Ended::Failed } else { Ended::Well(None) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ask::tests::word;

    fn there(names: &[&'static str]) -> impl Iterator<Item = (&'static str, IpAddr)> {
        let address: IpAddr = "10.0.0.1".parse().unwrap();
        names.iter().map(move |name| (*name, address))
    }

    #[test]
    fn who_is_known_is_not_asked_again_and_who_is_gone_is_forgotten() {
        let mut all = Acquaintance::default();
        assert_eq!((all.strangers(there(&["a", "b"])).len(), all.manner()), (2, None));
        assert!(all.note("a", Some(&word("native", "0.1.0"))));
        assert!(!all.note("b", None), "one that says nothing stays a stranger");
        assert_eq!(all.strangers(there(&["a", "b"])).len(), 1);
        assert_eq!(all.strangers(there(&["b"])).len(), 1);
        assert_eq!(all.manner(), None, "a is gone");
    }

    #[test]
    fn what_they_say_together() {
        let mut all = Acquaintance::default();
        for (uid, engine, version) in
            [("a", "native", "0.2.0"), ("b", "isolate", "0.1.0"), ("c", "native", "0.2.0")]
        {
            all.note(uid, Some(&word(engine, version)));
        }
        let manner = all.manner().unwrap();
        assert_eq!((&*manner.engine, &*manner.version), ("isolate,native", "0.1.0,0.2.0"));
    }
}
