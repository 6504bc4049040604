//! What must hold after every step. One rule per file, each with the source that states it.

mod downs_pair;
mod early_demotion;
mod epochs_rise;
mod few_questions;
mod fit_candidate;
mod majority;
mod newest_known;
mod one_leader;
mod one_primary;
mod one_vote;
mod parallel_syncs;
mod quorum;
mod saved_first;
mod spaced_attempts;
mod switch_told;
mod tilt_is_still;

pub(crate) use self::one_vote::vote;
use super::facts::Seen;

/// A rule that holds at every moment of every run.
pub(crate) trait Invariant {
    /// Its name, for the report.
    fn name(&self) -> &'static str;

    /// Takes a fact in.
    ///
    /// # Errors
    ///
    /// What the fact breaks.
    fn see(&mut self, seen: &Seen<'_>) -> Result<(), String>;
}

/// All of them, fresh.
pub(crate) fn all() -> Vec<Box<dyn Invariant>> {
    vec![
        Box::new(one_vote::OneVote::default()),
        Box::new(saved_first::SavedFirst::default()),
        Box::new(one_leader::OneLeader),
        Box::new(majority::Majority::default()),
        Box::new(quorum::Quorum::default()),
        Box::new(one_primary::OnePrimary::default()),
        Box::new(epochs_rise::EpochsRise::default()),
        Box::new(newest_known::NewestKnown::default()),
        Box::new(early_demotion::EarlyDemotion::default()),
        Box::new(few_questions::FewQuestions::default()),
        Box::new(fit_candidate::FitCandidate),
        Box::new(spaced_attempts::SpacedAttempts::default()),
        Box::new(downs_pair::DownsPair::default()),
        Box::new(parallel_syncs::ParallelSyncs::default()),
        Box::new(tilt_is_still::TiltIsStill::default()),
        Box::new(switch_told::SwitchTold::default()),
    ]
}
