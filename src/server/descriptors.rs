//! How many descriptors the process may have, and what that leaves for clients.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors for everything but clients: listeners, links, files.
const RESERVED: u64 = 32;

/// Raises the limit of open descriptors to what `wanted` clients need, as far as the system lets it. Returns how many
/// clients there can be, and what the log should say if they are fewer than wanted.
pub(super) fn provide(wanted: usize) -> (usize, Vec<String>) {
    let needed = wanted as u64 + RESERVED;
    let present = getrlimit(Resource::Nofile);
    // No limit at all is said by leaving it out.
    let Some(soft) = present.current.filter(|soft| *soft < needed) else { return (wanted, Vec::new()) };
    let target = present.maximum.map_or(needed, |hard| hard.min(needed));
    let raised = Rlimit { current: Some(target), maximum: present.maximum };
    let available = if target > soft && setrlimit(Resource::Nofile, raised).is_ok() { target } else { soft };
    if available >= needed {
        return (wanted, Vec::new());
    }
    let clients = usize::try_from(available.saturating_sub(RESERVED)).unwrap_or(usize::MAX).max(1);
    let lines = vec![
        format!("You requested maxclients of {wanted} requiring at least {needed} max file descriptors."),
        format!(
            "Current maximum open files is {available}. maxclients has been reduced to {clients} to compensate for low \
             ulimit. If you need higher maxclients increase 'ulimit -n'."
        ),
    ];
    (clients, lines)
}
