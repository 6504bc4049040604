//! The figures of the process that every Prometheus client library shows, read from /proc/self.

use prometheus::{Counter, Registry};

use super::Error;
use super::groups::gauge;

/// What /proc/self says. A figure that can't be read is left out.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Figures {
    cpu_seconds: Option<f64>,
    resident_bytes: Option<f64>,
    virtual_bytes: Option<f64>,
    start_seconds: Option<f64>,
    open_fds: Option<f64>,
    max_fds: Option<f64>,
    threads: Option<f64>,
}

pub(super) fn register(registry: &Registry) -> Result<(), Error> {
    let figures = Figures::read();
    if let Some(seconds) = figures.cpu_seconds {
        let cpu = Counter::new("process_cpu_seconds_total", "User and system CPU time.")?;
        cpu.inc_by(seconds);
        registry.register(Box::new(cpu))?;
    }
    for (name, help, value) in [
        ("process_resident_memory_bytes", "Resident memory.", figures.resident_bytes),
        ("process_virtual_memory_bytes", "Virtual memory.", figures.virtual_bytes),
        ("process_start_time_seconds", "Start of the process since the Unix epoch.", figures.start_seconds),
        ("process_open_fds", "Open file descriptors.", figures.open_fds),
        ("process_max_fds", "Largest number of open file descriptors.", figures.max_fds),
        ("process_threads", "Threads of the process.", figures.threads),
    ] {
        if let Some(value) = value {
            gauge(registry, name, help, value)?;
        }
    }
    Ok(())
}

impl Figures {
    fn read() -> Self {
        let file = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let mut figures = Self::parse(
            &file("/proc/self/stat"),
            &file("/proc/stat"),
            &file("/proc/self/limits"),
            rustix::param::clock_ticks_per_second() as f64,
            rustix::param::page_size() as f64,
        );
        // The listing's own descriptor is not counted.
        figures.open_fds =
            std::fs::read_dir("/proc/self/fd").ok().map(|fds| fds.count().saturating_sub(1) as f64);
        figures
    }

    fn parse(stat: &str, system: &str, limits: &str, ticks: f64, page: f64) -> Self {
        // The second field is the name in parentheses and may hold anything; the rest follows its last ")".
        let fields: Vec<&str> = stat
            .rsplit_once(')')
            .map(|(_, rest)| rest.split_ascii_whitespace().collect())
            .unwrap_or_default();
        // `number` as in proc(5), where the name is 2.
        let field = |number: usize| -> Option<f64> { fields.get(number - 3)?.parse().ok() };
        let booted: Option<f64> = system
            .lines()
            .find_map(|line| line.strip_prefix("btime "))
            .and_then(|text| text.trim().parse().ok());
        let max_fds = limits
            .lines()
            .find_map(|line| line.strip_prefix("Max open files"))
            .and_then(|rest| rest.split_ascii_whitespace().next())
            .and_then(|soft| soft.parse().ok());
        Self {
            cpu_seconds: field(14).zip(field(15)).map(|(user, system)| (user + system) / ticks),
            resident_bytes: field(24).map(|pages| pages * page),
            virtual_bytes: field(23),
            start_seconds: booted.zip(field(22)).map(|(booted, started)| booted + started / ticks),
            open_fds: None,
            max_fds,
            threads: field(20),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_blanks_and_parentheses_does_not_shift_the_fields() {
        let stat = "42 (a ) (b) S 1 42 42 0 -1 4194304 100 0 0 0 150 50 0 0 20 0 3 0 2000 4096000 250 18446744073709551615";
        let figures = Figures::parse(
            stat,
            "cpu 1 2 3\nbtime 1700000000\n",
            "Limit Soft Hard\nMax open files            1024                 4096                 files\n",
            100.0,
            4096.0,
        );
        let expected = Figures {
            cpu_seconds: Some(2.0),
            resident_bytes: Some(250.0 * 4096.0),
            virtual_bytes: Some(4_096_000.0),
            start_seconds: Some(1_700_000_020.0),
            open_fds: None,
            max_fds: Some(1024.0),
            threads: Some(3.0),
        };
        assert_eq!(figures, expected);
    }

    #[test]
    fn the_own_process_can_be_read() {
        let before = Figures::read();
        let held: Vec<_> = (0..5).map(|_| std::fs::File::open("/proc/self/stat").unwrap()).collect();
        let after = Figures::read();
        // Other tests open and close descriptors meanwhile; what matters is that the figure is a count of them.
        assert!(after.open_fds.unwrap() >= held.len() as f64);
        assert!(before.cpu_seconds.is_some() && before.resident_bytes.unwrap() > 1e6);
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64();
        let start = after.start_seconds.unwrap();
        assert!(start <= now + 2.0 && start > now - 3600.0 * 24.0, "{start} against {now}");
        assert!(after.max_fds.unwrap() >= 256.0);
    }

    #[test]
    fn what_cannot_be_read_is_left_out() {
        assert_eq!(Figures::parse("", "", "", 100.0, 4096.0), Figures::default());
    }
}
