//! The queue of notification and reconfiguration scripts: which run, which wait, and what their ends mean.

use std::collections::VecDeque;
use std::time::Duration;

use super::action::{Action, Level};
use super::ids::JobId;
use super::input::ScriptExit;
use super::shared::Cx;
use super::time::Time;

/// Most jobs that run at a time.
const MAX_RUNNING: usize = 16;
/// Most jobs in the queue, the running ones included.
const MAX_QUEUED: usize = 256;
/// Most runs of one job.
const MAX_RUNS: u32 = 10;
/// Sentinel's exit code of a script that can't be executed.
const NO_PROGRAM: i32 = 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Starts at that time; at once without one.
    Scheduled(Option<Time>),
    /// Started then; the pid comes with the news that it worked.
    Running { job: JobId, since: Time, pid: Option<u32>, killed: bool },
}

#[derive(Debug)]
struct Job {
    argv: Vec<String>,
    state: State,
    /// Runs so far, a present one included.
    runs: u32,
}

impl Job {
    fn path(&self) -> &str {
        self.argv.first().map_or("", String::as_str)
    }
}

/// One job as SENTINEL PENDING-SCRIPTS shows it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Row<'a> {
    pub(crate) argv: &'a [String],
    pub(crate) running: bool,
    /// 0 unless it runs.
    pub(crate) pid: u32,
    /// Milliseconds: the age of the run, or the time until it starts.
    pub(crate) millis: u64,
    pub(crate) runs: u32,
}

/// See the module. Nothing here survives a restart.
#[derive(Debug, Default)]
pub(crate) struct Scripts {
    jobs: VecDeque<Job>,
    next: u64,
}

impl Scripts {
    /// Adds a job, to be started before the input is done with. A full queue loses its oldest job that doesn't run.
    pub(crate) fn queue(&mut self, argv: Vec<String>, _now: Time) {
        self.jobs.push_back(Job { argv, state: State::Scheduled(None), runs: 0 });
        if self.jobs.len() > MAX_QUEUED
            && let Some(oldest) = self.jobs.iter().position(|job| matches!(job.state, State::Scheduled(_)))
        {
            self.jobs.remove(oldest);
        }
    }

    /// How many run.
    pub(crate) fn running(&self) -> usize {
        self.jobs.iter().filter(|job| matches!(job.state, State::Running { .. })).count()
    }

    /// How many there are, the running ones included.
    pub(crate) fn len(&self) -> usize {
        self.jobs.len()
    }

    /// All jobs, oldest first.
    pub(crate) fn rows(&self, now: Time) -> impl Iterator<Item = Row<'_>> {
        self.jobs.iter().map(move |job| {
            let (running, pid, millis) = match job.state {
                State::Scheduled(at) => (false, 0, at.map_or(0, |at| at.millis_since(now))),
                State::Running { since, pid, .. } => (true, pid.unwrap_or(0), now.millis_since(since)),
            };
            Row { argv: &job.argv, running, pid, millis, runs: job.runs }
        })
    }

    fn find(&self, wanted: JobId) -> Option<usize> {
        self.jobs.iter().position(|job| matches!(job.state, State::Running { job, .. } if job == wanted))
    }

    /// The run is over without success: another one later, or nothing if it was the last one.
    fn fail(&mut self, index: usize, delay: Duration, now: Time) -> bool {
        let Some(job) = self.jobs.get_mut(index) else { return false };
        if job.runs >= MAX_RUNS {
            return false;
        }
        let doubled = delay.saturating_mul(1 << job.runs.saturating_sub(1).min(31));
        job.state = State::Scheduled(Some(now + doubled));
        true
    }
}

/// News of a run's start: its pid, or nothing when there is no such program. Another run would fare no better.
pub(crate) fn started(job: JobId, pid: Option<u32>, cx: &mut Cx<'_>) {
    let Some(index) = cx.shared.scripts.find(job) else { return };
    let Some(number) = pid else {
        if let Some(job) = cx.shared.scripts.jobs.remove(index) {
            cx.own_event(Level::Warning, "-script-error", format!("{} 0 {NO_PROGRAM}", job.path()));
        }
        return;
    };
    if let Some(Job { state: State::Running { pid, .. }, .. }) = cx.shared.scripts.jobs.get_mut(index) {
        *pid = Some(number);
    }
    cx.own_event(Level::Debug, "+script-child", number.to_string());
}

/// News of a run's end.
pub(crate) fn ended(job: JobId, exit: ScriptExit, cx: &mut Cx<'_>) {
    let Some(index) = cx.shared.scripts.find(job) else { return };
    let Some(known) = cx.shared.scripts.jobs.get(index) else { return };
    let pid = match known.state {
        State::Running { pid, .. } => pid,
        State::Scheduled(_) => None,
    };
    let path = known.path().to_owned();
    let (code, signal) = match exit {
        ScriptExit::Code(code) => (code, 0),
        ScriptExit::Signal(signal) => (0, signal),
    };
    if let Some(pid) = pid {
        cx.own_event(Level::Debug, "-script-child", format!("{pid} {code} {signal}"));
    }
    let delay = cx.shared.params.script_retry_delay();
    if (signal != 0 || code == 1) && cx.shared.scripts.fail(index, delay, cx.now) {
        return;
    }
    cx.shared.scripts.jobs.remove(index);
    if signal != 0 || code != 0 {
        cx.own_event(Level::Warning, "-script-error", format!("{path} {signal} {code}"));
    }
}

/// Starts what is due, oldest first, and kills what has run for too long.
pub(crate) fn run(cx: &mut Cx<'_>) {
    let limit = cx.shared.params.script_max_runtime();
    let mut running = cx.shared.scripts.running();
    for index in 0..cx.shared.scripts.jobs.len() {
        let Some(job) = cx.shared.scripts.jobs.get_mut(index) else { break };
        match job.state {
            State::Scheduled(_) if running >= MAX_RUNNING => {}
            State::Scheduled(Some(at)) if at > cx.now => cx.wake_at(at, "script retry"),
            State::Scheduled(_) => {
                cx.shared.scripts.next += 1;
                let id = JobId(cx.shared.scripts.next);
                job.runs += 1;
                job.state = State::Running { job: id, since: cx.now, pid: None, killed: false };
                let argv = job.argv.clone();
                running += 1;
                cx.out.push(Action::RunScript { job: id, argv });
                cx.wake_at(cx.now + limit, "script-max-runtime");
            }
            State::Running { killed: true, .. } => {}
            // Without its pid it can't be killed yet; the news of it comes soon and leads here again.
            State::Running { pid: None, since, .. } => cx.wake_at(since + limit, "script-max-runtime"),
            State::Running { job: id, since, pid: Some(pid), .. } => {
                if since + limit > cx.now {
                    cx.wake_at(since + limit, "script-max-runtime");
                    continue;
                }
                job.state = State::Running { job: id, since, pid: Some(pid), killed: true };
                let path = job.path().to_owned();
                cx.own_event(Level::Warning, "-script-timeout", format!("{path} {pid}"));
                cx.out.push(Action::KillScript { job: id });
            }
        }
    }
}

#[cfg(test)]
mod tests;
