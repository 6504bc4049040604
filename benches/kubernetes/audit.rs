//! What the members wrote, as the API server logged it.

use jiff::Timestamp;
use serde_json::Value;

use crate::k8s::ControlPlane;
use crate::k8s::member::FLEET;

/// What a write was about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum About {
    /// A group's Lease.
    Group,
    /// A member's Lease, and whether it then told of a group that isn't well.
    Member {
        /// See above.
        opinion: bool,
    },
    /// A Service.
    Service,
    /// An Event, or anything else.
    Other,
}

/// One request that may have changed something, answered with whatever status.
#[derive(Clone, Debug)]
pub(crate) struct Write {
    /// When it came.
    pub(crate) received: Timestamp,
    /// When it was answered.
    pub(crate) answered: Timestamp,
    /// What it was about.
    pub(crate) about: About,
    /// The object's name.
    pub(crate) name: String,
    /// The status of the answer.
    pub(crate) code: u64,
}

/// All writes of the members so far, in the order of their answers.
pub(crate) fn writes(plane: &ControlPlane) -> Vec<Write> {
    // The last line may not be whole yet.
    let log = plane.audit();
    let whole = log.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let entries = whole.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    entries
        .filter(|entry| text(entry, "/user/username").ends_with(":vedette"))
        .map(|entry| of(&entry))
        .collect()
}

fn of(entry: &Value) -> Write {
    let time = |field: &str| text(entry, field).parse().unwrap();
    let in_body = text(entry, "/requestObject/metadata/name");
    let name = match text(entry, "/objectRef/name") {
        "" => in_body,
        name => name,
    };
    let about = match text(entry, "/objectRef/resource") {
        "services" => About::Service,
        "leases" if name.starts_with(&format!("{FLEET}-group-")) => About::Group,
        "leases" => About::Member { opinion: tells(entry) },
        _ => About::Other,
    };
    Write {
        received: time("/requestReceivedTimestamp"),
        answered: time("/stageTimestamp"),
        about,
        name: name.to_owned(),
        code: entry.pointer("/responseStatus/code").and_then(Value::as_u64).unwrap_or_default(),
    }
}

/// Whether a member's Lease tells of a group that isn't well.
fn tells(entry: &Value) -> bool {
    let annotations = entry.pointer("/requestObject/metadata/annotations").and_then(Value::as_object);
    annotations.is_some_and(|annotations| annotations.contains_key("vedette.dev/down"))
}

fn text<'a>(entry: &'a Value, path: &str) -> &'a str {
    entry.pointer(path).and_then(Value::as_str).unwrap_or_default()
}
