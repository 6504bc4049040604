//! Commands that only look, and the two that pass something on: IS-MASTER-DOWN-BY-ADDR and PUBLISH.

use super::words::Words;
use super::{NO_SUCH_GROUP, Outcome};
use crate::core::action::Actions;
use crate::core::engine::Engine;
use crate::core::hello::{CHANNEL, is_run_id};
use crate::core::ids::ClientId;
use crate::core::instance::Instance;
use crate::core::time::Time;
use crate::core::told::Told;
use crate::resp::Reply;

const NO_INTEGER: Reply = Reply::err("ERR value is not an integer or out of range");

impl Engine {
    pub(super) fn primaries(&self, now: Time) -> Reply {
        Reply::Array(self.groups.values().map(|group| self.row(group, &group.primary, now)).collect())
    }

    pub(super) fn primary(&self, words: &Words<'_>, now: Time) -> Reply {
        self.named(words, 2).map_or(NO_SUCH_GROUP, |group| self.row(group, &group.primary, now))
    }

    /// Those that don't want to be announced are left out.
    pub(super) fn replicas(&self, words: &Words<'_>, now: Time) -> Reply {
        let Some(group) = self.named(words, 2) else { return NO_SUCH_GROUP };
        let shown = |replica: &&Instance| replica.data().is_none_or(|data| data.announced);
        Reply::Array(
            group.replicas.values().filter(shown).map(|replica| self.row(group, replica, now)).collect(),
        )
    }

    pub(super) fn peers(&self, words: &Words<'_>, now: Time) -> Reply {
        let Some(group) = self.named(words, 2) else { return NO_SUCH_GROUP };
        Reply::Array(group.peers.values().map(|peer| self.row(group, peer, now)).collect())
    }

    /// Of all queries the one that an unknown name is no error for.
    pub(super) fn address_of(&mut self, words: &Words<'_>) -> Reply {
        let hostnames = self.shared.announce_hostnames;
        let group = self.named_id(words, 2).and_then(|id| self.groups.get_mut(&id));
        let Some(group) = group else { return Reply::NilArray };
        let address = &group.current().address;
        // Before the first Lease was seen nobody is known to be primary.
        if group.seat.is_some() && address.port == 0 {
            return Reply::NilArray;
        }
        if let Some(told) = group.told.as_ref().filter(|told| told.is_of(address, hostnames)) {
            return told.reply.clone();
        }
        let told = Told::new(address.clone(), hostnames);
        let reply = told.reply.clone();
        group.told = Some(told);
        reply
    }

    pub(super) fn check_quorum(&self, words: &Words<'_>, now: Time) -> Reply {
        let Some(group) = self.named(words, 2) else { return NO_SUCH_GROUP };
        if let Some(reply) = self.check_fleet(group, now) {
            return reply;
        }
        let usable = group.usable();
        let quorum = (!group.quorum_usable())
            .then_some("Not enough available Sentinels to reach the specified quorum for this master");
        let majority = (usable < group.majority())
            .then_some("Not enough available Sentinels to reach the majority and authorize a failover");
        let problems: Vec<_> = [quorum, majority].into_iter().flatten().collect();
        if problems.is_empty() {
            let text =
                format!("OK {usable} usable Sentinels. Quorum and failover authorization can be reached");
            return Reply::Simple(text.into());
        }
        Reply::error(format!("NOQUORUM {usable} usable Sentinels. {}", problems.join(". ")))
    }

    /// Epochs below zero are refused too: one that was taken would end all elections.
    pub(super) fn is_down(
        &mut self,
        client: ClientId,
        words: &Words<'_>,
        now: Time,
        out: &mut Actions,
    ) -> Outcome {
        let (Some(port), Some(epoch)) = (words.integer(3), words.integer(4)) else {
            return NO_INTEGER.into();
        };
        let Ok(epoch) = u64::try_from(epoch) else { return NO_INTEGER.into() };
        let (Ok(port), Some(host), Some(run_id)) = (u16::try_from(port), words.text(2), words.text(5)) else {
            // Nothing is known at such an address.
            return Reply::Array(vec![Reply::Int(0), Reply::bulk("*"), Reply::Int(0)]).into();
        };
        // What can be no daemon's id gets no vote.
        let run_id = if is_run_id(run_id) { run_id } else { "*" };
        self.asked(client, host, port, epoch, run_id, now, out);
        Outcome::Later
    }

    /// What each data node of the groups last answered to INFO, and its age.
    pub(super) fn info_cache(&self, words: &Words<'_>, now: Time) -> Reply {
        let mut seen = Vec::new();
        let mut rows = Vec::new();
        for index in 2..words.len() {
            let Some(group) = self.named(words, index) else { continue };
            if seen.contains(&group.id) {
                continue;
            }
            seen.push(group.id);
            let nodes =
                std::iter::once(&group.primary).chain(group.replicas.values()).filter_map(Instance::data);
            let infos = nodes.map(|data| {
                let age = data.info_at.map_or(0, |at| now.millis_since(at));
                let text = data.info_text.clone().map_or(Reply::Nil, Reply::Bulk);
                Reply::Array(vec![Reply::Int(i64::try_from(age).unwrap_or(i64::MAX)), text])
            });
            rows.push(Reply::bulk(group.name.as_str().to_owned()));
            rows.push(Reply::Array(infos.collect()));
        }
        Reply::Array(rows)
    }

    pub(super) fn pending_scripts(&self, now: Time) -> Reply {
        let rows = self.shared.scripts.rows(now).map(|row| {
            let argv = row.argv.iter().map(|word| Reply::bulk(word.clone())).collect();
            let (flags, time) =
                if row.running { ("running", "run-time") } else { ("scheduled", "run-delay") };
            Reply::Map(vec![
                (Reply::bulk("argv"), Reply::Array(argv)),
                (Reply::bulk("flags"), Reply::bulk(flags)),
                (Reply::bulk("pid"), Reply::number(row.pid)),
                (Reply::bulk(time), Reply::number(row.millis)),
                (Reply::bulk("retry-num"), Reply::number(row.runs)),
            ])
        });
        Reply::Array(rows.collect())
    }

    pub(super) fn role(&self) -> Reply {
        let names = self.groups.values().map(|group| Reply::bulk(group.name.as_str().to_owned()));
        Reply::Array(vec![Reply::bulk("sentinel"), Reply::Array(names.collect())])
    }

    /// Whatever a hello holds, it was received: its sender is answered `:1`.
    pub(super) fn publish(&mut self, words: &Words<'_>, now: Time, out: &mut Actions) -> Reply {
        if words.bytes(1) != CHANNEL.as_bytes() {
            return Reply::err("ERR Only HELLO messages are accepted by Sentinel instances.");
        }
        if let Some(text) = words.text(2) {
            self.hello(text, now, out);
        }
        Reply::Int(1)
    }
}

impl crate::core::group::Group {
    /// Whether enough daemons are usable for the quorum.
    pub(crate) fn quorum_usable(&self) -> bool {
        usize::try_from(self.options.quorum).is_ok_and(|quorum| self.usable() >= quorum)
    }
}
