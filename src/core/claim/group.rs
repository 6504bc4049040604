//! A group's Lease: a register that holds who is primary, since which epoch, and how far a failover has come. It is only ever
//! replaced, on the version that was read, and at rest it is never written.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::error::Error;
use super::fields::{self, Fields, Rest};
use super::plain::{FORM, NEWEST_FORM, Plain, api_number};
use super::running::{Failover, Past};
use crate::core::ids::{ClaimId, GroupName, PodUid, RunId};

const GROUP: &str = "vedette.dev/group";
const PRIMARY: &str = "vedette.dev/primary";
const REPLICAS: &str = "vedette.dev/replicas";
const FAILOVER: &str = "vedette.dev/failover";
const HISTORY: &str = "vedette.dev/history";
/// Seconds for which a claim holds after it was seen to change.
pub const CLAIM_SECONDS: u64 = 5;
/// Most replicas that are recorded.
pub const MOST_REPLICAS: usize = 256;
/// Failovers that are remembered.
pub const HISTORY_LENGTH: usize = 10;

/// One process of a data node: the Pod, and which run of the server in it. The address is where it was, never who it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Instance {
    /// The Pod's name, as the Service's selector wants it.
    pub pod: String,
    /// The Pod's uid.
    pub uid: PodUid,
    /// `host:port` at the time of writing.
    pub address: String,
    /// The run of the server.
    pub run_id: RunId,
}

/// The committed primary.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Primary {
    /// Which process.
    pub instance: Instance,
    /// Replication history at the commit; empty if unknown.
    pub replication_id: String,
    /// Offset at the commit, in bytes.
    pub offset: u64,
    /// The epoch at which it was committed: what clients see as config-epoch.
    pub epoch: u64,
    /// Keys of a later version.
    pub rest: Rest,
}

/// The replicas that may attach.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Replicas {
    /// Their Pods.
    pub allowed: BTreeSet<PodUid>,
    /// Names of Pods that held the group's data: one that is made anew under such a name holds what it held.
    pub names: BTreeSet<String>,
    /// The recorded min-replicas-to-write: never more than the real one.
    pub min_replicas: u64,
    /// Keys of a later version.
    pub rest: Rest,
}

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GroupLease {
    /// The group's exact name, which the object's name may not be able to show.
    pub group: GroupName,
    /// The claim that stands, nobody's at rest.
    pub holder: Option<ClaimId>,
    /// For how long a claim stands after it was last seen to change, in seconds.
    pub seconds: u64,
    /// How many claims there were.
    pub transitions: u64,
    /// Nothing before the first commit.
    pub primary: Option<Primary>,
    /// See [`Replicas`].
    pub replicas: Replicas,
    /// While a claim stands, or was left, with work to do.
    pub failover: Option<Failover>,
    /// The last failovers, the newest last.
    pub history: Vec<Past>,
    /// Annotations of others and of later versions.
    pub unknown: BTreeMap<String, String>,
}

impl GroupLease {
    /// Before anything happened in a group.
    #[must_use]
    pub fn new(group: GroupName) -> Self {
        Self {
            group,
            holder: None,
            seconds: CLAIM_SECONDS,
            transitions: 0,
            primary: None,
            replicas: Replicas::default(),
            failover: None,
            history: Vec::new(),
            unknown: BTreeMap::new(),
        }
    }

    /// The committed epoch, 0 before the first commit.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.primary.as_ref().map_or(0, |primary| primary.epoch)
    }

    /// Whether that process is the committed primary: the same Pod with a new run id is not.
    #[must_use]
    pub fn is_primary(&self, uid: &PodUid, run_id: &RunId) -> bool {
        self.primary.as_ref().is_some_and(|primary| primary.instance.is(uid, run_id))
    }

    /// Reads a Lease.
    ///
    /// # Errors
    ///
    /// Names the place and the value that can't be read. A Lease that can't be read is never written either.
    pub fn parse(plain: &Plain) -> Result<Self, Error> {
        let (seconds, transitions) = plain.checked()?;
        let mut unknown = plain.annotations.clone();
        unknown.remove(FORM);
        let Some(group) = unknown.remove(GROUP) else { return Err(Error::new(GROUP, "", "is missing")) };
        if group.is_empty() || group.len() > fields::LONGEST_TEXT {
            return Err(Error::new(GROUP, &group, "is no group's name"));
        }
        let mut object = |key| {
            let text = unknown.remove(key);
            text.map(|text| Fields::of(key, fields::json(key, &text)?)).transpose()
        };
        let primary = object(PRIMARY)?.map(Primary::parse).transpose()?;
        let replicas = object(REPLICAS)?.map(Replicas::parse).transpose()?.unwrap_or_default();
        let failover = object(FAILOVER)?.map(Failover::parse).transpose()?;
        let mut history = Vec::new();
        if let Some(text) = unknown.remove(HISTORY) {
            for (place, value) in fields::items(HISTORY, fields::json(HISTORY, &text)?, HISTORY_LENGTH)? {
                history.push(Past::parse(Fields::of(&place, value)?)?);
            }
        }
        let holder = Some(plain.holder.as_str()).filter(|id| !id.is_empty()).map(ClaimId::from);
        let group = GroupName::from(group);
        Ok(Self { group, holder, seconds, transitions, primary, replicas, failover, history, unknown })
    }

    /// The same as plain values.
    #[must_use]
    pub fn print(&self) -> Plain {
        let mut annotations = self.unknown.clone();
        let mut put = |key: &str, value: String| annotations.insert(key.to_owned(), value);
        put(FORM, NEWEST_FORM.to_string());
        put(GROUP, self.group.to_string());
        if let Some(primary) = &self.primary {
            put(PRIMARY, primary.print().to_string());
        }
        if self.replicas != Replicas::default() {
            put(REPLICAS, self.replicas.print().to_string());
        }
        if let Some(failover) = &self.failover {
            put(FAILOVER, failover.print().to_string());
        }
        if !self.history.is_empty() {
            put(HISTORY, self.history.iter().map(Past::print).collect::<Value>().to_string());
        }
        Plain {
            holder: self.holder.as_ref().map(ToString::to_string).unwrap_or_default(),
            seconds: Some(api_number(self.seconds)),
            transitions: Some(api_number(self.transitions)),
            annotations,
        }
    }
}

impl Instance {
    /// Whether it is that run of the server in that Pod.
    #[must_use]
    pub fn is(&self, uid: &PodUid, run_id: &RunId) -> bool {
        self.uid == *uid && self.run_id == *run_id
    }

    /// Whether it is the same run in the same Pod, wherever it may answer.
    #[must_use]
    pub fn same(&self, other: &Self) -> bool {
        self.is(&other.uid, &other.run_id)
    }

    /// Takes an instance out of an object; what is left stays there.
    pub(super) fn take(fields: &mut Fields) -> Result<Self, Error> {
        Ok(Self {
            pod: fields.text("pod")?,
            uid: PodUid::from(fields.text("uid")?),
            address: fields.text("address")?,
            run_id: RunId::from(fields.text("runId")?),
        })
    }

    /// Reads an object that is an instance and nothing else.
    pub(super) fn parse(place: &str, value: Value) -> Result<Self, Error> {
        Self::take(&mut Fields::of(place, value)?)
    }

    pub(super) fn put(&self, map: &mut Rest) {
        map.insert("pod".to_owned(), json!(self.pod));
        map.insert("uid".to_owned(), json!(self.uid.as_str()));
        map.insert("address".to_owned(), json!(self.address));
        map.insert("runId".to_owned(), json!(self.run_id.as_str()));
    }

    pub(super) fn print(&self) -> Value {
        let mut map = Rest::new();
        self.put(&mut map);
        Value::Object(map)
    }
}

impl Primary {
    fn parse(mut fields: Fields) -> Result<Self, Error> {
        Ok(Self {
            instance: Instance::take(&mut fields)?,
            replication_id: fields.text("replicationId")?,
            offset: fields.number("offset")?,
            epoch: fields.number("epoch")?,
            rest: fields.rest(),
        })
    }

    fn print(&self) -> Value {
        let mut map = self.rest.clone();
        self.instance.put(&mut map);
        map.insert("replicationId".to_owned(), json!(self.replication_id));
        map.insert("offset".to_owned(), json!(self.offset));
        map.insert("epoch".to_owned(), json!(self.epoch));
        Value::Object(map)
    }
}

impl Replicas {
    fn parse(mut fields: Fields) -> Result<Self, Error> {
        Ok(Self {
            allowed: fields.texts("allowed", MOST_REPLICAS)?,
            names: fields.texts("names", MOST_REPLICAS)?,
            min_replicas: fields.number("minReplicas")?,
            rest: fields.rest(),
        })
    }

    fn print(&self) -> Value {
        let mut map = self.rest.clone();
        map.insert("allowed".to_owned(), self.allowed.iter().map(PodUid::as_str).collect());
        if !self.names.is_empty() {
            map.insert("names".to_owned(), self.names.iter().map(String::as_str).collect());
        }
        map.insert("minReplicas".to_owned(), json!(self.min_replicas));
        Value::Object(map)
    }
}
