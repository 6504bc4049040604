//! A member's Lease: that it lives, where it answers, and what it holds down.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::error::Error;
use super::fields::{self, Fields, Rest};
use super::plain::{FORM, NEWEST_FORM, Plain, api_number};
use crate::core::ids::{GroupName, RunId};

const ANNOUNCE: &str = "vedette.dev/announce";
const DOWN: &str = "vedette.dev/down";
const EPOCH: &str = "vedette.dev/epoch";
const PROMISED: &str = "vedette.dev/promised";
/// Most groups that one member may hold down in its Lease.
pub const MOST_OPINIONS: usize = 1000;
/// Most groups for which it may record what it is about to commit: beside as many opinions as there may be they fit into what the
/// API server takes, 256 KiB.
pub const MOST_PROMISES: usize = 100;
/// Seconds for which a member counts as alive after its last renewal was seen.
pub const MEMBER_SECONDS: u64 = 6;

/// That one instance is down, as one member sees it. About another instance or epoch it says nothing.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Opinion {
    /// Where the instance was.
    pub address: String,
    /// Which process it was.
    pub run_id: RunId,
    /// The committed epoch under which it was primary.
    pub epoch: u64,
    /// What speaks for it, for people: `silent`, `refused`.
    pub evidence: String,
    /// Keys of a later version.
    pub rest: Rest,
}

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MemberLease {
    /// The member's id; it gives its Lease back by leaving this empty.
    pub holder: Option<RunId>,
    /// For how long the member counts as alive after a change was seen, in seconds.
    pub seconds: u64,
    /// How often the member has started.
    pub transitions: u64,
    /// Where it answers clients and other members: `host:port`.
    pub announce: String,
    /// The highest epoch of any group that the member knows to be committed: what it remembers should a Lease get lost.
    pub epoch: u64,
    /// Epochs above that one which the member was about to commit, for groups without a Lease.
    pub promised: BTreeMap<GroupName, u64>,
    /// The groups whose primary it holds down.
    pub down: BTreeMap<GroupName, Opinion>,
    /// Annotations of others and of later versions.
    pub unknown: BTreeMap<String, String>,
}

impl MemberLease {
    /// Reads a Lease.
    ///
    /// # Errors
    ///
    /// Names the place and the value that can't be read.
    pub fn parse(plain: &Plain) -> Result<Self, Error> {
        let (seconds, transitions) = plain.checked()?;
        let mut unknown = plain.annotations.clone();
        unknown.remove(FORM);
        let announce = unknown.remove(ANNOUNCE).unwrap_or_default();
        if announce.len() > fields::LONGEST_TEXT {
            return Err(Error::new(ANNOUNCE, &announce, "is too long"));
        }
        let epoch = unknown.remove(EPOCH).unwrap_or_else(|| "0".to_owned());
        let epoch = epoch.parse().map_err(|_| Error::new(EPOCH, &epoch, "is no whole number from 0"))?;
        let mut promised = BTreeMap::new();
        if let Some(text) = unknown.remove(PROMISED) {
            for (place, value) in fields::items(PROMISED, fields::json(PROMISED, &text)?, MOST_PROMISES)? {
                let mut fields = Fields::of(&place, value)?;
                let group = GroupName::from(fields.text("group")?);
                if promised.insert(group.clone(), fields.number("epoch")?).is_some() {
                    return Err(Error::new(place, group.as_str(), "is there twice"));
                }
            }
        }
        let mut down = BTreeMap::new();
        if let Some(text) = unknown.remove(DOWN) {
            for (place, value) in fields::items(DOWN, fields::json(DOWN, &text)?, MOST_OPINIONS)? {
                let mut fields = Fields::of(&place, value)?;
                let group = GroupName::from(fields.text("group")?);
                let opinion = Opinion {
                    address: fields.text("address")?,
                    run_id: RunId::from(fields.text("runId")?),
                    epoch: fields.number("epoch")?,
                    evidence: fields.text("evidence")?,
                    rest: fields.rest(),
                };
                if down.insert(group.clone(), opinion).is_some() {
                    return Err(Error::new(place, group.as_str(), "is there twice"));
                }
            }
        }
        let holder = Some(plain.holder.as_str()).filter(|id| !id.is_empty()).map(RunId::from);
        Ok(Self { holder, seconds, transitions, announce, epoch, promised, down, unknown })
    }

    /// The same as plain values.
    #[must_use]
    pub fn print(&self) -> Plain {
        let mut annotations = self.unknown.clone();
        annotations.insert(FORM.to_owned(), NEWEST_FORM.to_string());
        annotations.insert(ANNOUNCE.to_owned(), self.announce.clone());
        if self.epoch > 0 {
            annotations.insert(EPOCH.to_owned(), self.epoch.to_string());
        }
        if !self.promised.is_empty() {
            let promised = self.promised.iter();
            let promised = promised.map(|(group, epoch)| json!({"group": group.as_str(), "epoch": epoch}));
            annotations.insert(PROMISED.to_owned(), Value::Array(promised.collect()).to_string());
        }
        if !self.down.is_empty() {
            let down: Vec<Value> = self.down.iter().map(|(group, opinion)| opinion.print(group)).collect();
            annotations.insert(DOWN.to_owned(), Value::Array(down).to_string());
        }
        Plain {
            holder: self.holder.as_ref().map(ToString::to_string).unwrap_or_default(),
            seconds: Some(api_number(self.seconds)),
            transitions: Some(api_number(self.transitions)),
            annotations,
        }
    }
}

impl Opinion {
    fn print(&self, group: &GroupName) -> Value {
        let mut map = self.rest.clone();
        map.insert("group".to_owned(), json!(group.as_str()));
        map.insert("address".to_owned(), json!(self.address));
        map.insert("runId".to_owned(), json!(self.run_id.as_str()));
        map.insert("epoch".to_owned(), json!(self.epoch));
        map.insert("evidence".to_owned(), json!(self.evidence));
        Value::Object(map)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease() -> MemberLease {
        let opinion = Opinion {
            address: "10.0.0.1:6379".to_owned(),
            run_id: RunId::from("r"),
            epoch: 3,
            evidence: "silent".to_owned(),
            rest: Rest::new(),
        };
        MemberLease {
            holder: Some(RunId::from("m")),
            seconds: MEMBER_SECONDS,
            transitions: 2,
            announce: "10.0.0.9:26379".to_owned(),
            epoch: 7,
            promised: [(GroupName::from("h"), 1007)].into(),
            down: [(GroupName::from("g"), opinion)].into(),
            unknown: BTreeMap::new(),
        }
    }

    fn changed(key: &str, value: &str) -> Plain {
        let mut plain = lease().print();
        plain.annotations.insert(key.to_owned(), value.to_owned());
        plain
    }

    #[test]
    fn what_is_printed_is_read_back() {
        assert_eq!(MemberLease::parse(&lease().print()), Ok(lease()));
    }

    #[test]
    fn what_is_unknown_is_kept() {
        let text = r#"[{"group":"g","address":"a","runId":"r","epoch":1,"evidence":"silent","later":[1]}]"#;
        let mut plain = changed(DOWN, text);
        plain.annotations.insert("example.org/team".to_owned(), "blue".to_owned());
        let read = MemberLease::parse(&plain).unwrap();
        let again = read.print();
        assert_eq!(again.annotations["example.org/team"], "blue");
        assert!(again.annotations[DOWN].contains(r#""later":[1]"#));
    }

    #[test]
    fn errors_name_the_place_and_the_value() {
        let error = |plain: &Plain| MemberLease::parse(plain).unwrap_err().to_string();
        let down = r#"[{"group":"g","address":"a","runId":"r","epoch":-1,"evidence":"silent"}]"#;
        assert_eq!(error(&changed(DOWN, down)), "vedette.dev/down[0]: epoch: '-1' is no whole number from 0");
        assert_eq!(error(&changed(DOWN, "[{}]")), "vedette.dev/down[0]: group: '' is missing");
        let promised = r#"[{"group":"g","epoch":1},{"group":"g","epoch":2}]"#;
        assert_eq!(error(&changed(PROMISED, promised)), "vedette.dev/promised[1]: 'g' is there twice");
        assert_eq!(
            error(&changed(PROMISED, r#"[{"group":"g"}]"#)),
            "vedette.dev/promised[0]: epoch: '' is missing"
        );
        assert_eq!(
            error(&changed(FORM, "2")),
            "vedette.dev/form: '2' is a form that this version can't read"
        );
        assert_eq!(
            error(&Plain { seconds: Some(0), ..lease().print() }),
            "leaseDurationSeconds: '0' is not from 1 to 300"
        );
        assert_eq!(
            error(&Plain { transitions: Some(-4), ..lease().print() }),
            "leaseTransitions: '-4' is negative"
        );
    }

    #[test]
    fn sizes_are_bounded() {
        let error = |plain: &Plain| MemberLease::parse(plain).unwrap_err().problem;
        assert_eq!(error(&changed(DOWN, &" ".repeat(fields::LONGEST_ANNOTATION + 1))), "is too long");
        assert_eq!(error(&changed(ANNOUNCE, &"a".repeat(fields::LONGEST_TEXT + 1))), "is too long");
        let many = format!("[{}0]", "0,".repeat(MOST_OPINIONS));
        assert_eq!(error(&changed(DOWN, &many)), "are too many");
        assert_eq!(error(&changed("example.org/x", &"a".repeat(300_000))), "are too many bytes");
    }
}
