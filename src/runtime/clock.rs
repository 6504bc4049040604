//! The only clock of the process: the core, the timers and the metrics all read this one.

use crate::core::Time;

/// The boot clock: monotonic, and it goes on while the machine is suspended, so that a daemon that slept knows it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Clock;

impl Clock {
    /// What the clock shows now.
    #[must_use]
    pub fn now(self) -> Time {
        let reading = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        let seconds = u64::try_from(reading.tv_sec).unwrap_or(0);
        let nanos = u64::try_from(reading.tv_nsec).unwrap_or(0);
        Time::from_micros(seconds.saturating_mul(1_000_000).saturating_add(nanos / 1000))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_never_runs_backwards_and_counts_the_time_since_boot() {
        let uptime = std::fs::read_to_string("/proc/uptime").unwrap();
        let uptime: f64 = uptime.split(' ').next().unwrap().parse().unwrap();
        let first = Clock.now();
        let second = Clock.now();
        assert!(second >= first);
        // /proc/uptime is the same clock, cut to hundredths.
        assert!(first.as_micros() as f64 / 1e6 >= uptime - 0.02, "{first:?} against {uptime}");
    }
}
