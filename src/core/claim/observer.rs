//! A member that only observes, beside Sentinels that decide: as long as there is no Lease it answers clients and routes by what
//! they say. The claimant then never wishes for anything but reads and patches of the Service.

use super::claimant::{Claimant, View};
use super::facts::Wish;
use super::group::Primary;

impl Claimant {
    /// Whether it goes by what Sentinels say: it only observes, and there is no Lease, or none that says yet who is primary. Where
    /// one does, it alone counts.
    #[must_use]
    pub const fn is_leaderless(&self) -> bool {
        let open = match &self.view {
            View::Unknown => false,
            View::Missing { .. } => true,
            View::Is(sight) => sight.lease.primary.is_none(),
        };
        self.config.observe && open
    }

    /// Whether the Service is led by what Sentinels were heard to say.
    #[must_use]
    pub const fn routes_by_sentinels(&self) -> bool {
        self.followed.is_some()
    }

    /// Never back in epoch. At the same one it may be another Pod of the same name, or at another address. What was only read off
    /// the Service is no reason to lead it anywhere.
    pub(super) fn follow_sentinels(&mut self, primary: Primary, heard: bool, out: &mut Vec<Wish>) {
        let newer = |known: &Primary| {
            known.epoch < primary.epoch
                || known.epoch == primary.epoch && known.instance.pod == primary.instance.pod
        };
        if !self.is_leaderless() || !self.remembered.as_ref().is_none_or(newer) {
            return;
        }
        self.heard = self.heard.max(primary.epoch);
        self.followed = heard.then(|| primary.clone());
        self.remembered = Some(primary.clone());
        out.push(Wish::Switched(Box::new(primary)));
    }
}
