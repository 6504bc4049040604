//! All kinds of faults in a row on one fleet: nothing grows.

use std::collections::BTreeMap;
use std::time::Instant;

use crate::faults::{ALL, Fault, RESTARTED, strike};
use crate::fleet::{Fleet, soaking, spec};
use crate::health::Health;
use crate::report;
use crate::support::{Program, poll};

/// In the soak.
const FAULTS: usize = 200;

#[test]
fn faults_of_all_kinds_in_a_row_leave_nothing_behind() {
    let count = if soaking() { FAULTS } else { ALL.len() };
    let mut fleet = Fleet::start(spec(&Program::subject(), 3, 2), 3, &[0, 1, 2], &[0, 1, 2]);
    fleet.whole();
    // Those that run from the first fault to the last.
    let watched = [0, 1];
    // Both have the same neighbours, so they hold the same, but for a client that has just left and is not let go yet.
    let first = poll("two daemons hold the same", || {
        let both = watched.map(|daemon| Health::of(&mut fleet.group.sentinels[daemon]));
        let held = both.map(|health| (health.descriptors, health.sockets));
        if held[0] == held[1] { Ok(both) } else { Err(both) }
    });
    let ids = watched.map(|daemon| fleet.group.sentinels[daemon].process().pid());
    let mut seen: Vec<[Health; 2]> = Vec::new();
    let mut times: BTreeMap<Fault, Vec<u128>> = BTreeMap::new();
    for number in 0..count {
        // Each cycle has all kinds, and begins elsewhere.
        let (cycle, step) = (number / ALL.len(), number % ALL.len());
        let fault = ALL[(step * 5 + cycle * 3) % ALL.len()];
        let begin = Instant::now();
        eprintln!("fault {number}: {fault:?}");
        strike(&mut fleet, fault, number);
        fleet.whole();
        times.entry(fault).or_default().push(begin.elapsed().as_millis());
        seen.push(watched.map(|daemon| first[daemon].back_to(&mut fleet.group.sentinels[daemon])));
    }
    assert_eq!(ids, watched.map(|daemon| fleet.group.sentinels[daemon].process().pid()));
    assert!(!watched.contains(&RESTARTED));
    show(&first, &seen, &times);
    for daemon in watched {
        let memory: Vec<u64> = seen.iter().map(|healths| healths[daemon].memory).collect();
        // The allocator's own coming and going; a leak of a kilobyte for each fault's messages would be more in the soak.
        let (early, late) = (highest(&memory[..count / 4]), highest(&memory[count * 3 / 4..]));
        assert!(late <= early + early / 10 + 2048, "memory grows: {early} kB, then {late} kB of {memory:?}");
    }
}

fn highest(figures: &[u64]) -> u64 {
    figures.iter().copied().max().unwrap()
}

fn show(first: &[Health; 2], seen: &[[Health; 2]], times: &BTreeMap<Fault, Vec<u128>>) {
    let mut rows = Vec::new();
    let at = |number: usize| seen[number - 1];
    let steps = [seen.len() / 4, seen.len() / 2, seen.len() * 3 / 4, seen.len()];
    let samples = std::iter::once((0, *first)).chain(steps.map(|number| (number, at(number))));
    for (number, healths) in samples {
        for (daemon, health) in healths.iter().enumerate() {
            rows.push(vec![
                number.to_string(),
                (daemon + 1).to_string(),
                health.memory.to_string(),
                health.descriptors.to_string(),
                health.sockets.to_string(),
                health.threads.to_string(),
                health.file.to_string(),
            ]);
        }
    }
    let head =
        ["faults so far", "daemon", "memory in kB", "descriptors", "sockets", "threads", "bytes of the file"];
    report::table(&format!("{} faults in a row", seen.len()), &head, &rows);
    let rows: Vec<Vec<String>> = times
        .iter()
        .map(|(fault, all)| {
            let mut sorted = all.clone();
            sorted.sort_unstable();
            let (median, worst) = (sorted[sorted.len() / 2], sorted[sorted.len() - 1]);
            vec![format!("{fault:?}"), all.len().to_string(), median.to_string(), worst.to_string()]
        })
        .collect();
    report::table(
        "Until the fleet is whole again",
        &["fault", "times", "median in ms, repair included", "worst"],
        &rows,
    );
}
