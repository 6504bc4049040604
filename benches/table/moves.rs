//! SENTINEL FAILOVER of a healthy primary, under two clients that write.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::faults::WRITES;
use super::fleet::{Fleet, local};
use super::watch::{Answer, Watch};
use crate::common::timing::longest_gap;
use crate::common::{Kind, Plan, Sheet, spread};
use crate::support::eventually;
use crate::support::group::NAME;

/// Lost writes and the pause.
pub(crate) fn planned(kind: Kind, plan: &Plan, sheet: &mut Sheet) {
    let mut fleet = Fleet::start(kind, Duration::from_millis(1000), &[], &[]);
    let events = Arc::new(fleet.events());
    for round in 0..plan.rounds {
        let old = fleet.restore();
        let mut follower = fleet.follower(&events);
        let mut stubborn = fleet.stubborn();
        follower.goes_on(WRITES);
        stubborn.goes_on(WRITES);
        let roles = Watch::roles(&fleet.nodes());
        spread(round);
        let begin = Instant::now();
        fleet.0.sentinels[round % 3].ok(&["SENTINEL", "FAILOVER", NAME]);
        events.first_of_each(begin, "+switch-master", NAME);
        let (new, _) = roles.first(begin, old, Answer::Primary);
        // The others follow, the old primary among them, and so its clients had to go.
        roles.all(begin, &[new], Answer::Replica(new, true));
        follower.first_elsewhere(begin, local(old));
        stubborn.first_elsewhere(begin, local(old));
        follower.goes_on(WRITES);
        stubborn.goes_on(WRITES);
        follower.stop();
        stubborn.stop();
        eventually("the nodes hold the same", || {
            let offsets: Vec<String> =
                fleet.0.nodes.iter().map(|node| node.info("master_repl_offset")).collect();
            offsets.windows(2).all(|pair| pair[0] == pair[1])
        });
        sheet.add("lost-follower", kind, follower.lost(local(new)) as f64);
        sheet.add("lost-stubborn", kind, stubborn.lost(local(new)) as f64);
        sheet.add("pause", kind, longest_gap(&follower.acks(), begin));
    }
}
