//! A Lease as plain values: what lies between the typed records and the API's own types, which the core doesn't know.

use std::collections::BTreeMap;

use super::error::Error;

/// What every annotation of this project begins with.
pub const PREFIX: &str = "vedette.dev/";
/// The annotation that says in which form the others are.
pub(super) const FORM: &str = "vedette.dev/form";
/// The form that this daemon writes, and the newest that it reads.
pub(super) const NEWEST_FORM: u64 = 1;
/// Most bytes of all annotations together; the API server's own limit is 256 KiB.
const MOST_BYTES: usize = 224 * 1024;
/// Longest holder, in bytes.
const LONGEST_HOLDER: usize = 128;
/// Longest time that a Lease is believed for, in seconds. A reader waits for it, so nobody's slip may make it a year.
const LONGEST_SECONDS: i64 = 300;

/// The parts of a Lease that matter here. Labels, owners and the time stamps, which only people read, are the shell's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Plain {
    /// `holderIdentity`; nobody if it is missing or empty.
    pub holder: String,
    /// `leaseDurationSeconds`.
    pub seconds: Option<i64>,
    /// `leaseTransitions`.
    pub transitions: Option<i64>,
    /// All annotations, those of others too.
    pub annotations: BTreeMap<String, String>,
}

impl Plain {
    /// Looks at everything that both kinds of Lease have in common: seconds (1 to 300) and transitions.
    pub(super) fn checked(&self) -> Result<(u64, u64), Error> {
        if self.holder.len() > LONGEST_HOLDER {
            return Err(Error::new("holderIdentity", &self.holder, "is too long"));
        }
        let seconds = self.seconds.unwrap_or_default();
        if !(1..=LONGEST_SECONDS).contains(&seconds) {
            return Err(Error::new("leaseDurationSeconds", &seconds.to_string(), "is not from 1 to 300"));
        }
        let transitions = self.transitions.unwrap_or_default();
        let bytes: usize = self.annotations.iter().map(|(key, value)| key.len() + value.len()).sum();
        if bytes > MOST_BYTES {
            return Err(Error::new("annotations", &bytes.to_string(), "are too many bytes"));
        }
        let form = self.annotations.get(FORM).map_or("", String::as_str);
        match form.parse::<u64>() {
            Ok(1..=NEWEST_FORM) => {}
            Ok(_) => return Err(Error::new(FORM, form, "is a form that this version can't read")),
            Err(_) => return Err(Error::new(FORM, form, "is no form")),
        }
        let number =
            |n: i64, place| u64::try_from(n).map_err(|_| Error::new(place, &n.to_string(), "is negative"));
        Ok((number(seconds, "leaseDurationSeconds")?, number(transitions, "leaseTransitions")?))
    }
}

/// A number as the API has it, which counts up to 2^31 - 1; beyond, it stays there.
pub(super) fn api_number(n: u64) -> i64 {
    i64::from(i32::try_from(n).unwrap_or(i32::MAX))
}
