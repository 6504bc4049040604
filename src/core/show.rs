//! What the engine shows of itself beside the commands: the Sentinel section of INFO, and `/state`.

use super::engine::Engine;
use super::group::Group;
use super::instance::{Instance, Kind};
use super::time::Time;
use super::view::{GroupView, InstanceView, View};

impl Engine {
    /// The section `# Sentinel` of INFO at time `now`; each line ends with CRLF.
    #[must_use]
    pub fn info_section(&self, now: Time) -> String {
        let shared = &self.shared;
        let tilt_age =
            shared.tilt.since().map_or_else(|| "-1".to_owned(), |at| now.since(at).as_secs().to_string());
        let flags = self.simulate_failure_flags();
        let mut lines = vec![
            "# Sentinel".to_owned(),
            format!("sentinel_masters:{}", self.groups.len()),
            format!("sentinel_tilt:{}", u8::from(shared.tilt.active())),
            format!("sentinel_tilt_since_seconds:{tilt_age}"),
            format!("sentinel_running_scripts:{}", shared.scripts.running()),
            format!("sentinel_scripts_queue_length:{}", shared.scripts.len()),
            format!("sentinel_simulate_failure_flags:{flags}"),
        ];
        lines.extend(self.groups.values().enumerate().map(|(index, group)| {
            let address = &group.primary.address;
            format!(
                "master{index}:name={},status={},address={}:{},slaves={},sentinels={}",
                group.name,
                status(group),
                address.shown(shared.announce_hostnames),
                address.port,
                group.replicas.len(),
                group.peers.len() + 1,
            )
        }));
        lines.iter().flat_map(|line| [line.as_str(), "\r\n"]).collect()
    }

    /// The crash points that SENTINEL SIMULATE-FAILURE armed, as INFO shows them: 1 after an election, 2 after a promotion.
    #[must_use]
    pub fn simulate_failure_flags(&self) -> u8 {
        u8::from(self.shared.crash_after_election) + 2 * u8::from(self.shared.crash_after_promotion)
    }

    /// What this daemon believes at time `now`.
    #[must_use]
    pub fn view(&self, now: Time) -> View {
        let shared = &self.shared;
        let deadline = self.next_deadline();
        View {
            my_id: shared.my_id.clone(),
            current_epoch: shared.current_epoch,
            tilt: shared.tilt.active(),
            tilt_since_ms: shared.tilt.since().map(|since| now.millis_since(since)),
            running_scripts: shared.scripts.running(),
            queued_scripts: shared.scripts.len(),
            next_deadline_in_ms: deadline.map(|(at, _)| at.millis_since(now)),
            next_deadline_why: deadline.map(|(_, why)| why),
            groups: self.groups.values().map(|group| self.group_view(group, now)).collect(),
        }
    }

    fn group_view(&self, group: &Group, now: Time) -> GroupView {
        let options = &group.options;
        let current = &group.current().address;
        let usable = group.usable();
        let instances = |instances: &mut dyn Iterator<Item = &Instance>| {
            instances.map(|instance| self.instance_view(group, instance, now)).collect::<Vec<_>>()
        };
        GroupView {
            name: group.name.as_str().to_owned(),
            status: status(group),
            primary: self.instance_view(group, &group.primary, now),
            current_host: current.shown(self.shared.announce_hostnames),
            current_port: current.port,
            quorum: options.quorum,
            quorum_reachable: group.quorum_usable() && usable >= group.majority(),
            usable_sentinels: usable,
            config_epoch: group.config_epoch,
            leader_epoch: group.ballot.epoch,
            leader: group.ballot.leader.clone(),
            failover_state: group.failover.as_ref().map(|failover| failover.state.word()),
            down_after_ms: millis(options.down_after),
            fast_down_after_ms: millis(options.fast_down_after),
            fast_down: group.fast.down(),
            failover_timeout_ms: millis(options.failover_timeout),
            parallel_syncs: options.parallel_syncs,
            replicas: instances(&mut group.replicas.values()),
            sentinels: instances(&mut group.peers.values()),
        }
    }

    fn instance_view(&self, group: &Group, instance: &Instance, now: Time) -> InstanceView {
        let link = self.shared.links.get(instance.link);
        let disconnected = link.is_none_or(super::link::Link::disconnected);
        let data = instance.data();
        InstanceView {
            name: instance.name.clone(),
            host: instance.address.shown(self.shared.announce_hostnames),
            port: instance.address.port,
            run_id: instance.run_id.clone(),
            flags: group.flags(instance, disconnected),
            down: instance.is_down(),
            disconnected,
            last_ok_reply_ms: link.map_or(0, |link| now.millis_since(link.ok_at)),
            role: data.map(|data| data.role.word()),
            offset: data.map(|data| data.offset),
            link_ok: data.filter(|_| instance.kind == Kind::Replica).map(|data| data.link_up),
        }
    }
}

fn status(group: &Group) -> &'static str {
    if group.odown_since.is_some() {
        "odown"
    } else if group.primary.is_down() {
        "sdown"
    } else {
        "ok"
    }
}

fn millis(period: std::time::Duration) -> u64 {
    u64::try_from(period.as_millis()).unwrap_or(u64::MAX)
}
