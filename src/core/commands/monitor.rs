//! Which groups are watched, and from where on: MONITOR, REMOVE, RESET, FAILOVER.

use std::time::Duration;

use super::words::Words;
use super::{BUSY, NO_SUCH_GROUP, Outcome, when_saved};
use crate::core::action::{Actions, Level};
use crate::core::address::Lookup;
use crate::core::engine::{Engine, Waiting};
use crate::core::glob;
use crate::core::group::Which;
use crate::core::hello::MAX_WAITING;
use crate::core::ids::{ClientId, GroupName};
use crate::core::settings::{GroupSettings, HostPort};
use crate::core::switchover::Wanted;
use crate::core::time::Time;
use crate::resp::Reply;

/// After RESET nothing is discovered for so long, so that whoever asked can see the empty lists.
const BLIND: Duration = Duration::from_millis(100);

impl Engine {
    /// A host name is looked up first; the command is obeyed anew when the answer is there.
    pub(super) fn monitor(
        &mut self,
        client: ClientId,
        words: &Words<'_>,
        now: Time,
        out: &mut Actions,
    ) -> Outcome {
        if let Some(refusal) = words.refusal("MONITOR", |_| false) {
            return refusal.into();
        }
        let Some(quorum) = words.integer(5).filter(|quorum| *quorum <= i64::from(i32::MAX)) else {
            return Reply::err("ERR Invalid quorum").into();
        };
        let Some(port) = words.integer(4) else { return Reply::err("ERR Invalid port").into() };
        let Some(quorum) = u32::try_from(quorum).ok().filter(|quorum| *quorum > 0) else {
            return Reply::err("ERR Quorum must be 1 or greater.").into();
        };
        let (name, host) = (words.text(2).unwrap_or_default(), words.text(3).unwrap_or_default());
        match self.shared.names.lookup(host, now, out) {
            Lookup::Ip(_) => {}
            Lookup::Failed | Lookup::Disabled => {
                return Reply::err("ERR Invalid IP address or hostname specified").into();
            }
            Lookup::Asking => return self.wait_for(client, words, host),
        }
        let Ok(port) = u16::try_from(port) else { return Reply::err("ERR Invalid port number.").into() };
        if self.find(name).is_some() {
            return Reply::err("ERR Duplicate master name.").into();
        }
        let primary = HostPort { host: host.to_owned(), port };
        let mut settings = GroupSettings::new(GroupName::from(name), primary, quorum);
        settings.down_after = self.shared.params.default_down_after();
        settings.failover_timeout = self.shared.params.default_failover_timeout();
        let id = self.adopt_settings(settings, now);
        let (mut cx, parts) = self.split(now, out);
        if let Some(group) = parts.groups.get(&id) {
            cx.event(Level::Warning, "+monitor", group, &Which::Primary, &format!(" quorum {quorum}"));
        }
        when_saved(client, Reply::OK, &mut cx)
    }

    fn wait_for(&mut self, client: ClientId, words: &Words<'_>, host: &str) -> Outcome {
        let waiting = self.waiting.iter().filter(|waiting| matches!(waiting, Waiting::Monitor { .. }));
        if waiting.count() >= MAX_WAITING {
            return BUSY.into();
        }
        self.waiting.push_back(Waiting::Monitor { client, args: words.0.to_vec(), host: host.to_owned() });
        Outcome::Later
    }

    pub(super) fn remove_named(
        &mut self,
        client: ClientId,
        words: &Words<'_>,
        now: Time,
        out: &mut Actions,
    ) -> Outcome {
        let Some(id) = self.named_id(words, 2) else { return NO_SUCH_GROUP.into() };
        if let Some(service) = self.service_of(id) {
            return Reply::error(format!(
                "ERR That group comes from the label of Service '{service}': remove the label there"
            ))
            .into();
        }
        self.remove(id, now, out);
        let (mut cx, _) = self.split(now, out);
        when_saved(client, Reply::OK, &mut cx)
    }

    /// Not saved, as in Sentinel: it is a way to forget what has gone, not a setting.
    pub(super) fn reset_matching(&mut self, words: &Words<'_>, now: Time, out: &mut Actions) -> Reply {
        let pattern = words.bytes(2);
        let (mut cx, parts) = self.split(now, out);
        let mut count = 0;
        for group in parts.groups.values_mut() {
            if !glob::matches(pattern, group.name.as_str().as_bytes(), false) {
                continue;
            }
            count += 1;
            group.keep_promotion(&mut cx, parts.owners);
            group.reset(false, &mut cx, parts.owners);
            group.blind_until = Some(now + BLIND);
            cx.event(Level::Warning, "+reset-master", group, &Which::Primary, "");
            cx.shared.touched.insert(group.id);
        }
        Reply::Int(count)
    }

    pub(super) fn failover_named(&mut self, words: &Words<'_>, now: Time, out: &mut Actions) -> Reply {
        let id = self.named_id(words, 2);
        let wanted = match words.lower(3).as_slice() {
            b"" if words.len() == 3 => Wanted::Plain,
            b"coordinated" => Wanted::Coordinated,
            _ => return Reply::err("ERR Unknown failover option specified"),
        };
        if let (Some(id), true) = (id, self.fleet.is_some()) {
            return self.failover_by_claim(id, wanted, now, out).map_or_else(Reply::err, |()| Reply::OK);
        }
        let (mut cx, parts) = self.split(now, out);
        let Some(group) = id.and_then(|id| parts.groups.get_mut(&id)) else { return NO_SUCH_GROUP };
        match group.manual_failover(wanted, &mut cx) {
            Ok(()) => Reply::OK,
            Err(text) => Reply::err(text),
        }
    }
}
