//! The model's lists: jobs of a tenant that are listed and counted, and jobs that are forgotten.

use crate::id::{JobId, Label, Tenant};
use crate::job::Listing;
use crate::memory::model::{List, Model};
use crate::settings::millis;
use crate::store::{GROUP_TTL, LISTED, TALLY_LABELS};
use crate::transition::{Millis, State};
use crate::view::{Counted, Listed};

impl List {
    fn forget_if(&mut self, due: bool) {
        if due {
            self.ids.clear();
            self.places.clear();
        }
    }
}

impl Model {
    /// Lists a job that was just added.
    pub(super) fn list(&mut self, id: &JobId, tenant: &Tenant, listing: Listing, now: Millis) {
        let Listing { group, label } = listing;
        let forgotten = millis(self.settings.remembered);
        let list = self.lists_of.entry(tenant.clone()).or_default();
        list.forget_if(list.added + forgotten <= now);
        list.added = now;
        list.last += 1;
        list.ids.insert(list.last, id.clone());
        // One that was forgotten and handed in again stands where it came last.
        if let Some(before) = list.places.insert(id.clone(), list.last) {
            list.ids.remove(&before);
        }
        if list.ids.len() > LISTED
            && let Some((_, oldest)) = list.ids.pop_first()
        {
            list.places.remove(&oldest);
        }
        if list.labels.len() < TALLY_LABELS || list.labels.contains_key(&label) {
            *list.labels.entry(label).or_default() += 1;
        }
        list.groups.retain(|_, (_, at)| *at + millis(GROUP_TTL) > now);
        let (count, at) = list.groups.entry(group).or_default();
        (*count, *at) = (*count + 1, now);
    }

    pub(crate) fn listed(
        &mut self,
        tenant: &Tenant,
        skip: usize,
        most: usize,
        now: Millis,
    ) -> Listed {
        self.purge(now);
        let forgotten = millis(self.settings.remembered);
        let Some(list) = self.lists_of.get_mut(tenant) else { return Listed::default() };
        list.forget_if(list.added + forgotten <= now);
        let jobs = &self.jobs;
        list.ids.retain(|_, id| jobs.contains_key(id));
        list.places.retain(|id, _| jobs.contains_key(id));
        let ids = list.ids.values().rev().skip(skip).take(most).cloned().collect();
        Listed { ids, total: list.ids.len() as u64 }
    }

    pub(crate) fn counted(&self, tenant: &Tenant, groups: &[Label], now: Millis) -> Counted {
        let list = self.lists_of.get(tenant);
        let count = |group: &Label| {
            let known = list.and_then(|list| list.groups.get(group));
            known.filter(|(_, at)| *at + millis(GROUP_TTL) > now).map_or(0, |(count, _)| *count)
        };
        let labels = list.map(|list| list.labels.clone()).unwrap_or_default();
        Counted { labels, groups: groups.iter().map(count).collect() }
    }

    pub(crate) fn forget(&mut self, id: &JobId, now: Millis) -> bool {
        self.purge(now);
        let Some(record) = self.jobs.get(id) else { return false };
        match record.life.state {
            State::Queued | State::Leased(_) | State::Delayed(_) => return false,
            State::Final(_) | State::Dead(_) | State::Cancelled => {}
        }
        if let Some(at) = record.expires {
            self.expiry.remove(&(at, id.clone()));
        }
        self.dead.retain(|(_, dead)| dead != id);
        if let Some(list) = self.lists_of.get_mut(&record.tenant)
            && let Some(place) = list.places.remove(id)
        {
            list.ids.remove(&place);
        }
        self.remove(id);
        true
    }
}
