//! Under `vedette observe yes`: what Sentinels beside this fleet say reaches the group's claim, which routes and never acts.

use super::scope::{EPOCH, epoch_of};
use super::sentinels::{Reign, Verdict, is_pod};
use super::ward::{Desk, Ward};
use crate::core::action::{Actions, Level};
use crate::core::claim::{Fact, Instance, Primary, Rest};
use crate::core::cluster::{Kind, POD_KEY};
use crate::core::engine::{Engine, Owner};
use crate::core::hello::Hello;
use crate::core::ids::RunId;
use crate::core::link::LinkId;
use crate::core::time::Time;

impl Engine {
    /// Takes a hello that came by the subscription at a data node of this fleet.
    pub(crate) fn overhear(&mut self, link: LinkId, text: &str, now: Time, out: &mut Actions) {
        if !self.fleet.as_ref().is_some_and(|fleet| fleet.config.observe) {
            return;
        }
        let Some(hello) = Hello::parse(text) else { return };
        let Some(&Owner::Node(id, _)) = self.owners.get(&link) else { return };
        let mut news = false;
        self.with_ward(id, now, out, |ward, desk| {
            if hello.group == desk.group.name.as_str() && ward.sentinels.hear(&hello, now) {
                // A claim of this fleet begins above all that was heard.
                desk.membership.committed(hello.config_epoch);
                news = true;
            }
        });
        if news {
            self.shared.touched.insert(id);
        }
    }
}

impl Ward {
    /// Tells the claim whom the Sentinels name.
    pub(super) fn mind_sentinels(&mut self, desk: &mut Desk<'_, '_>) {
        if !desk.config.observe
            || !desk.objects.is_listed(Kind::Pod)
            || !desk.objects.is_listed(Kind::Service)
        {
            return;
        }
        let known = self
            .claimant
            .committed()
            .map(|primary| Reign { pod: primary.instance.pod.clone(), epoch: primary.epoch });
        let routed = self.routed(desk);
        let pods = &self.pods;
        let find = |host: &str, port: u16| {
            let mut places = pods.values();
            let there = |pod: &str, ip| is_pod(host, pod, ip);
            let place =
                places.find(|place| place.address.port == port && there(&place.pod, place.address.ip));
            place.map(|place| place.pod.clone())
        };
        let quorum = usize::try_from(desk.group.options.quorum).unwrap_or(usize::MAX);
        let verdict = self.sentinels.judge(known.as_ref(), routed.as_ref(), quorum, find, desk.cx.now);
        let strange = match &verdict {
            Verdict::Stranger(address) => Some(format!(
                "Sentinels name {address} as primary, which is no Pod of the group: nothing is routed there"
            )),
            Verdict::Follow(reign) if !self.claimant.is_leaderless() => {
                let other = known.as_ref().filter(|known| known.pod != reign.pod);
                other.map(|known| {
                    format!(
                        "Sentinels name {} as primary, but the group's Lease {} names {} and is what counts: while it is there \
                         they are not followed",
                        reign.pod, self.lease, known.pod
                    )
                })
            }
            Verdict::Silence | Verdict::Follow(_) | Verdict::Unclear => None,
        };
        if let Some(text) = strange.clone().filter(|_| strange != self.strange) {
            desk.cx.log(Level::Warning, Some(desk.group), text);
        }
        self.strange = strange;
        let (reign, heard) = match verdict {
            Verdict::Follow(reign) => (reign, true),
            // Whoever hears nothing goes by what another member heard and routed.
            Verdict::Silence => match routed {
                Some(routed) if known.as_ref().is_none_or(|known| known.epoch < routed.epoch) => {
                    (routed, false)
                }
                Some(_) | None => return,
            },
            Verdict::Stranger(_) | Verdict::Unclear => return,
        };
        self.follow(reign, heard, desk);
    }

    fn follow(&mut self, reign: Reign, heard: bool, desk: &mut Desk<'_, '_>) {
        if !self.claimant.is_leaderless() {
            return;
        }
        let Some((uid, place)) = self.pods.iter().find(|(_, place)| place.pod == reign.pod) else { return };
        let address = place.shown.clone();
        let instance = Instance { pod: reign.pod, uid: uid.clone(), address, run_id: RunId::from("") };
        let same = |known: &Primary| known.instance == instance && known.epoch == reign.epoch;
        if self.claimant.committed().is_some_and(same) && self.claimant.routes_by_sentinels() >= heard {
            return;
        }
        let source = if heard { "by what Sentinels say" } else { "by where the Service leads" };
        let text = format!("{} is primary at epoch {}, {source}", instance.pod, reign.epoch);
        desk.cx.log(Level::Notice, Some(desk.group), text);
        let primary = Primary {
            instance,
            replication_id: String::new(),
            offset: 0,
            epoch: reign.epoch,
            rest: Rest::new(),
        };
        self.tell(Fact::Followed(Box::new(primary), heard), desk);
    }

    /// Where the Service leads, and since which epoch; nothing if it says no epoch.
    fn routed(&self, desk: &Desk<'_, '_>) -> Option<Reign> {
        let service = self.leading_service(desk.objects)?;
        service.annotations.contains_key(EPOCH).then_some(())?;
        Some(Reign { pod: service.selector.get(POD_KEY)?.clone(), epoch: epoch_of(service) })
    }
}
