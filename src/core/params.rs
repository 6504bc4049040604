//! The periods that SENTINEL DEBUG shows and changes: process-wide, in milliseconds, never saved.

use std::time::Duration;

/// One period: the name that SENTINEL DEBUG shows, and its place in [`Params`].
type Row = (&'static str, fn(&mut Params) -> &mut u64);

/// The names in the order in which SENTINEL DEBUG shows them.
const ROWS: [Row; 13] = [
    ("INFO-PERIOD", |p| &mut p.info_period),
    ("PING-PERIOD", |p| &mut p.ping_period),
    ("ASK-PERIOD", |p| &mut p.ask_period),
    ("PUBLISH-PERIOD", |p| &mut p.publish_period),
    ("DEFAULT-DOWN-AFTER", |p| &mut p.default_down_after),
    ("DEFAULT-FAILOVER-TIMEOUT", |p| &mut p.default_failover_timeout),
    ("TILT-TRIGGER", |p| &mut p.tilt_trigger),
    ("TILT-PERIOD", |p| &mut p.tilt_period),
    ("SLAVE-RECONF-TIMEOUT", |p| &mut p.reconf_timeout),
    ("MIN-LINK-RECONNECT-PERIOD", |p| &mut p.min_link_reconnect_period),
    ("ELECTION-TIMEOUT", |p| &mut p.election_timeout),
    ("SCRIPT-MAX-RUNTIME", |p| &mut p.script_max_runtime),
    ("SCRIPT-RETRY-DELAY", |p| &mut p.script_retry_delay),
];

/// Periods in milliseconds, each above 0.
#[derive(Clone, Debug)]
pub(crate) struct Params {
    info_period: u64,
    ping_period: u64,
    ask_period: u64,
    publish_period: u64,
    default_down_after: u64,
    default_failover_timeout: u64,
    tilt_trigger: u64,
    tilt_period: u64,
    reconf_timeout: u64,
    min_link_reconnect_period: u64,
    election_timeout: u64,
    script_max_runtime: u64,
    script_retry_delay: u64,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            info_period: 10_000,
            ping_period: 1000,
            ask_period: 1000,
            publish_period: 2000,
            default_down_after: 30_000,
            default_failover_timeout: 180_000,
            tilt_trigger: 2000,
            tilt_period: 30_000,
            reconf_timeout: 10_000,
            min_link_reconnect_period: 15_000,
            election_timeout: 10_000,
            script_max_runtime: 60_000,
            script_retry_delay: 30_000,
        }
    }
}

macro_rules! periods {
    ($($name:ident),* $(,)?) => {
        impl Params {
            $(pub(crate) const fn $name(&self) -> Duration { Duration::from_millis(self.$name) })*
        }
    };
}

periods!(
    info_period,
    ping_period,
    ask_period,
    publish_period,
    default_down_after,
    default_failover_timeout,
    tilt_trigger,
    tilt_period,
    reconf_timeout,
    min_link_reconnect_period,
    election_timeout,
    script_max_runtime,
    script_retry_delay,
);

impl Params {
    /// Within this everybody who can be heard has published twice.
    pub(crate) fn introduction(&self) -> Duration {
        self.publish_period() * 2
    }

    /// Names and values, in the order of SENTINEL DEBUG.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let mut copy = self.clone();
        ROWS.into_iter().map(move |(name, field)| (name, *field(&mut copy)))
    }

    /// The period of that name (any case), to be read or changed.
    pub(crate) fn named(&mut self, name: &str) -> Option<&mut u64> {
        let (_, field) = ROWS.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?;
        Some(field(self))
    }
}
