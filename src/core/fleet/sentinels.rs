//! What Sentinels beside this fleet say of who is primary, in their hellos. Under `vedette observe yes` it is followed as long as no
//! Lease says who is.
//!
//! A word at a later epoch than the one that is followed is followed at once, as Sentinels do among each other. But Sentinels that
//! were set up anew count from 0 again, and a Service may keep a later epoch of a time in which this fleet decided. Then they must
//! agree for a while, and the epoch that clients and the Service see goes on upwards all the same.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use crate::core::hello::{Hello, MAX_PEERS};
use crate::core::time::Time;

/// A word counts for so long; Sentinels repeat theirs every two seconds.
const FRESH: Duration = Duration::from_secs(6);
/// A Sentinel that is silent for so long is none of those any more of whom a majority must agree.
const FORGOTTEN: Duration = Duration::from_secs(60);
/// How long they must agree on another primary where their epochs don't say that it is the later one.
const AGREED: Duration = Duration::from_secs(10);
/// What is not clear is looked at again after so long.
const AGAIN: Duration = Duration::from_secs(1);
/// Epochs from here on are nobody's: there must be room above them on a Service.
const ABOVE_ALL: u64 = 1 << 52;
/// Longest name of a host.
const LONGEST_HOST: usize = 253;

/// One Sentinel's last word.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Word {
    /// The primary's host, as it was named.
    host: String,
    port: u16,
    /// The config epoch.
    epoch: u64,
    heard_at: Time,
}

/// A primary, by its Pod's name, and the epoch at which it is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reign {
    pub(super) pod: String,
    pub(super) epoch: u64,
}

/// What a look came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing is heard.
    Silence,
    /// That one is primary, at an epoch of this fleet's counting.
    Follow(Reign),
    /// It is not clear so far.
    Unclear,
    /// They name somebody who is no Pod of the group.
    Stranger(String),
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Sentinels {
    /// By the Sentinels' ids.
    words: BTreeMap<String, Word>,
    /// The Pod that is followed, and the Sentinels' own epoch of that.
    followed: Option<Reign>,
    /// Since when all that are heard agree on that Pod.
    agreed: Option<(String, Time)>,
    look_at: Option<Time>,
}

impl Sentinels {
    /// Hears a hello. Whether it says something new.
    pub(super) fn hear(&mut self, hello: &Hello<'_>, now: Time) -> bool {
        let host = hello.primary_host;
        if hello.config_epoch >= ABOVE_ALL || host.is_empty() || host.len() > LONGEST_HOST {
            return false;
        }
        if !self.words.contains_key(hello.run_id) {
            self.words.retain(|_, word| now < word.heard_at + FORGOTTEN);
            if self.words.len() >= MAX_PEERS {
                return false;
            }
        }
        let word = Word {
            host: host.to_owned(),
            port: hello.primary_port,
            epoch: hello.config_epoch,
            heard_at: now,
        };
        let before = self.words.insert(hello.run_id.to_owned(), word);
        before.is_none_or(|before| {
            let same = before.host == host && before.port == hello.primary_port;
            !same || before.epoch != hello.config_epoch || now >= before.heard_at + FRESH
        })
    }

    /// When a look is due without news.
    pub(super) const fn next_deadline(&self) -> Option<Time> {
        self.look_at
    }

    /// Who is primary by what is heard. `known` is followed so far; `service` is what the Service says, if it says an epoch;
    /// `pod` finds the Pod at an address; `quorum` Sentinels must agree where epochs don't tell.
    pub(super) fn judge(
        &mut self,
        known: Option<&Reign>,
        service: Option<&Reign>,
        quorum: usize,
        pod: impl Fn(&str, u16) -> Option<String>,
        now: Time,
    ) -> Verdict {
        self.look_at = None;
        let fresh = || self.words.values().filter(|word| now < word.heard_at + FRESH);
        let Some(newest) = fresh().max_by_key(|word| word.epoch).cloned() else {
            self.agreed = None;
            return Verdict::Silence;
        };
        // Words lapse without a sound.
        self.look_at = Some(now + AGAIN);
        let mut named: Vec<Option<String>> = fresh()
            .filter(|word| word.epoch == newest.epoch)
            .map(|word| pod(&word.host, word.port))
            .collect();
        named.sort();
        named.dedup();
        let said = match (named.as_slice(), known) {
            ([Some(one)], _) => one.clone(),
            ([None], _) => {
                self.agreed = None;
                return Verdict::Stranger(format!("{}:{}", newest.host, newest.port));
            }
            (_, Some(known)) if named.iter().flatten().any(|one| *one == known.pod) => known.pod.clone(),
            (_, Some(_) | None) => {
                self.agreed = None;
                return Verdict::Unclear;
            }
        };
        let heard = fresh().filter(|word| pod(&word.host, word.port).as_ref() == Some(&said)).count();
        let all = fresh().count();
        let there = self.words.values().filter(|word| now < word.heard_at + FORGOTTEN).count();
        let agree = heard == all && heard >= quorum.max(1) && heard > there / 2;
        let since = match self.agreed.take() {
            _ if !agree => None,
            Some((one, since)) if one == said => Some(since),
            Some(_) | None => Some(now),
        };
        self.agreed = since.map(|since| (said.clone(), since));
        let sure = since.is_some_and(|since| now >= since + AGREED);
        // What was not heard from a Sentinel is as late as the fleet counted it, and no better than what is.
        let theirs =
            self.followed.as_ref().filter(|theirs| known.is_some_and(|known| known.pod == theirs.pod));
        let before = theirs.map(|theirs| theirs.epoch).or(known.and_then(|known| known.epoch.checked_sub(1)));
        let epoch = epoch_of((&said, newest.epoch), (known, before), service, sure);
        match epoch {
            Some(epoch) => {
                self.look_at = None;
                self.followed = Some(Reign { pod: said.clone(), epoch: newest.epoch });
                Verdict::Follow(Reign { pod: said, epoch })
            }
            None => {
                // They may have agreed for long before then.
                let agreed = since.map(|since| since + AGREED).filter(|at| *at > now);
                self.look_at = agreed.into_iter().chain(self.look_at).min();
                Verdict::Unclear
            }
        }
    }
}

/// At which epoch that one is to be followed; nothing if it is not to be yet. `before` is the Sentinels' epoch of the one that is
/// followed so far.
fn epoch_of(
    (pod, theirs): (&str, u64),
    (known, before): (Option<&Reign>, Option<u64>),
    service: Option<&Reign>,
    sure: bool,
) -> Option<u64> {
    let same = known.is_some_and(|known| known.pod == pod);
    let least = known.map_or(0, |known| if same { known.epoch } else { known.epoch.saturating_add(1) });
    let mut epoch = least.max(theirs);
    let mut against = false;
    match service {
        Some(service) if service.pod == pod => epoch = epoch.max(service.epoch),
        // At the same epoch it was edited by hand, and is put right.
        Some(service) => against = service.epoch > epoch || (service.epoch == epoch && !same),
        None => {}
    }
    let later = before.is_none_or(|before| theirs > before);
    if (same || later) && !against {
        return Some(epoch);
    }
    let above =
        service.filter(|service| service.pod != pod).map_or(0, |service| service.epoch.saturating_add(1));
    sure.then_some(epoch.max(above))
}

/// Whether the host of a hello is that Pod: its address, or a name that begins with the Pod's.
pub(super) fn is_pod(host: &str, pod: &str, ip: Option<IpAddr>) -> bool {
    match host.parse::<IpAddr>() {
        Ok(host) => ip == Some(host),
        Err(_) => host.split('.').next().is_some_and(|label| label.eq_ignore_ascii_case(pod)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is followed, and the Service, as a member keeps them.
    #[derive(Default)]
    struct Member {
        sentinels: Sentinels,
        known: Option<Reign>,
        service: Option<Reign>,
    }

    fn reign(pod: &str, epoch: u64) -> Reign {
        Reign { pod: pod.to_owned(), epoch }
    }

    impl Member {
        fn hear(&mut self, sentinel: &str, host: &str, epoch: u64, at: u64) {
            let text = format!("10.0.9.9,26379,{sentinel},{epoch},g,{host},6379,{epoch}");
            self.sentinels.hear(&Hello::parse(&text).unwrap(), Time::from_millis(at));
        }

        fn all(&mut self, host: &str, epoch: u64, at: u64) {
            for sentinel in ["s1", "s2", "s3"] {
                self.hear(sentinel, host, epoch, at);
            }
        }

        /// Judges, and follows.
        fn judge(&mut self, at: u64) -> Verdict {
            let pods = [("a", "10.0.0.1"), ("b", "10.0.0.2"), ("c", "10.0.0.3")];
            let find = |host: &str, port: u16| {
                let found = pods.iter().find(|(pod, ip)| port == 6379 && is_pod(host, pod, ip.parse().ok()));
                found.map(|(pod, _)| (*pod).to_owned())
            };
            let (known, service) = (self.known.as_ref(), self.service.as_ref());
            let verdict = self.sentinels.judge(known, service, 2, find, Time::from_millis(at));
            if let Verdict::Follow(reign) = &verdict {
                self.known = Some(reign.clone());
            }
            verdict
        }
    }

    #[test]
    fn a_later_epoch_is_followed_at_once_and_an_earlier_one_is_not() {
        let mut member = Member::default();
        assert_eq!(member.judge(0), Verdict::Silence);
        member.all("10.0.0.1", 0, 0);
        assert_eq!(member.judge(0), Verdict::Follow(reign("a", 0)));
        member.hear("s1", "10.0.0.2", 1, 100);
        assert_eq!(member.judge(100), Verdict::Follow(reign("b", 1)));
        // The others come later, or were cut off.
        member.hear("s2", "10.0.0.1", 0, 200);
        assert_eq!(member.judge(200), Verdict::Follow(reign("b", 1)));
        assert_eq!(member.sentinels.next_deadline(), None);
    }

    #[test]
    fn a_pod_is_known_by_its_address_or_by_its_name() {
        assert!(is_pod("10.0.0.1", "a", "10.0.0.1".parse().ok()));
        assert!(is_pod("redis-node-0.redis-headless.ns.svc.cluster.local", "redis-node-0", None));
        assert!(is_pod("redis-node-0", "redis-node-0", None));
        assert!(!is_pod("redis-node-10.redis-headless", "redis-node-1", None));
        assert!(!is_pod("10.0.0.1", "10", "10.0.0.2".parse().ok()));
        assert!(is_pod("fd00::1", "a", "fd00:0:0::1".parse().ok()));
    }

    #[test]
    fn who_is_no_pod_is_a_stranger() {
        let mut member = Member::default();
        member.all("10.0.0.1", 3, 0);
        member.judge(0);
        member.hear("s1", "10.7.7.7", 4, 100);
        assert_eq!(member.judge(100), Verdict::Stranger("10.7.7.7:6379".to_owned()));
        assert_eq!(member.known, Some(reign("a", 3)));
    }

    #[test]
    fn sentinels_that_were_set_up_anew_are_followed_once_they_agree() {
        let mut member = Member::default();
        member.all("10.0.0.1", 5, 0);
        member.judge(0);
        member.service = Some(reign("a", 5));
        // One of them is not all.
        member.hear("s1", "10.0.0.2", 0, 1000);
        assert_eq!(member.judge(1000), Verdict::Follow(reign("a", 5)));
        for at in [8000, 12_000, 17_000] {
            member.all("10.0.0.2", 0, at);
            assert_eq!(member.judge(at), Verdict::Unclear, "{at}");
        }
        member.all("10.0.0.2", 0, 18_000);
        assert_eq!(member.judge(18_000), Verdict::Follow(reign("b", 6)), "its epoch goes on upwards");
        // Their next failover is followed at once.
        member.hear("s2", "10.0.0.3", 1, 18_100);
        assert_eq!(member.judge(18_100), Verdict::Follow(reign("c", 7)));
    }

    #[test]
    fn a_few_that_are_cut_off_with_the_old_primary_are_not_enough() {
        let mut member = Member::default();
        member.all("10.0.0.1", 5, 0);
        member.judge(0);
        // Another member heard of a failover that this one can't hear of.
        member.service = Some(reign("b", 6));
        for at in (1000..60_000).step_by(1000) {
            member.hear("s1", "10.0.0.1", 5, at);
            member.judge(at);
            assert_eq!(member.known, Some(reign("a", 5)), "{at}");
        }
    }

    #[test]
    fn who_contradicts_the_others_is_waited_for_to_fall_silent() {
        let mut member = Member::default();
        member.hear("s1", "10.0.0.1", 0, 0);
        member.hear("s2", "10.0.0.2", 0, 0);
        member.hear("s3", "10.0.0.2", 0, 0);
        assert_eq!(member.judge(0), Verdict::Unclear);
        for at in [2000, 4000] {
            member.hear("s2", "10.0.0.2", 0, at);
            member.hear("s3", "10.0.0.2", 0, at);
        }
        // Nothing new is said any more, and yet it is looked at.
        assert!(member.sentinels.next_deadline().is_some());
        assert_eq!(member.judge(6001), Verdict::Follow(reign("b", 0)));
        assert_eq!(member.sentinels.next_deadline(), None);
    }

    #[test]
    fn a_service_that_is_ahead_is_overtaken() {
        // The fleet decided before, up to epoch 2005; then Sentinels began at 0.
        let mut member =
            Member { known: Some(reign("b", 2005)), service: Some(reign("b", 2005)), ..Member::default() };
        member.all("10.0.0.2", 0, 0);
        assert_eq!(member.judge(0), Verdict::Follow(reign("b", 2005)));
        member.hear("s1", "10.0.0.3", 1, 100);
        assert_eq!(member.judge(100), Verdict::Follow(reign("c", 2006)));
        // A member that comes now finds the Service as it is.
        let mut other = Member { service: Some(reign("c", 2006)), ..Member::default() };
        other.hear("s1", "10.0.0.3", 1, 200);
        assert_eq!(other.judge(200), Verdict::Follow(reign("c", 2006)));
    }

    #[test]
    fn a_member_that_was_behind_takes_over_the_epoch_of_the_others() {
        let mut member =
            Member { known: Some(reign("a", 5)), service: Some(reign("b", 9)), ..Member::default() };
        member.hear("s1", "10.0.0.2", 6, 0);
        assert_eq!(member.judge(0), Verdict::Follow(reign("b", 9)));
    }

    #[test]
    fn a_service_that_was_led_elsewhere_keeps_its_epoch() {
        let mut member = Member::default();
        member.all("10.0.0.1", 5, 0);
        member.judge(0);
        member.service = Some(reign("c", 5));
        assert_eq!(member.judge(100), Verdict::Follow(reign("a", 5)));
    }

    #[test]
    fn what_was_read_off_the_service_is_no_better_than_a_word() {
        // Somebody led it to b, and this member has heard nobody before.
        for epoch in [0, 5] {
            let service = Some(reign("b", epoch));
            let mut member = Member { known: service.clone(), service, ..Member::default() };
            member.hear("s1", "10.0.0.1", epoch, 0);
            assert_eq!(member.judge(0), Verdict::Follow(reign("a", epoch + 1)));
            let service = Some(reign("b", epoch));
            let mut member = Member { known: service.clone(), service, ..Member::default() };
            if epoch > 0 {
                member.hear("s1", "10.0.0.1", epoch - 1, 0);
                assert_eq!(member.judge(0), Verdict::Unclear, "that one is late");
            }
        }
    }

    #[test]
    fn words_lapse_and_their_number_is_bounded() {
        let mut member = Member::default();
        member.all("10.0.0.1", 5, 0);
        assert_eq!(member.judge(6000), Verdict::Silence);
        for number in 0..2 * MAX_PEERS {
            member.hear(&format!("x{number}"), "10.0.0.1", 5, 61_000);
        }
        assert_eq!(member.sentinels.words.len(), MAX_PEERS);
        let absurd = format!("10.0.9.9,26379,s9,0,g,10.0.0.1,6379,{}", 1_u64 << 60);
        assert!(!member.sentinels.hear(&Hello::parse(&absurd).unwrap(), Time::from_millis(130_000)));
    }
}
