//! Primaries that go: killed, silent, deleted.

use std::time::Instant;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::api::DeleteParams;
use rustix::process::Signal;

use crate::audit::{self, About};
use crate::common::timing::longest_gap;
use crate::common::{Kind, Plan, Sheet, Writer, ms, spread};
use crate::scene::{Scene, Script};
use crate::support::group::NAME;
use crate::support::{eventually, poll};

/// Writes of a client before and after a fault.
const WRITES: usize = 50;

/// kill -9 of the primary's container, which stays ended until the round is over, as one does that a kubelet restarts.
pub(crate) fn kill(kind: Kind, plan: &Plan, sheet: &mut Sheet) {
    let scene = Scene::start(kind, Script { fast_down: Some(100), ..Script::default() });
    let events = scene.events();
    for round in 0..plan.rounds {
        let old = scene.restore();
        let (node, pod) = (scene.node(&old), old.as_str());
        let (by_sentinel, by_service) = (scene.by_sentinel(&events), scene.by_service());
        go_on(&[Some(&by_sentinel), by_service.as_ref()]);
        spread(round);
        let (begin, stamp) = (Instant::now(), Timestamp::now());
        scene.world.kubelet.kill_and_hold(pod);
        sheet.add("kill-sentinel", kind, ms(begin, by_sentinel.first_elsewhere(begin, node)));
        if let Some(writer) = by_service {
            sheet.add("kill-service", kind, ms(begin, writer.first_elsewhere(begin, node)));
        }
        events.first_of_each(begin, "+switch-master", NAME);
        scene.world.kubelet.release(pod);
        if kind == Kind::Vedette {
            count_writes(&scene, stamp, sheet);
        }
    }
}

/// SIGSTOP of the primary's process, and SIGCONT when all is done.
pub(crate) fn silence(kind: Kind, plan: &Plan, sheet: &mut Sheet) {
    let scene = Scene::start(kind, Script::default());
    let events = scene.events();
    for round in 0..plan.rounds {
        let old = scene.restore();
        let node = scene.node(&old);
        let (by_sentinel, by_service) = (scene.by_sentinel(&events), scene.by_service());
        go_on(&[Some(&by_sentinel), by_service.as_ref()]);
        spread(round);
        let (begin, stamp) = (Instant::now(), Timestamp::now());
        scene.world.kubelet.pause(&old);
        let first = by_sentinel.first_elsewhere(begin, node);
        let routed = by_service.map(|writer| writer.first_elsewhere(begin, node));
        events.first_of_each(begin, "+switch-master", NAME);
        let down = events.since(begin, "+sdown", "master ");
        let down = down.iter().map(|event| event.at).min().unwrap();
        sheet.add("sdown-sentinel", kind, ms(down, first));
        if let Some(routed) = routed {
            sheet.add("sdown-service", kind, ms(down, routed));
        }
        scene.world.kubelet.signal(&old, Signal::CONT);
        if kind == Kind::Vedette {
            count_writes(&scene, stamp, sheet);
        }
    }
}

/// The primary's Pod is deleted as `kubectl delete pod` does it: the preStop hook, SIGTERM, another Pod.
pub(crate) fn polite(kind: Kind, plan: &Plan, sheet: &mut Sheet) {
    let scene = Scene::start(kind, Script { leave: true, spare: plan.rounds, ..Script::default() });
    let events = scene.events();
    for round in 0..plan.rounds {
        let old = scene.restore();
        let node = scene.node(&old);
        // Nobody loses a write, not even a client that hears of nothing; what its errors cost it is its own affair.
        let mut writers =
            vec![(Some("polite-sentinel"), scene.by_sentinel(&events)), (None, scene.stubborn())];
        writers.extend(scene.by_service().map(|writer| (Some("polite-service"), writer)));
        writers.iter().for_each(|(_, writer)| writer.goes_on(WRITES));
        spread(round);
        let begin = Instant::now();
        scene.world.delete::<Pod>(&old, DeleteParams::default());
        for (_, writer) in &writers {
            writer.first_elsewhere(begin, node);
        }
        events.first_of_each(begin, "+switch-master", NAME);
        writers.iter().for_each(|(_, writer)| writer.goes_on(WRITES));
        writers.iter_mut().for_each(|(_, writer)| writer.stop());
        poll("another Pod has come in its place", || match scene.world.kubelet.address(&old) {
            Some(address) if address != node.ip().to_string() => Ok(()),
            other => Err(other),
        });
        scene.forget();
        let primary = scene.restore();
        let mut lost = 0;
        for (row, writer) in &writers {
            lost += writer.lost(scene.node(&primary));
            if let Some(row) = row {
                sheet.add(row, kind, longest_gap(&writer.acks(), begin));
            }
        }
        sheet.add("polite-lost", kind, lost as f64);
    }
}

fn go_on(writers: &[Option<&Writer>]) {
    writers.iter().flatten().for_each(|writer| writer.goes_on(WRITES));
}

/// What the members wrote from the fault on until the Service led to the new primary, but for their signs of life.
fn count_writes(scene: &Scene, since: Timestamp, sheet: &mut Sheet) {
    // The closing write comes after all others.
    eventually("the failover is over", || scene.world.holder().is_none());
    let writes = poll("the API server has logged the route", || {
        let writes = audit::writes(&scene.world.plane);
        let after: Vec<_> = writes.into_iter().filter(|write| write.received >= since).collect();
        let routed = after
            .iter()
            .find(|write| write.about == About::Service && write.code == 200)
            .map(|write| write.answered);
        routed.map(|routed| (after.clone(), routed)).ok_or(after)
    });
    let (writes, routed) = writes;
    let before: Vec<_> = writes.iter().filter(|write| write.received <= routed).collect();
    let counted = before.iter().filter(|write| !matches!(write.about, About::Member { .. })).count();
    sheet.add("writes", Kind::Vedette, counted as f64);
    for member in &scene.world.members {
        let opinion = About::Member { opinion: true };
        let name = format!("-member-{}", member.name());
        let told = before.iter().filter(|write| write.about == opinion && write.name.ends_with(&name));
        sheet.add("opinions", Kind::Vedette, told.count() as f64);
    }
    if std::env::var_os("VEDETTE_BENCH_TRACE").is_some() {
        let ms = |at: Timestamp| at.duration_since(since).as_millis();
        for write in &writes {
            eprintln!(
                "  {:5} {:5} {:?} {} {}",
                ms(write.received),
                ms(write.answered),
                write.about,
                write.name,
                write.code
            );
        }
    }
}
