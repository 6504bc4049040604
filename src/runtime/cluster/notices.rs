//! Kubernetes Events: what is said again and again is one Event that counts.

use std::collections::VecDeque;
use std::time::Duration;

use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::{Event, EventSeries};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};

use crate::core::{Time, cluster};

/// The same within this time is counted, not told anew.
const SAME_FOR: Duration = Duration::from_secs(600);
/// So many different ones are remembered; the oldest is forgotten first.
const REMEMBERED: usize = 128;
/// Longest note that the API server takes, in bytes.
const LONGEST_NOTE: usize = 1024;
/// Longest name of the one who reports.
const LONGEST_INSTANCE: usize = 128;
/// Longest head of an Event's name.
const LONGEST_HEAD: usize = 200;
/// Who reports.
const CONTROLLER: &str = "vedette.dev/vedette";

/// What is to be sent for an Event.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Notice {
    /// A new one.
    New(Box<Event>),
    /// The one of that name, again.
    Again(String, EventSeries),
}

/// The last Events.
#[derive(Debug, Default)]
pub(super) struct Notices {
    told: VecDeque<Told>,
}

#[derive(Debug)]
struct Told {
    event: cluster::Event,
    name: String,
    count: i32,
    last: Time,
}

/// What the API server has to know beside the Event itself.
#[derive(Clone, Debug)]
pub(super) struct Setting<'a> {
    pub(super) namespace: &'a str,
    pub(super) member: &'a str,
    /// Uid of the object that it is about, where known.
    pub(super) uid: Option<String>,
    pub(super) now: Time,
    /// The time of day, for people.
    pub(super) date: MicroTime,
    /// Makes the name one that no other has.
    pub(super) chance: u64,
}

impl Notices {
    /// What to send for this one.
    pub(super) fn notice(&mut self, event: cluster::Event, setting: Setting<'_>) -> Notice {
        let now = setting.now;
        self.told.retain(|told| now.since(told.last) < SAME_FOR);
        if let Some(told) = self.told.iter_mut().find(|told| told.event == event) {
            told.count = told.count.saturating_add(1);
            told.last = now;
            let series = EventSeries { count: told.count, last_observed_time: setting.date };
            return Notice::Again(told.name.clone(), series);
        }
        let made = make(&event, setting);
        if self.told.len() == REMEMBERED {
            self.told.pop_front();
        }
        let name = made.metadata.name.clone().unwrap_or_default();
        self.told.push_back(Told { event, name, count: 1, last: now });
        Notice::New(Box::new(made))
    }

    /// The API server has no Event of that name (any more): the next one is a new one.
    pub(super) fn forget(&mut self, name: &str) {
        self.told.retain(|told| told.name != name);
    }
}

fn make(event: &cluster::Event, setting: Setting<'_>) -> Event {
    let (kind, api_version, name, uid) = match &event.regarding {
        cluster::Regarding::Service(name) => ("Service", "v1", name, setting.uid),
        cluster::Regarding::Pod(name, uid) => ("Pod", "v1", name, Some(uid.as_str().to_owned())),
        cluster::Regarding::Lease(name) => ("Lease", "coordination.k8s.io/v1", name, setting.uid),
    };
    let head = cut(name, LONGEST_HEAD).trim_end_matches(['-', '.']);
    Event {
        metadata: ObjectMeta {
            name: Some(format!("{head}.{:016x}", setting.chance)),
            namespace: Some(setting.namespace.to_owned()),
            ..ObjectMeta::default()
        },
        event_time: Some(setting.date),
        action: Some(event.reason.to_owned()),
        reason: Some(event.reason.to_owned()),
        note: Some(cut(&event.note, LONGEST_NOTE).to_owned()),
        type_: Some(if event.warning { "Warning" } else { "Normal" }.to_owned()),
        regarding: Some(ObjectReference {
            kind: Some(kind.to_owned()),
            api_version: Some(api_version.to_owned()),
            name: Some(name.clone()),
            namespace: Some(setting.namespace.to_owned()),
            uid,
            ..ObjectReference::default()
        }),
        reporting_controller: Some(CONTROLLER.to_owned()),
        reporting_instance: Some(cut(setting.member, LONGEST_INSTANCE).to_owned()),
        ..Event::default()
    }
}

fn cut(text: &str, most: usize) -> &str {
    let end = (0..=text.len().min(most)).rev().find(|&end| text.is_char_boundary(end));
    &text[..end.unwrap_or_default()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(note: &str) -> cluster::Event {
        cluster::Event {
            regarding: cluster::Regarding::Service("redis".to_owned()),
            warning: true,
            reason: "ServiceEdited",
            note: note.to_owned(),
        }
    }

    fn setting(chance: u64, seconds: u64) -> Setting<'static> {
        let date = serde_json::from_str("\"2026-01-02T03:04:05.000006Z\"").unwrap();
        let now = Time::from_micros(seconds * 1_000_000);
        Setting { namespace: "db", member: "vedette-0", uid: Some("u".to_owned()), now, date, chance }
    }

    fn count(notice: &Notice) -> i32 {
        match notice {
            Notice::New(_) => 1,
            Notice::Again(_, series) => series.count,
        }
    }

    #[test]
    fn the_same_again_is_counted_until_it_was_long_ago() {
        let mut notices = Notices::default();
        let first = notices.notice(event("a"), setting(1, 0));
        let Notice::New(made) = &first else { panic!("{first:?}") };
        let name = made.metadata.name.clone().unwrap();
        assert_eq!(name, "redis.0000000000000001");
        let again = notices.notice(event("a"), setting(2, 1));
        assert!(matches!(&again, Notice::Again(known, series) if *known == name && series.count == 2));
        assert_eq!(count(&notices.notice(event("b"), setting(3, 2))), 1, "another text is another Event");
        assert_eq!(count(&notices.notice(event("a"), setting(4, 600))), 3);
        assert_eq!(count(&notices.notice(event("a"), setting(5, 1200))), 1);
        notices.forget("redis.0000000000000005");
        assert_eq!(
            count(&notices.notice(event("a"), setting(6, 1201))),
            1,
            "the API server has forgotten it"
        );
    }

    #[test]
    fn no_more_are_remembered_than_a_few() {
        let mut notices = Notices::default();
        for number in 0..1000 {
            notices.notice(event(&number.to_string()), setting(number, 0));
        }
        assert_eq!(notices.told.len(), REMEMBERED);
    }

    #[test]
    fn texts_fit_what_the_api_server_takes() {
        let long = cluster::Event {
            regarding: cluster::Regarding::Pod("a".repeat(253), "u".into()),
            note: "é".repeat(800),
            ..event("")
        };
        let Notice::New(made) = Notices::default().notice(long, setting(1, 0)) else { panic!("a new one") };
        assert_eq!(made.note.unwrap().len(), 1024);
        assert!(made.metadata.name.unwrap().len() <= 253);
        assert_eq!(made.regarding.unwrap().uid.as_deref(), Some("u"));
    }
}
