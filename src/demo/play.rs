//! The acts of the demo, one after the other.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::conn::{ask, shown};
use super::error::Error;
use super::fleet::{GROUP, Map, Place};
use super::stage::Stage;
use super::text::{Line, Tone, grouped, millis};
use super::timeline::{Timeline, about};
use super::writer::{self, Ack};
use crate::resp::Reply;

const STEPS: usize = 6;
const START_LIMIT: Duration = Duration::from_secs(30);
const WRITER_LIMIT: Duration = Duration::from_secs(15);
const FAILOVER_LIMIT: Duration = Duration::from_secs(60);
const RETURN_LIMIT: Duration = Duration::from_secs(60);
const COMMAND_LIMIT: Duration = Duration::from_secs(2);
/// Writes before something is broken, and at the new primary before it counts as taken over.
const WARM_UP: u64 = 300;
/// After this time a process that ended is started again.
const RESTART: Duration = Duration::from_secs(5);

/// Start everything and show both failovers.
pub(super) async fn acts(stage: &mut Stage<'_>) -> Result<(), Error> {
    opening(stage).await?;
    let first = stage.map.nodes[0];
    killed(stage, first).await?;
    returned(stage, first).await?;
    switched(stage).await
}

async fn opening(stage: &mut Stage<'_>) -> Result<(), Error> {
    stage.begin(1, STEPS, "a primary and two replicas start");
    for node in stage.map.nodes {
        stage.fleet.start(node)?;
    }
    let primary = stage.map.nodes[0];
    stage
        .wait("the replicas to be in step", START_LIMIT, |scene, _, _| scene.settled(primary.port, None))
        .await?;
    stage.done();

    stage.begin(2, STEPS, "three daemons start and get to know each other");
    for daemon in stage.map.daemons {
        stage.fleet.start(daemon)?;
    }
    stage
        .wait("the daemons to know each other", START_LIMIT, |scene, _, events| {
            scene.acquainted() && scene.agreed_on(primary.port) && events.subscribed == scene.daemons.len()
        })
        .await?;
    stage.done();

    stage.begin(3, STEPS, "a client asks a daemon for the primary and writes");
    stage.start_writer();
    stage.wait("the writer", WRITER_LIMIT, |_, ledger, _| ledger.total >= WARM_UP).await?;
    stage.done();
    stage.show_picture();
    Ok(())
}

/// Keep account of writes from here on, and let some pass: those right before a failover are the ones at risk.
async fn run_up(stage: &mut Stage<'_>) -> Result<(), Error> {
    stage.ledger.borrow_mut().open();
    let enough = usize::try_from(WARM_UP).unwrap_or(usize::MAX);
    stage.wait("the writer", WRITER_LIMIT, |_, ledger, _| ledger.window().len() >= enough).await
}

/// kill -9 of the primary.
async fn killed(stage: &mut Stage<'_>, old: Place) -> Result<(), Error> {
    stage.begin(4, STEPS, &format!("kill -9 {}: the primary is gone", old.name));
    run_up(stage).await?;
    let mark = stage.events.borrow().next();
    stage.down = Some(old);
    let start = Instant::now();
    stage.fleet.kill(old);
    failover(stage, old, start, mark, &format!("kill -9 of {}, the primary", old.name)).await
}

async fn returned(stage: &mut Stage<'_>, old: Place) -> Result<(), Error> {
    let primary = stage.scene.borrow().primary();
    let text = format!("{} starts again, as a primary; it is made a replica of {}", old.name, primary.name);
    stage.begin(5, STEPS, &text);
    stage.fleet.start(old)?;
    stage.down = None;
    stage
        .wait("the old primary to become a replica", RETURN_LIMIT, |scene, _, _| {
            scene.settled(primary.port, None) && scene.agreed_on(primary.port) && scene.acquainted()
        })
        .await?;
    stage.done();
    Ok(())
}

/// SENTINEL FAILOVER.
async fn switched(stage: &mut Stage<'_>) -> Result<(), Error> {
    stage.begin(6, STEPS, "SENTINEL FAILOVER: the primary is well and changes place");
    let old = stage.scene.borrow().primary();
    let daemon = stage.map.daemons[0];
    let deadline = Instant::now() + FAILOVER_LIMIT;
    run_up(stage).await?;
    let (mark, start) = loop {
        let mark = stage.events.borrow().next();
        let start = Instant::now();
        let failed = |source| Error::Connection { name: daemon.name.to_owned(), source };
        let reply =
            ask(daemon.port, COMMAND_LIMIT, &["SENTINEL", "FAILOVER", GROUP]).await.map_err(failed)?;
        if reply == Reply::OK {
            break (mark, start);
        }
        // NOGOODSLAVE passes when the returned node has been asked again.
        stage.check("SENTINEL FAILOVER")?;
        if Instant::now() >= deadline {
            let command = "SENTINEL FAILOVER".to_owned();
            return Err(Error::Reply { name: daemon.name.to_owned(), command, reply: shown(&reply) });
        }
        sleep(Duration::from_millis(200)).await;
    };
    failover(stage, old, start, mark, &format!("SENTINEL FAILOVER {GROUP}, sent to {}", daemon.name)).await
}

/// Wait until another node has taken over, then tell the story and count what was lost.
async fn failover(
    stage: &mut Stage<'_>,
    old: Place,
    start: Instant,
    mark: usize,
    title: &str,
) -> Result<(), Error> {
    let down = stage.down;
    let enough = usize::try_from(WARM_UP).unwrap_or(usize::MAX);
    stage
        .wait("the failover to end", FAILOVER_LIMIT, |scene, ledger, _| {
            let primary = scene.primary();
            let there = ledger.window().iter().rev().take_while(|ack| ack.port == primary.port).count();
            primary != old
                && scene.agreed_on(primary.port)
                && scene.settled(primary.port, down)
                && there >= enough
        })
        .await?;
    stage.done();
    let primary = stage.scene.borrow().primary();
    let acks = stage.ledger.borrow_mut().close();
    let lost = writer::lost(primary, &acks).await?;
    let story = Timeline::new(start, old, &stage.map, stage.events.borrow().since(mark), &acks);
    stage.say(&Line::default());
    stage.show_timeline(title, &story);
    stage.say(&account(&acks, &lost, primary));
    stage.say(&Line::default());
    stage.show_picture();
    stage.say(&Line::default());
    Ok(())
}

/// Writes acknowledged and lost, and how long none was acknowledged.
fn account(acks: &[Ack], lost: &[Ack], primary: Place) -> Line {
    let count = |acks: &[Ack]| grouped(u64::try_from(acks.len()).unwrap_or(u64::MAX));
    let tone = if lost.is_empty() { Tone::Good } else { Tone::Bad };
    Line::of(format!("    {} writes acknowledged, ", count(acks)))
        .and(tone, format!("{} lost", count(lost)))
        .and(
            Tone::Plain,
            format!(
                " (read back from {}), none for {} ms",
                primary.name,
                grouped(millis(writer::longest_gap(acks)))
            ),
        )
}

/// Say what can be tried, show what happens, start again what ends. For ever.
pub(super) async fn stay(stage: &mut Stage<'_>) -> Result<(), Error> {
    stage.say_all(&hints(stage));
    let mut mark = stage.events.borrow().next();
    let mut gone: Vec<(Place, Instant)> = Vec::new();
    loop {
        stage.writable()?;
        let lines = news(stage, mark);
        mark = stage.events.borrow().next();
        stage.say_all(&lines);
        for place in stage.fleet.ended() {
            if !gone.iter().any(|(known, _)| *known == place) {
                gone.push((place, Instant::now()));
                stage.say(
                    &Line::default()
                        .to(4)
                        .and(Tone::Bad, format!("{} ended; it starts again in 5 s", place.name)),
                );
            }
        }
        if let Some(index) = gone.iter().position(|(_, since)| since.elapsed() >= RESTART) {
            let (place, _) = gone.remove(index);
            stage.fleet.start(place)?;
            let pid = stage.fleet.pid(place).unwrap_or_default();
            stage.say(
                &Line::default().to(4).and(Tone::Good, format!("{} starts again, pid {pid}", place.name)),
            );
        }
        sleep(Duration::from_millis(50)).await;
    }
}

fn news(stage: &Stage<'_>, mark: usize) -> Vec<Line> {
    let events = stage.events.borrow();
    let told = events.since(mark).filter_map(|seen| Some((seen, about(seen, &stage.map)?)));
    told.map(|(seen, about)| {
        Line::default().to(4).and(Tone::Plain, &seen.name).to(24).and(Tone::Plain, about)
    })
    .collect()
}

fn hints(stage: &Stage<'_>) -> Vec<Line> {
    let Map { nodes, daemons } = stage.map;
    let primary = stage.scene.borrow().primary();
    let client = &stage.fleet.programs().client;
    let name = client.as_deref().and_then(|path| path.file_name()).and_then(|name| name.to_str());
    let cli = name.unwrap_or("redis-cli");
    let command = |command: String, why: &str| {
        Line::default().to(4).and(Tone::Plain, command).to(52).and(Tone::Dim, format!(" {why}"))
    };
    let [first, second, _] = daemons;
    let mut lines = vec![Line::default().and(Tone::Strong, "It stays up until Ctrl-C. In another terminal:")];
    if name.is_none() {
        lines.push(
            Line::default()
                .to(4)
                .and(Tone::Dim, "(redis-cli is not on the PATH: it comes with redis-tools or valkey-tools)"),
        );
    }
    lines.push(command(format!("{cli} -p {} sentinel masters", first.port), "what v1 knows"));
    lines.push(command(format!("{cli} -p {} sentinel failover {GROUP}", second.port), "the primary moves"));
    lines.push(command(format!("{cli} -p {} psubscribe '*'", first.port), "every event"));
    lines.push(command(format!("{cli} -p {} info replication", primary.port), "the primary's word"));
    if let Some(admin) = first.admin {
        lines.push(command(format!("curl http://127.0.0.1:{admin}/metrics"), "for Prometheus"));
    }
    for place in nodes.into_iter().chain(daemons) {
        let pid = stage.fleet.pid(place).unwrap_or_default();
        let why =
            if place == primary { format!("{}, the primary", place.name) } else { place.name.to_owned() };
        lines.push(command(format!("kill -9 {pid}"), &why));
    }
    lines.push(Line::default().to(4).and(Tone::Dim, "A process that ends is started again after 5 s."));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_account_fits_on_a_line() {
        let start = Instant::now();
        let ack = |number| Ack { number, port: 7001, at: start + Duration::from_millis(number * 2) };
        let acks: Vec<Ack> = (0..30_000).map(ack).collect();
        let primary = Place { name: "n3", port: 7003, admin: None };
        let line = account(&acks, &acks[..20_000], primary);
        assert!(line.width() <= crate::demo::text::WIDTH, "{line:?}");
        let text = line.render(false);
        assert_eq!(text, "    30,000 writes acknowledged, 20,000 lost (read back from n3), none for 2 ms");
    }
}
