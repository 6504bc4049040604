//! News from connections: which instance it is about, and what a reply answers.

use super::action::{Action, Actions};
use super::engine::{Engine, Owner};
use super::group::{GroupId, Which};
use super::ids::ConnId;
use super::link::{Channel, LinkId, Tag};
use super::time::Time;
use crate::resp::Reply;

impl Engine {
    pub(super) fn connected(&mut self, conn: ConnId, local: std::net::IpAddr) {
        let Some((id, channel)) = self.shared.links.find(conn) else { return };
        if let Some(Owner::Node(group, Which::Primary)) = self.owners.get(&id)
            && let Some(group) = self.groups.get_mut(group)
        {
            group.fast.contradict();
        }
        if let Some(conn) = self.shared.links.get_mut(id).and_then(|link| link.slot(channel).as_mut()) {
            conn.local = Some(local);
        }
        self.touch(id);
    }

    /// A connection that had to wait begins: the requests that were kept back follow.
    pub(super) fn begun(&mut self, conn: ConnId, now: Time) {
        self.shared.links.begun(conn, now);
        if let Some((id, _)) = self.shared.links.find(conn) {
            self.touch(id);
        }
    }

    pub(super) fn disconnected(
        &mut self,
        conn: ConnId,
        error: &str,
        refused: bool,
        now: Time,
        out: &mut Actions,
    ) {
        let Some((id, channel)) = self.shared.links.ended(conn, now) else {
            return self.claim_lost(conn, now, out);
        };
        let users = self.users(id);
        let (mut cx, parts) = self.split(now, out);
        for (group, which) in users {
            if let Some(group) = parts.groups.get_mut(&group) {
                group.lost(&which, channel, error, &mut cx);
                if refused && channel == Channel::Command {
                    group.refused(&which, &mut cx);
                }
            }
        }
        self.touch(id);
    }

    /// The instances that use a link.
    pub(crate) fn users(&self, id: LinkId) -> Vec<(GroupId, Which)> {
        match self.owners.get(&id) {
            Some(Owner::Node(group, which)) => vec![(*group, which.clone())],
            Some(Owner::Peer(run_id)) => self
                .groups
                .values()
                .filter(|group| group.peers.contains(run_id))
                .map(|group| (group.id, Which::Peer(run_id.clone())))
                .collect(),
            None => Vec::new(),
        }
    }

    /// The instance of that group that uses a link.
    fn user(&self, id: LinkId, group: GroupId) -> Option<Which> {
        match self.owners.get(&id)? {
            Owner::Node(owner, which) => (*owner == group).then(|| which.clone()),
            Owner::Peer(run_id) => Some(Which::Peer(run_id.clone())),
        }
    }

    fn touch(&mut self, id: LinkId) {
        for (group, _) in self.users(id) {
            self.shared.touched.insert(group);
        }
    }

    pub(super) fn frame(&mut self, conn: ConnId, reply: Reply, now: Time, out: &mut Actions) {
        let Some((id, channel)) = self.shared.links.find(conn) else {
            return self.claim_answered(conn, &reply, now, out);
        };
        let Some(link) = self.shared.links.get_mut(id) else { return };
        let tag = match channel {
            Channel::Command => link.command.as_mut().and_then(|conn| conn.pending.pop_front()),
            Channel::PubSub => {
                link.pubsub_heard_at = now;
                match super::hello::message(&reply) {
                    Some(text) => {
                        let text = text.to_owned();
                        if self.fleet.is_some() {
                            self.overhear(id, &text, now, out);
                        } else {
                            self.hello(&text, now, out);
                        }
                        return;
                    }
                    None => link.pubsub.as_mut().and_then(|conn| conn.pending.pop_front()),
                }
            }
        };
        // A reply that nothing was asked for: the stream can't be trusted any more, nor can it be told apart again.
        let Some(tag) = tag else {
            self.shared.links.forget_conn(conn);
            out.push(Action::Close { conn });
            self.touch(id);
            return;
        };
        self.answered(id, conn, tag, &reply, now, out);
    }

    /// Groups are looked at again only where the answer can change more than a deadline: a deadline that has moved is
    /// noticed when it comes.
    fn answered(&mut self, id: LinkId, conn: ConnId, tag: Tag, reply: &Reply, now: Time, out: &mut Actions) {
        match tag {
            Tag::Ignore => {}
            Tag::Ping => {
                let users = self.users(id);
                let (mut cx, parts) = self.split(now, out);
                for (group, which) in users {
                    if let Some(group) = parts.groups.get_mut(&group) {
                        group.ponged(&which, reply.text().unwrap_or_default(), &mut cx);
                    }
                }
            }
            Tag::Info(asked_at) => {
                let users = self.users(id);
                let (mut cx, parts) = self.split(now, out);
                for (group, which) in users {
                    if let Some(group) = parts.groups.get_mut(&group) {
                        group.informed(&which, asked_at, reply, &mut cx, parts.owners);
                        cx.shared.touched.insert(group.id);
                    }
                }
            }
            Tag::Role(asked_at) => {
                let users = self.users(id);
                let (mut cx, parts) = self.split(now, out);
                for (group, which) in users {
                    if let Some(group) = parts.groups.get_mut(&group) {
                        group.told_role(&which, asked_at, reply, &mut cx);
                        cx.shared.touched.insert(group.id);
                    }
                }
            }
            Tag::Publish(about) => {
                let which = self.user(id, about);
                let (cx, parts) = self.split(now, out);
                if let (Some(which), Some(group)) = (which, parts.groups.get_mut(&about)) {
                    let ok = !matches!(reply, Reply::Error(_));
                    group.published(&which, ok, &cx);
                    if !ok {
                        cx.shared.touched.insert(about);
                    }
                }
            }
            Tag::IsDown(about, era) => {
                let which = self.user(id, about);
                let (mut cx, parts) = self.split(now, out);
                if let (Some(which), Some(group)) = (which, parts.groups.get_mut(&about))
                    && group.era == era
                {
                    group.opinion(&which, reply, &mut cx);
                    cx.shared.touched.insert(about);
                }
            }
            Tag::Consent(about, asked_at) => {
                let which = self.user(id, about);
                let (mut cx, parts) = self.split(now, out);
                if let (Some(which), Some(group)) = (which, parts.groups.get_mut(&about)) {
                    group.told_consent(&which, asked_at, reply, &mut cx);
                    cx.shared.touched.insert(about);
                }
            }
            Tag::LastVote(about, asked_at) => {
                let which = self.user(id, about);
                let (mut cx, parts) = self.split(now, out);
                if let (Some(which), Some(group)) = (which, parts.groups.get_mut(&about)) {
                    group.told_last_vote(&which, asked_at, reply, &mut cx);
                    cx.shared.touched.insert(about);
                }
            }
            Tag::Switchover { group: about, epoch, ask } => {
                let (mut cx, parts) = self.split(now, out);
                if let Some(group) = parts.groups.get_mut(&about) {
                    group.switchover_answered(ask, epoch, reply, &mut cx);
                    cx.shared.touched.insert(about);
                }
            }
            // Without its subscription a data node is of half use, and it must show (an error shows as `disconnected`).
            Tag::Subscribe => {
                if matches!(reply, Reply::Error(_)) {
                    if let Some(link) = self.shared.links.get_mut(id) {
                        link.pubsub_retry.refused();
                    }
                    self.shared.links.forget_conn(conn);
                    out.push(Action::Close { conn });
                    self.touch(id);
                    return;
                }
                let users = self.users(id);
                let (mut cx, parts) = self.split(now, out);
                for (group, which) in users {
                    if let Some(group) = parts.groups.get_mut(&group) {
                        group.subscribed(&which, &mut cx);
                    }
                }
            }
        }
    }
}
